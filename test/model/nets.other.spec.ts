/** The networks other than residual ones against PyTorch in float64 (rule and cases: test/fixtures/make_nets_other.py). */
import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { gradients } from '../../engine/gradients';
import { Graph } from '../../engine/graph';
import { Session, State } from '../../engine/session';
import { crossEntropy } from '../../model/distillers/nokd';
import { Layers } from '../../model/layers';
import { nets } from '../../model/nets';
import { UserError } from '../../utils/errors';
import { ndarray, sizeOf } from '../../utils/ndarray';
import oracle from '../fixtures/nets_other.json';
import { expectClose, float32 } from '../helpers/engine';
import { draw, drawWeights } from '../helpers/nets';

const CLASSES = 10;
const TOLERANCE = 1e-4;

interface Expected {
  readonly parameters: number;
  readonly states: number;
  readonly sha256: string;
  readonly seed?: number;
  readonly gain?: number;
  readonly logits?: number[];
  readonly features?: Record<string, number>;
  readonly gradients?: { readonly norm: number[]; readonly first: number[] };
}

interface Case {
  readonly net: string;
  readonly hiddenSizes?: readonly number[];
  /** Channels, height, width. */
  readonly input: readonly number[];
}

/** `<net>`, `<net>@<C>x<H>x<W>`, `mlp:<units>,<units>@…` */
function parse(name: string): Case {
  const [model = '', size = '3x32x32'] = name.split('@');
  const [net = '', hidden] = model.split(':');
  const input = size.split('x').map(Number);
  return hidden === undefined ? { net, input } : { net, input, hiddenSizes: hidden.split(',').map(Number) };
}

function build({ net, input, hiddenSizes }: Case) {
  const graph = new Graph();
  const images = graph.input('images', 'float32', [2, ...input]);
  // Dropout leaves an evaluation alone.
  const options = { classes: CLASSES, numChannels: 32, dropoutRate: 0.3, ...(hiddenSizes && { hiddenSizes }) };
  const outputs = nets[net]!.build(new Layers(graph, { mode: 'eval', seed: 0 }), images, options);
  const parameters = [...graph.states.values()].filter(({ trainable }) => trainable).map(({ tensor }) => tensor);
  return { graph, parameters, ...outputs };
}

const cases = Object.entries(oracle as Record<string, Expected>);

describe('networks other than residual ones', () => {
  for (const [name, expected] of cases) {
    it(`${name}: tensors and their names`, () => {
      const { graph, parameters } = build(parse(name));
      const states = [...graph.states].map(([key, { tensor }]) => `${key} ${tensor.shape.join('x')}\n`);
      expect(parameters.reduce((total, { shape }) => total + sizeOf(shape), 0)).to.equal(expected.parameters);
      expect(states).to.have.length(expected.states);
      expect(createHash('sha256').update(states.join('')).digest('hex'), states.join('')).to.equal(expected.sha256);
    });
  }

  for (const [net, least] of Object.entries({ vgg16: 32, densenet: 4, densenet121: 8, simplenet: 16 })) {
    it(`${net} refuses images below ${least}x${least}`, () => {
      const small = { net, input: [3, least, least - 1] };
      const message = new RegExp(`^${net}\\w*: images must be at least ${least}x${least}, got ${least}x${least - 1}$`);
      expect(() => build(small)).to.throw(UserError, message);
      expect(() => build({ net, input: [3, least, least] })).not.to.throw();
    });
  }
});

describe('networks other than residual ones agree with PyTorch', function () {
  this.timeout(60_000);

  for (const [name, expected] of cases.filter(([, { logits }]) => logits)) {
    it(`${name}: logits, features${expected.gradients ? ', gradients' : ''}`, async () => {
      const one = parse(name);
      const { graph, parameters, logits, features } = build(one);
      graph.output('logits', logits);
      for (const [key, feature] of Object.entries(features)) graph.output(key, feature);
      if (expected.gradients) {
        const labels = graph.constant(ndarray('int32', [2], Int32Array.of(3, 8)));
        gradients(crossEntropy(logits, labels), parameters).forEach((grad, i) => graph.output(`gradient ${i}`, grad));
      }
      const state = State.initial(graph);
      drawWeights(state, expected.seed!, expected.gain!);
      const session = await Session.create(graph, { threads: 1 });
      const results = await session.run({ images: imagesOf(expected.seed!, one.input) }, state);
      await session.release();

      expectClose(results.logits!, float32([2, CLASSES], expected.logits!), TOLERANCE, 'logits');
      expect(Object.keys(features)).to.have.members(Object.keys(expected.features!));
      for (const [key, norm] of Object.entries(expected.features!)) {
        expect(normOf(results[key]!.data as Float32Array), `norm of ${key}`).to.be.closeTo(norm, TOLERANCE * norm);
      }
      expected.gradients?.norm.forEach((norm, i) => {
        const grad = results[`gradient ${i}`]!.data as Float32Array;
        const what = `the gradient to ${parameters[i]!.name}`;
        expect(normOf(grad), `norm of ${what}`).to.be.closeTo(norm, TOLERANCE * norm);
        expect(grad[0], `first value of ${what}`).to.be.closeTo(expected.gradients!.first[i]!, TOLERANCE * norm);
      });
    });
  }
});

/** Images whose channels differ in brightness, so that they differ after an average. */
function imagesOf(seed: number, [channels = 0, height = 0, width = 0]: readonly number[]) {
  const noise = draw(seed, 'images', [2, channels, height, width], -1, 1);
  const colours = draw(seed, 'colours', [2, channels, 1, 1], -2, 2).data;
  return float32(
    noise.shape,
    noise.data.map((value, i) => value + colours[Math.floor(i / (height * width))]!),
  );
}

function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
