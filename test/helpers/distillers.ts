/** Losses of methods on drawn tensors, against an oracle that draws the same (test/fixtures/distiller_cases.py). */
import { expect } from 'chai';
import { ancestors, gradients } from '../../engine/autodiff';
import { Graph } from '../../engine/graph';
import { fanIn } from '../../engine/initializers';
import { add, flatten, linear, matmul, mul, oneHot, reshape } from '../../engine/ops';
import { trainable } from '../../engine/optimizers';
import { Session, State } from '../../engine/session';
import type { StepContext } from '../../engine/step_context';
import type { Tensor } from '../../engine/tensor';
import { ndarray, sizeOf, type NdArray } from '../../formats/ndarray';
import { distillers } from '../../model/distillers';
import type { Distiller, Losses, DistillContext } from '../../model/distillers';
import { crossEntropy } from '../../model/nets/cross_entropy';
import { FeatureMaps } from '../../model/nets/feature_maps';
import type { Head } from '../../model/nets/heads';
import { Layers } from '../../model/nets/layers';
import { Random } from '../../utils/random';
import { mistakes } from '../../utils/schema';

const SEED = 7;

/** Shapes of the outputs of a network by name, with the batch in front. */
type Shapes = Readonly<Record<string, readonly number[]>>;

export interface Case {
  readonly method: string;
  readonly options?: object;
  readonly student: Shapes;
  readonly teacher?: Shapes;
  /** Several teachers, in place of one. */
  readonly teachers?: readonly Shapes[];
  /** The same networks seen through another augmentation; their outputs have the shapes of the others. */
  readonly views?: readonly string[];
  /** A network that is trained beside the student. */
  readonly peer?: Shapes;
  readonly classes?: number;
  /** The size of the run's largest batches; that of the student's outputs where absent. */
  readonly largestBatch?: number;
  /** Channels, height and width of images that a method makes; 3 × 8 × 8 where absent. */
  readonly input?: readonly [channels: number, height: number, width: number];
  readonly alpha?: number;
  readonly temperature?: number;
  readonly klReduction?: 'batchmean' | 'mean';
  /** Range of the drawn values; −2 to 2 where absent. */
  readonly range?: readonly [low: number, high: number];
  readonly context?: Partial<StepContext>;
  /** Outputs of the teacher, in place of drawn ones. */
  readonly given?: Readonly<Record<string, NdArray>>;
  /** Values of states that no optimizer touches, in place of their initial ones. */
  readonly buffers?: Readonly<Record<string, NdArray>>;
  /** Names of parameters whose gradient is 0 but for rounding, as that of a bias that a softmax takes away. */
  readonly vanishing?: readonly string[];
  /** Which losses, where the method has phases. */
  readonly phase?: number;
}

/** Value of each loss, and of the gradient of their sum its norm, its first values, and its product with a drawn one. */
export interface Expected {
  readonly losses: Readonly<Record<string, number>>;
  readonly gradients: Readonly<Record<string, { norm: number; first: number[]; probe: number }>>;
}

/** A test for every case: all losses and all gradients within `tolerance` relative. */
export function agreesWithOracle(
  cases: Readonly<Record<string, Case>>,
  oracle: Readonly<Record<string, Expected>>,
  tolerance = 1e-4,
): void {
  it('has every case of the oracle', () => expect(Object.keys(cases)).to.have.members(Object.keys(oracle)));
  for (const [name, one] of Object.entries(cases)) {
    it(name, () => expectOracle(one, oracle[name]!, tolerance));
  }
}

/** All losses of a case and all gradients are those of an oracle within `tolerance` relative. */
export async function expectOracle(one: Case, expected: Expected, tolerance = 1e-4): Promise<void> {
  const { losses, grads } = await lossesOf(one);
  expect(Object.keys(losses)).to.have.members(Object.keys(expected.losses));
  for (const [key, value] of Object.entries(expected.losses)) {
    expect(losses[key], key).to.be.closeTo(value, tolerance * Math.max(Math.abs(value), 1e-6));
  }
  expect(Object.keys(grads)).to.have.members(Object.keys(expected.gradients));
  const largest = Math.max(...Object.values(expected.gradients).map(({ norm }) => norm));
  for (const [key, { norm, first, probe }] of Object.entries(expected.gradients)) {
    const values = Array.from(grads[key]!.data, Number);
    if (one.vanishing?.includes(key)) {
      expect(Math.max(norm, ...values.map(Math.abs)), `norm of ${key}`).to.be.below(1e-6 * largest);
      continue;
    }
    const drawn = uniform(`probe/${key}`, values.length, -1, 1);
    const dot = values.reduce((total, value, i) => total + value * drawn[i]!, 0);
    expect(Math.sqrt(values.reduce((total, value) => total + value * value, 0)), `norm of ${key}`).to.be.closeTo(
      norm,
      tolerance * norm + 1e-9,
    );
    expect(dot, `probe of ${key}`).to.be.closeTo(probe, tolerance * norm + 1e-9);
    first.forEach((value, i) => expect(values[i], `${key}[${i}]`).to.be.closeTo(value, tolerance * norm + 1e-9));
  }
}

/** A method is refused with a UserError that says so. */
export async function refuses(one: Case, message: string | RegExp): Promise<void> {
  const error = await lossesOf(one).catch((caught: Error) => caught);
  expect(error).to.have.property('name', 'UserError');
  const said = (error as Error).message;
  if (typeof message === 'string') expect(said).to.equal(message);
  else expect(said).to.match(message);
}

/** The losses of a method on drawn tensors, and the gradients of their sum with respect to what they depend on. */
export async function lossesOf(one: Case): Promise<{ losses: Record<string, number>; grads: Record<string, NdArray> }> {
  const graph = new Graph();
  const distiller = distillers[one.method]!;
  const setting = drawnSetting(graph, one, distiller);
  const source = one.phase === undefined ? distiller : distiller.phases!(setting.options)[one.phase]!;
  const losses: Losses = source.losses!(setting);
  const parameters = trainable(graph);
  const total = Object.values(losses).reduce(add);
  const reached = parameters.filter((tensor) => ancestors(total).has(tensor));
  const grads = gradients(total, reached);
  for (const [name, loss] of Object.entries(losses)) graph.output(`loss/${name}`, loss);
  reached.forEach((tensor, i) => graph.output(`grad/${tensor.name}`, grads[i]!));

  const state = State.initial(graph);
  for (const { name, shape } of parameters)
    state.set(name, ndarray('float32', shape, drawnParameter(name, shape, one)));
  for (const [name, array] of Object.entries(one.buffers ?? {})) state.set(name, array);
  const session = await Session.create(graph, { threads: 1 });
  const context = { step: 3, epoch: 2, epochs: 10, learningRate: 0.1, ...one.context, seed: SEED };
  const results = await session.run(graph.feeds(context), state);
  await session.release();
  const named = (prefix: string) =>
    Object.entries(results)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, array]) => [name.slice(prefix.length), array] as const);
  return {
    losses: Object.fromEntries(named('loss/').map(([name, { data }]) => [name, Number(data[0])])),
    grads: Object.fromEntries(named('grad/')),
  };
}

function drawnSetting(graph: Graph, one: Case, distiller: Distiller): DistillContext {
  const { classes = 5, alpha = 0.9, temperature = 4, klReduction = 'batchmean', views = [] } = one;
  const [batchSize = 0] = Object.values(one.student)[0]!;
  const options = { ...one.options };
  const form = { type: 'object', properties: distiller.options, additionalProperties: false };
  expect(mistakes(form, options)).to.deep.equal([]);
  const trained = (owner: string, shapes: Shapes) =>
    taps(owner, shapes, (name, shape) => parameter(graph, name, shape));
  const given = (owner: string, shapes: Shapes) =>
    taps(owner, shapes, (name, shape) =>
      graph.constant(one.given?.[name] ?? ndarray('float32', shape, drawnParameter(name, shape, one))),
    );
  const labels = graph.constant(ndarray('int32', [batchSize], drawnLabels(batchSize, classes)));
  const indices = graph.constant(
    ndarray(
      'int32',
      [batchSize],
      Int32Array.from({ length: batchSize }, (_, i) => 3 * i),
    ),
  );
  const several = (one.teachers ?? (one.teacher ? [one.teacher] : [])).map((shapes, i) =>
    given(one.teachers ? `teacher${i}` : 'teacher', shapes),
  );
  const peer = one.peer && trained('peer', one.peer);
  const other = Object.fromEntries(
    views.map((view) => [
      view,
      { student: trained(`student@${view}`, one.student), teacher: given(`teacher@${view}`, one.teacher ?? {}) },
    ]),
  );
  // A drawn classifier, whose values are those of a tensor and not those of a layer.
  const head = (owner: string, own: FeatureMaps, source: typeof given): Head => ({
    get map() {
      return own.get('map');
    },
    classify: (vectors) => {
      const drawn = source(owner, { 'classifier.weight': [classes, vectors.shape[1]!], 'classifier.bias': [classes] });
      return linear(vectors, drawn.get('classifier.weight'), drawn.get('classifier.bias'));
    },
    activations: (vectors) => {
      const drawn = source(owner, { 'classifier.weight': [classes, vectors.shape[1]!] });
      return linear(vectors, drawn.get('classifier.weight'));
    },
  });
  const refuse = (): never => {
    throw new Error('a drawn setting has no networks');
  };
  // On images that a method makes, outputs are their pixels times drawn matrices / 20.
  const onMatrix = (images: Tensor, owner: string, source: typeof given): FeatureMaps => {
    const pixels = flatten(images);
    const product = (name: string, width: number) => {
      const matrix = source(owner, { [name]: [pixels.shape[1]!, width] }).get(name);
      return mul(matmul(pixels, matrix), 1 / 20);
    };
    const outputs = {
      stage1: () => reshape(product('stage1.matrix', 12), [pixels.shape[0]!, 3, 2, 2]),
      pooled: () => product('pooled.matrix', 6),
      logits: () => product('matrix', classes),
    };
    return new FeatureMaps(owner, new Map(Object.entries(outputs)));
  };
  const student = trained('student', one.student);
  return {
    options,
    student,
    get studentHead() {
      return head('student', student, trained);
    },
    get teacherHead() {
      return head('teacher', several[0] ?? refuse(), given);
    },
    get teacher() {
      return several[0] ?? refuse();
    },
    teachers: several,
    labels,
    targets: oneHot(labels, classes),
    crossEntropy: (logits) => crossEntropy(logits, oneHot(labels, classes)),
    indices,
    examples: 3 * batchSize,
    classes,
    input: one.input ?? [3, 8, 8],
    batchSize,
    largestBatch: one.largestBatch ?? batchSize,
    alpha,
    temperature,
    klReduction,
    layers: new Layers(graph, { mode: 'train', seed: SEED, prefix: `distiller.${distiller.stateName ?? one.method}.` }),
    view: (name) => other[name] ?? refuse(),
    studentOn: (images) => onMatrix(images, 'student', trained),
    teacherOn: (images) => onMatrix(images, 'teacher', given),
    peer: () => peer ?? refuse(),
    branch: (_, name) => trained(name, one.student),
    averaged: (_, view) => given(`averaged@${view}`, one.student),
  };
}

function taps(owner: string, shapes: Shapes, make: (name: string, shape: readonly number[]) => Tensor): FeatureMaps {
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    let made: Tensor | undefined;
    return [name, () => (made ??= make(`${owner}/${name}`, shape))] as const;
  });
  return new FeatureMaps(owner, new Map(tensors));
}

function parameter(graph: Graph, name: string, shape: readonly number[]): Tensor {
  return graph.parameter(name, shape, () => ndarray('float32', shape));
}

/** Values of a tensor by its name: of a layer as large as PyTorch's own, of anything else in the range of the case. */
function drawnParameter(name: string, shape: readonly number[], { range = [-2, 2] }: Case): Float32Array {
  const size = sizeOf(shape);
  if (!name.startsWith('distiller.')) return uniform(name, size, ...range);
  if (shape.length > 1) return uniform(name, size, -1 / Math.sqrt(fanIn(shape)), 1 / Math.sqrt(fanIn(shape)));
  return name.endsWith('.weight') ? uniform(name, size, 0.5, 1.5) : uniform(name, size, -0.5, 0.5);
}

function drawnLabels(size: number, classes: number): Int32Array {
  return Int32Array.from(uniform('labels', size, 0, 1), (u) => Math.floor(u * classes));
}

function uniform(stream: string, size: number, low: number, high: number): Float32Array {
  const values = new Float32Array(size);
  new Random(SEED, stream).fillUniform(values, low, high);
  return values;
}
