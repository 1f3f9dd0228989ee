/**
 * Tests model/training/trainer.ts and nan_diagnosis.ts. Steps with numbers that are not finite: what is noticed, what is left,
 * and where they are said to come from.
 */
import { expect } from 'chai';
import { abs, add, detach, flatten, mul, relu, sqrt, sub, sum } from '../../../engine/ops/index';
import { optimizers } from '../../../engine/optimizers/index';
import type { Tensor } from '../../../engine/tensor';
import type { NamedArrays } from '../../../formats/ndarray';
import type { Distiller } from '../../../model/distillers/index';
import { nets, type Net } from '../../../model/nets/index';
import { allOutputs, firstNonFinite, layerOutputs, layerTable } from '../../../model/training/nan_diagnosis';
import { trainingGraph } from '../../../model/training/step_graph';
import { NonFiniteStep, Trainer, type TrainerOptions } from '../../../model/training/trainer';
import { draw } from '../../helpers/nets';
import { trainingOptions } from '../../helpers/training';

const perceptron: Net = (layers, x, { classes }) => {
  const pooled = relu(layers.linear('fc1', flatten(x), 6));
  return { logits: layers.linear('fc2', pooled, classes), pooled, features: {} };
};
const model = {
  net: perceptron,
  options: { classes: 3, numChannels: 1, dropoutRate: 0 },
  normalize: { mean: [0.5], std: [0.25] },
  input: [1, 4, 4] as const,
};
const SIZE = 8;
const batch = {
  images: Uint8Array.from(draw(0, 'images', [SIZE, 1, 4, 4], 0, 256).data),
  labels: Int32Array.from({ length: SIZE }, (_, i) => i % 3),
  indices: Uint32Array.from({ length: SIZE }, (_, i) => i),
  size: SIZE,
};
const at = (step: number) => ({ step, epoch: 1, epochs: 1, learningRate: 0.1 });
/** The step at which there is trouble. */
const BAD = 3;

/** Losses that are `sound`, or `bad` at the step of trouble, of the logits. */
const troubles: Readonly<
  Record<string, { sound: number; bad: number; loss: (logits: Tensor, fed: Tensor) => Tensor }>
> = {
  'a loss that is NaN': { sound: 1, bad: NaN, loss: (logits, fed) => mul(sum(logits), fed) },
  'a loss that is infinite': { sound: 1, bad: Infinity, loss: (_, fed) => mul(1, fed) },
  // √0 = 0, with the derivative ∞.
  'a gradient that is infinite': {
    sound: 1,
    bad: 0,
    loss: (logits, fed) => sqrt(add(sub(sum(logits), detach(sum(logits))), fed)),
  },
  'a gradient whose square is infinite': {
    sound: 1,
    bad: 1e25,
    loss: (logits, fed) => mul(sub(sum(logits), detach(sum(logits))), fed),
  },
};

function trainerWith(
  loss: (logits: Tensor, fed: Tensor) => Tensor,
  sound: number,
  bad: number,
  more: Partial<TrainerOptions>,
) {
  const distiller: Distiller = {
    title: '',
    needsTeacher: false,
    options: {},
    losses: ({ student, layers }) => {
      const fed = layers.graph.hostScalar('fed', ({ step }) => (step === BAD ? bad : sound));
      return { own: loss(student.logits, fed) };
    },
  };
  const options = trainingOptions(optimizers.sgd!.make(settings), SIZE, {
    methods: [{ name: 'own', distiller, options: {} }],
  });
  return Trainer.create(model, [SIZE], { ...options, threads: 1, ...more });
}

const settings = { learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0 };
const copies = (states: NamedArrays) => new Map([...states].map(([name, { data }]) => [name, [...data]]));

describe('a step', () => {
  for (const [title, { loss, sound, bad }] of Object.entries(troubles)) {
    for (const [name, { make }] of Object.entries(optimizers)) {
      it(`with ${title} leaves the state of ${name} as it was`, async () => {
        const trainer = trainerWith(loss, sound, bad, { optimizer: make(settings), averageDecay: 0.9 });
        const other = trainerWith(loss, sound, bad, { optimizer: make(settings), averageDecay: 0.9 });
        for (const one of [trainer, other]) {
          await one.step(batch, at(1));
          await one.step(batch, at(2));
        }
        const before = copies(trainer.state.arrays());
        const error = await trainer.step(batch, at(BAD)).catch((thrown: unknown) => thrown);
        // SGD makes finite weights of any finite gradient.
        const isFinite = title.includes('square') && !(error instanceof Error);
        if (isFinite) {
          for (const [state, data] of copies(trainer.state.arrays())) {
            expect(
              data.every((value) => Number.isFinite(Number(value))),
              state,
            ).to.equal(true);
          }
        } else {
          expect(error).to.be.instanceOf(NonFiniteStep);
          expect(copies(trainer.state.arrays())).to.deep.equal(before);
          await trainer.step(batch, at(BAD + 1));
          await other.step(batch, at(BAD + 1));
          expect(copies(trainer.state.arrays()), 'as if there had been no such step').to.deep.equal(
            copies(other.state.arrays()),
          );
        }
        await Promise.all([trainer.release(), other.release()]);
      });
    }
  }

  it('is not let through by a bound on the length of the gradient, nor by micro-batches', async () => {
    const { loss, sound, bad } = troubles['a gradient that is infinite']!;
    const clipped = trainerWith(loss, sound, bad, { clipNorm: 1 });
    expect(await clipped.step(batch, at(BAD)).catch((error: unknown) => error)).to.be.instanceOf(NonFiniteStep);
    const micro = trainerWith(loss, sound, bad, { accumulates: true });
    for (const [isFirst, isLast] of [
      [true, false],
      [false, true],
    ] as const) {
      const moment = { ...at(BAD), micro: { update: 1, share: 0.5, isFirst, isLast } };
      expect(await micro.step(batch, moment).catch((error: unknown) => error)).to.be.instanceOf(NonFiniteStep);
    }
    await Promise.all([clipped.release(), micro.release()]);
  });

  it('says which of its losses is not finite, or that none is', async () => {
    const messages: string[] = [];
    for (const { loss, sound, bad } of Object.values(troubles).slice(0, 3)) {
      const trainer = trainerWith(loss, sound, bad, {});
      messages.push(await trainer.step(batch, at(BAD)).then(String, (error: Error) => error.message));
      await trainer.release();
    }
    expect(messages).to.deep.equal([
      'the loss "own" is NaN',
      'the loss "own" is Infinity',
      'the loss is finite, but a gradient or a new weight is not',
    ]);
  });
});

/** Sets some elements of a state. */
function spoil(trainer: Trainer, name: string, elements: readonly number[], value: number): void {
  const array = trainer.state.get(name);
  const data = Float32Array.from(array.data, Number);
  for (const element of elements) data[element] = value;
  trainer.state.set(name, { ...array, data });
}

describe('the diagnosis', () => {
  const firstOf = async (trainer: Trainer, learningRate = 0.1) => {
    const moment = { ...at(BAD), learningRate };
    const before = copies(trainer.state.arrays());
    const text = firstNonFinite(await trainer.inspect(batch, moment, allOutputs));
    expect(copies(trainer.state.arrays()), 'nothing is changed').to.deep.equal(before);
    await trainer.release();
    return text;
  };

  it('names an operator of the forward pass, with its inputs', async () => {
    const trainer = trainerWith(
      (logits, fed) => logits.graph.scope('head', () => sum(sqrt(sub(fed, abs(logits))))),
      1e9,
      -1,
      {},
    );
    expect(await firstOf(trainer)).to.match(
      /^Sqrt in layer "head" \(node head\/Sqrt#\d+\) gave 24 of 24 values that are not finite; its inputs: head\/Sub#\d+ from -[\d.]+ to -1(\.\d+)?$/,
    );
  });

  it('names an operator of the backward pass', async () => {
    const { loss, sound, bad } = troubles['a gradient that is infinite']!;
    expect(await firstOf(trainerWith(loss, sound, bad, {}))).to.match(
      /^Div \(node grad\/Sqrt#\d+\/Div#\d+\) gave 1 of 1 values that are not finite; its inputs: .* from 0.5 to 0.5, Sqrt#\d+ from 0 to 0$/,
    );
  });

  it('names an operator of the update', async () => {
    const trainer = trainerWith((logits, fed) => mul(sum(logits), fed), 1, 1e35, {});
    expect(await firstOf(trainer, 1e30)).to.match(/^Mul in the update of layer "fc\d" /);
  });

  it('names what the step is given, where that is not finite', async () => {
    const { loss, sound } = troubles['a loss that is NaN']!;
    expect(await firstOf(trainerWith(loss, sound, NaN, {}))).to.equal(
      '"fed", an input of the step, has 1 of 1 values that are not finite',
    );
    const trainer = trainerWith(loss, sound, 1, {});
    spoil(trainer, 'fc2.weight', [0, 1], NaN);
    expect(await firstOf(trainer)).to.equal(
      '"fc2.weight", an input of the step, has 2 of 18 values that are not finite',
    );
  });

  it('looks at what layers make of the images, and not at the statistics of a BatchNorm', () => {
    const options = { classes: 10, numChannels: 4, dropoutRate: 0 };
    const normalize = { mean: [0, 0, 0], std: [1, 1, 1] };
    const cnn = { net: nets.cnn!.build, options, normalize, input: [3, 32, 32] as const };
    const graph = trainingGraph(cnn, trainingOptions(optimizers.sgd!.make(settings), SIZE));
    const shapes = layerOutputs(graph).map(({ name, shape }) => [name.split('/')[0], ...shape]);
    expect(shapes).to.deep.equal([
      ['conv1', SIZE, 4, 32, 32],
      ['bn1', SIZE, 4, 32, 32],
      ['conv2', SIZE, 8, 16, 16],
      ['bn2', SIZE, 8, 16, 16],
      ['conv3', SIZE, 16, 8, 8],
      ['bn3', SIZE, 16, 8, 8],
      ['fc1', SIZE, 16],
      ['fcbn1', SIZE, 16],
      ['fc2', SIZE, 10],
    ]);
  });

  it('shows the largest weight and activation of each layer', async () => {
    const { loss, sound, bad } = troubles['a loss that is NaN']!;
    const trainer = trainerWith(loss, sound, bad, {});
    spoil(trainer, 'fc2.weight', [5], -3e38);
    const inspection = await trainer.inspect(batch, at(1), layerOutputs);
    const rows = layerTable(trainer.state.arrays(), inspection)
      .split('\n')
      .map((row) => row.trim().split(/ {2,}/));
    expect(rows.map(([layer]) => layer)).to.deep.equal(['layer', 'fc1', 'fc2']);
    const largest = Math.max(
      ...['weight', 'bias'].flatMap((key) => [...trainer.state.get(`fc1.${key}`).data].map((x) => Math.abs(Number(x)))),
    );
    expect(Number(rows[1]![1])).to.be.closeTo(largest, 0.01 * largest);
    expect(rows[2]![1]).to.equal('3e+38');
    expect(Number(rows[1]![2])).to.be.within(0.1, 10);
    expect(rows[2]![2]).to.match(/^[\d.]+e\+3\d$|^not finite: \d+ of 24 values$/);
    await trainer.release();
  });
});
