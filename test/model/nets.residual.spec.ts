/** The residual networks against PyTorch in float64 (rule and cases: test/fixtures/make_nets_residual.py). */
import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { gradients } from '../../engine/gradients';
import { Graph } from '../../engine/graph';
import { Session, State } from '../../engine/session';
import { crossEntropy } from '../../model/distillers/nokd';
import { Layers } from '../../model/layers';
import { nets } from '../../model/nets';
import { ndarray, sizeOf } from '../../utils/ndarray';
import oracle from '../fixtures/nets_residual.json';
import { expectClose, float32 } from '../helpers/engine';
import { draw, drawWeights } from '../helpers/nets';

const SEED = 11;
const GAIN = 1.5;
const CLASSES = 10;
const TOLERANCE = 1e-4;

interface Expected {
  readonly parameters: number;
  readonly states: number;
  readonly sha256: string;
  /** Which images. */
  readonly draw?: number;
  readonly logits?: number[];
  readonly features?: Record<string, number>;
  readonly gradients?: { readonly norm: number[]; readonly first: number[] };
}

const cases = Object.entries(oracle as Record<string, Expected>).map(([name, expected]) => {
  const [net = '', side = '32'] = name.split('@');
  return { name, net, side: Number(side), expected };
});

function build(net: string, side: number, mode: 'train' | 'eval' = 'eval') {
  const graph = new Graph();
  const images = graph.input('images', 'float32', [2, 3, side, side]);
  const options = { classes: CLASSES, numChannels: 32, dropoutRate: 0.3 };
  const outputs = nets[net]!.build(new Layers(graph, { mode, seed: 0 }), images, options);
  const parameters = [...graph.states.values()].filter(({ trainable }) => trainable).map(({ tensor }) => tensor);
  return { graph, parameters, ...outputs };
}

describe('residual networks', () => {
  for (const { name, net, side, expected } of cases) {
    it(`${name}: tensors and their names`, () => {
      const { graph, parameters } = build(net, side);
      const states = [...graph.states].map(([key, { tensor }]) => `${key} ${tensor.shape.join('x')}\n`);
      expect(parameters.reduce((total, { shape }) => total + sizeOf(shape), 0)).to.equal(expected.parameters);
      expect(states).to.have.length(expected.states);
      expect(createHash('sha256').update(states.join('')).digest('hex'), states.join('')).to.equal(expected.sha256);
    });
  }
});

describe('residual networks start from the distributions of their papers', () => {
  const fanIn = 64 * 9;
  const standardDeviations: Readonly<Record<string, number>> = {
    'resnet18 layer1.0.conv1.weight': 1 / Math.sqrt(3 * fanIn),
    'resnet10_stage layer2.0.conv1.weight': 1 / Math.sqrt(3 * fanIn),
    'preact_resnet18 layer1.0.conv1.weight': 1 / Math.sqrt(3 * fanIn),
    'resnet20 layer3.2.conv1.weight': Math.sqrt(2 / fanIn),
    'resnet20_sm layer3.0.conv1.weight': Math.sqrt(2 / (64 * 9)),
    'resnet18_v layer2.0.conv1.weight': Math.sqrt(2 / (128 * 9)),
    'WRN16_4 layer2.layer.0.conv1.weight': Math.sqrt(2 / (128 * 9)),
    'preresnet110 layer3.0.conv2.weight': Math.sqrt(2 / (64 * 9)),
    'resnext29 stage_1.stage_1_bottleneck_0.conv_conv.weight': Math.sqrt(2 / (512 * 9)),
    'resnext29 classifier.weight': Math.sqrt(2 / 1024),
    'WRN16_4 linear.bias': 0,
    'resnext29 classifier.bias': 0,
  };
  for (const [what, expected] of Object.entries(standardDeviations)) {
    it(what, () => {
      const [net = '', key = ''] = what.split(' ');
      const { data } = build(net, 32).graph.states.get(key)!.initial();
      // The mean is 0; thousands of values tell the deviation to a few per cent.
      const actual = normOf(data as Float32Array) / Math.sqrt(data.length);
      expect(actual).to.be.closeTo(expected, 0.03 * expected);
    });
  }
});

describe('wide residual networks', () => {
  it('drop values between the convolutions of a block, in training only', () => {
    const masks = [...build('WRN16_2', 32, 'train').graph.masks].map(([key, { rate }]) => [key, rate]);
    const places = [1, 2, 3].flatMap((stage) => [0, 1].map((block) => `layer${stage}.layer.${block}.dropout.mask`));
    expect(masks).to.deep.equal(places.map((place) => [place, 0.3]));
    expect(build('WRN16_2', 32).graph.masks.size).to.equal(0);
  });
});

describe('residual networks agree with PyTorch', function () {
  this.timeout(60_000);

  for (const { name, net, side, expected } of cases.filter((item) => item.expected.logits)) {
    it(`${name}: logits, features${expected.gradients ? ', gradients' : ''}`, async () => {
      const { graph, parameters, logits, features } = build(net, side);
      graph.output('logits', logits);
      for (const [key, feature] of Object.entries(features)) graph.output(key, feature);
      if (expected.gradients) {
        const labels = graph.constant(ndarray('int32', [2], Int32Array.of(3, 8)));
        gradients(crossEntropy(logits, labels), parameters).forEach((grad, i) => graph.output(`gradient ${i}`, grad));
      }
      const state = State.initial(graph);
      drawWeights(state, SEED, GAIN);
      const session = await Session.create(graph, { threads: 1 });
      const results = await session.run({ images: imagesOf(side, expected.draw) }, state);
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

function imagesOf(side: number, a = 0) {
  const noise = draw(SEED, 'images', [2, 3, side, side], -1, 1, a);
  const colours = draw(SEED, 'colours', [2, 3, 1, 1], -2, 2, a).data;
  return float32(
    noise.shape,
    noise.data.map((value, i) => value + colours[Math.floor(i / side ** 2)]!),
  );
}

function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
