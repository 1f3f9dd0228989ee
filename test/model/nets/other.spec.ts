/**
 * Tests model/nets/. The networks other than residual ones against PyTorch in float64 (rule and cases:
 * test/fixtures/make_nets_other.py).
 */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { netCalled } from '../../../model/nets/index';
import { Layers } from '../../../model/nets/layers';
import { UserError } from '../../../utils/errors';
import oracle from '../../fixtures/nets_other.json';
import { expectAnswers, expectStates, imagesOf, type Expected } from '../../helpers/nets';

const CLASSES = 10;

interface DrawnCase extends Expected {
  readonly seed?: number;
  readonly gain?: number;
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
  const outputs = netCalled(net).build(new Layers(graph, { mode: 'eval', seed: 0 }), images, options);
  const parameters = [...graph.states.values()].filter(({ trainable }) => trainable).map(({ tensor }) => tensor);
  return { graph, parameters, ...outputs };
}

const cases = Object.entries(oracle as Record<string, DrawnCase>);

describe('networks other than residual ones', () => {
  for (const [name, expected] of cases) {
    it(`${name}: tensors and their names`, () => {
      expectStates(build(parse(name)), expected);
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
    it(`${name}: logits, features${expected.gradients ? ', gradients' : ''}`, () => {
      const one = parse(name);
      const [seed, gain] = [expected.seed!, expected.gain!];
      return expectAnswers(build(one), imagesOf(seed, one.input), { seed, gain }, expected);
    });
  }
});
