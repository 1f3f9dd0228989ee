import { expect } from 'chai';
import { gradients } from '../../engine/autodiff';
import { Graph } from '../../engine/graph';
import { add, exp, mul, reverseGradient, square, sub, sum } from '../../engine/ops';
import { compute } from '../helpers/compute';
import { float32 } from '../helpers/engine';

const x = float32([3], [0.5, -1, 2]);
const a = float32([3], [2, 3, -4]);

describe('gradients', () => {
  it('adds up what comes from every use of a tensor', async () => {
    const { dx, da } = await compute({ x, a }, (t) => {
      // y = x² + a x, and once more y itself: Σ (2 y + y x)
      const y = add(square(t.x), mul(t.a, t.x));
      const [dx, da] = gradients(sum(add(add(y, y), mul(y, t.x))), [t.x, t.a]);
      return { dx: dx!, da: da! };
    });
    const [xs, as] = [[...x.data], [...a.data]];
    // ∂y/∂x = 2x + a, ∂y/∂a = x; ∂/∂x = (2 + x)(2x + a) + y, ∂/∂a = (2 + x) x
    expect([...dx!.data]).to.deep.equal(xs.map((v, i) => (2 + v) * (2 * v + as[i]!) + v * v + as[i]! * v));
    expect([...da!.data]).to.deep.equal(xs.map((v) => (2 + v) * v));
  });

  it('gives the gradient of a tensor in the middle, of the loss itself, and in the order asked for', async () => {
    const results = await compute({ x, a }, (t) => {
      const y = mul(t.x, t.a);
      const loss = sum(square(y));
      const [da, dy, dloss, dx] = gradients(loss, [t.a, y, loss, t.x]);
      return { da: da!, dy: dy!, dloss: dloss!, dx: dx! };
    });
    expect([...results.dy!.data]).to.deep.equal([2, -6, -16]);
    expect([...results.dx!.data]).to.deep.equal([4, -18, 64]);
    expect([...results.da!.data]).to.deep.equal([1, 6, -32]);
    expect([...results.dloss!.data]).to.deep.equal([1]);
  });

  it('leaves out paths that lead to nothing wanted, and what comes after the loss', async () => {
    const { dx } = await compute({ x, a }, (t) => {
      const loss = sum(mul(t.x, exp(t.a)));
      exp(loss);
      const before = t.x.graph.nodes.length;
      const [dx] = gradients(loss, [t.x]);
      const added = t.x.graph.nodes.slice(before).map((node) => node.opType);
      expect(added).not.to.include('Exp');
      expect(added.filter((opType) => opType === 'Mul')).to.have.length(1);
      return { dx: dx! };
    });
    [...a.data].forEach((value, i) => expect(dx!.data[i]).to.be.closeTo(Math.exp(value), 1e-6 * Math.exp(value)));
  });

  it('tells a rule which of its inputs are wanted', () => {
    const graph = new Graph();
    const scalar = (name: string) => graph.input(name, 'float32', []);
    const [first, second, third] = [scalar('a'), scalar('b'), scalar('c')];
    const inputs = [first, second, third];
    const asked: boolean[][] = [];
    const output = graph.vjp(graph.emit('Sum', inputs, []), inputs, (grad, needs) => {
      asked.push([...needs]);
      return needs.map((need) => (need ? grad : undefined));
    });
    gradients(output, [second]);
    gradients(output, [third, first]);
    expect(asked).to.deep.equal([
      [false, true, false],
      [true, false, true],
    ]);
  });

  it('turns round what comes through reverseGradient, by a factor that may be fed, and leaves the value as it is', async () => {
    const factor = float32([], [0.25]);
    const results = await compute({ x, a, factor }, (t) => {
      const y = mul(reverseGradient(t.x, t.factor), reverseGradient(t.a));
      const [dx, da] = gradients(sum(y), [t.x, t.a]);
      return { y, dx: dx!, da: da! };
    });
    expect([...results.y!.data]).to.deep.equal([1, -3, -8]);
    expect([...results.dx!.data]).to.deep.equal([-0.5, -0.75, 1]);
    expect([...results.da!.data]).to.deep.equal([-0.5, 1, -2]);
  });

  it('refuses a loss that is not a scalar', () => {
    const graph = new Graph();
    const tensor = graph.input('x', 'float32', [2, 3]);
    expect(() => gradients(square(tensor), [tensor])).to.throw('gradients: loss must be a scalar, got [2, 3]');
  });

  it('names a tensor on which the loss does not depend', () => {
    const graph = new Graph();
    const used = graph.input('used', 'float32', [2]);
    const unused = graph.input('unused', 'float32', [2]);
    sub(used, unused);
    expect(() => gradients(sum(used), [used, unused])).to.throw('gradients: the loss does not depend on "unused"');
  });

  it('notices a rule whose gradient has the wrong shape', () => {
    const graph = new Graph();
    const tensor = graph.input('x', 'float32', [2, 3]);
    const total = graph.vjp(graph.emit('ReduceSum', [tensor], []), [tensor], (grad) => [grad]);
    expect(() => gradients(total, [tensor])).to.throw(/^gradients: ReduceSum#0 returned \[\] for x of shape \[2, 3\]$/);
  });
});
