/** Trains a student step by step: the compiled graphs of its steps, and their shared state. */
import { extremesOf, observe, observed, type Extremes } from '../../engine/analysis/extremes';
import { checksum } from '../../engine/analysis/finite';
import { neededBytes } from '../../engine/analysis/memory';
import type { Backend, Precision } from '../../engine/backends/index';
import type { Graph } from '../../engine/graph';
import { AVERAGE_PREFIX } from '../../engine/optimizers/index';
import { Session, State, type Results } from '../../engine/session';
import type { StepContext } from '../../engine/step_context';
import type { Tensor } from '../../engine/tensor';
import { ndarray, type NamedArrays, type NdArray } from '../../formats/ndarray';
import { UserError } from '../../utils/errors';
import { availableBytes, isOutOfMemory } from '../../utils/memory';
import type { Batch } from '../data/loader';
import type { Phase } from '../distillers/index';
import { DISTILLER_PREFIX, isOfStudent } from '../distillers/states';
import type { Model } from '../nets/model';
import type { Teacher } from '../teachers/index';
import { memoryAdvice } from './memory_advice';
import { phasesOf, TEACHER_PREFIX, trainingGraph, VIEW, type TrainingOptions } from './step_graph';

export interface TrainerOptions extends Omit<TrainingOptions, 'batchSize' | 'largestBatch' | 'teacher'> {
  readonly teacher?: Teacher | undefined;
  /** Threads per operator; 0 uses every core. */
  readonly threads: number;
  /** The backend; the CPU by default. */
  readonly backend?: Backend | undefined;
  readonly precision?: Precision | undefined;
  /** Path prefix of ONNX Runtime's profiles of the steps, which are written when they are released. */
  readonly profile?: string;
  /** Restricts a method with several kinds of steps to this kind. */
  readonly phase?: string | undefined;
  /** Whether an optimizer step can have several micro-batches. */
  readonly accumulates?: boolean;
}

/** Output of a step that is finite if its new state is finite. */
const CHECK = 'check';
const EXTREMES = 'extremes';
const MOST_TIMES = 1000;

/** A step whose loss, gradients or new weights are not finite. The state is unchanged. */
export class NonFiniteStep extends UserError {}

/** The values of a step: those of its inputs, states and constants, and the observed ones. */
export interface Inspection {
  readonly graph: Graph;
  readonly extremes: ReadonlyMap<Tensor, Extremes>;
}

/** The graphs of a kind of step: the one with the update, and the one of the micro-batches before it. */
interface StepGraphs {
  readonly apply: Graph;
  readonly add?: Graph;
}

export class Trainer {
  /** Parameters and buffers of the student and of additional layers, and the optimizer state. */
  readonly state: State;
  /** Durations of the latest steps in milliseconds: of the teacher, and of the step itself. */
  readonly times: { readonly teacher: number[]; readonly step: number[] } = { teacher: [], step: [] };
  private readonly sessions = new Map<Graph, Session>();

  private constructor(
    private readonly model: Model,
    private readonly options: TrainerOptions,
    /** The graph of each kind of step, by batch size. */
    private readonly graphs: ReadonlyMap<number, readonly StepGraphs[]>,
    /** Learning rate factor of each kind. */
    private readonly rates: readonly number[],
    /** The sequence of kinds of steps, as indices into the lists above. */
    private readonly turns: readonly number[],
    /** Builds a graph again without the check for finite values. */
    private readonly builders: ReadonlyMap<Graph, () => Graph>,
  ) {
    this.state = State.initial(...this.allGraphs);
  }

  /** Builds the graphs for these batch sizes. Each is compiled at its first step. */
  static create(model: Model, batchSizes: readonly number[], options: TrainerOptions): Trainer {
    const all = phasesOf(options.methods);
    const { phase: only } = options;
    const phases = all.length === 1 || only === undefined ? all : all.filter((phase) => phase?.name === only);
    const builders = new Map<Graph, () => Graph>();
    const largestBatch = Math.max(...batchSizes);
    const graphsOf = (batchSize: number) => (phase?: Phase) => {
      const build = (accumulation?: 'add' | 'apply') => {
        const builder = () => trainingGraph(model, { ...options, batchSize, largestBatch }, phase, accumulation);
        const graph = withCheck(builder());
        builders.set(graph, builder);
        return graph;
      };
      return options.accumulates ? { apply: build('apply'), add: build('add') } : { apply: build() };
    };
    const graphs = new Map(batchSizes.map((batchSize) => [batchSize, phases.map(graphsOf(batchSize))]));
    const turns = phases.flatMap((phase, i) => Array<number>(phase?.steps ?? 1).fill(i));
    const rates = phases.map((phase) => phase?.rate ?? 1);
    return new Trainer(model, options, graphs, rates, turns, builders);
  }

  /** Names of the additional views that the student or the teacher sees in the steps. */
  get views(): string[] {
    const names = this.allGraphs.flatMap((graph) => [...graph.inputs.keys()]);
    const seen = names.filter((name) => name.startsWith('images') || name.startsWith(TEACHER_PREFIX));
    return [...new Set(seen.filter((name) => name.includes(VIEW)).map((name) => name.slice(nameLength(name) + 1)))];
  }

  /** Loads these states; weight averages missing there start at the weights. */
  loadState(values: NamedArrays): void {
    for (const [name, array] of values) {
      this.state.set(name, array);
      const average = AVERAGE_PREFIX + name;
      if (this.state.specs.has(average) && !values.has(average)) this.state.set(average, array);
    }
  }

  /**
   * Runs one step on a batch of one of the sizes; the step context determines its kind. If it is not finite, throws a
   * NonFiniteStep and leaves the state unchanged.
   */
  async step(batch: Batch, context: Omit<StepContext, 'seed'>): Promise<Results> {
    try {
      return await this.runStep(batch, context);
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      const isHere = (this.options.backend?.name ?? 'cpu') === 'cpu';
      const amounts = isHere ? [this.neededBytes, availableBytes() + process.memoryUsage.rss()] : [];
      throw new UserError(`out of memory: ${memoryAdvice(Math.max(...this.graphs.keys()), ...amounts)}`);
    }
  }

  private async runStep(batch: Batch, context: Omit<StepContext, 'seed'>): Promise<Results> {
    const graph = this.graphOf(batch, context);
    const { threads, backend, precision, profile } = this.options;
    const session = this.sessions.get(graph) ?? (await Session.create(graph, { threads, backend, precision, profile }));
    this.sessions.set(graph, session);
    const began = performance.now();
    const feeds = await this.feeds(graph, batch, context);
    const fed = performance.now();
    const results = await session.run(feeds, this.state, isFinite);
    keep(this.times.teacher, fed - began);
    keep(this.times.step, performance.now() - fed);
    const isSound = isFinite(results);
    delete results[CHECK];
    if (!isSound) throw new NonFiniteStep(problemOf(results));
    return results;
  }

  /**
   * Inspects a step on a batch without changing the state: the extremes of its inputs, and of the tensors of its graph
   * that `which` selects.
   */
  async inspect(
    batch: Batch,
    context: Omit<StepContext, 'seed'>,
    which: (graph: Graph) => readonly Tensor[],
  ): Promise<Inspection> {
    const graph = this.builders.get(this.graphOf(batch, context))!();
    const tensors = which(graph).filter(({ dtype }) => dtype === 'float32');
    const { threads, backend, precision } = this.options;
    observe(graph, EXTREMES, tensors);
    const session = await Session.create(graph, { threads, backend, precision });
    try {
      const feeds = await this.feeds(graph, batch, context);
      const { [EXTREMES]: found } = await session.run(feeds, this.state, () => false);
      const extremes = observed(found!, tensors);
      for (const [name, tensor] of graph.inputs) extremes.set(tensor, extremesOf(feeds[name]!));
      for (const [name, { tensor }] of graph.states) extremes.set(tensor, extremesOf(this.state.get(name)));
      for (const [tensor, array] of graph.constants) extremes.set(tensor, extremesOf(array));
      return { graph, extremes };
    } finally {
      await session.release();
    }
  }

  /** Estimated bytes of all kinds of steps for all batch sizes: ONNX Runtime keeps the memory of each graph. */
  get neededBytes(): number {
    return this.allGraphs.reduce((sum, graph) => sum + neededBytes(graph), 0);
  }

  /** The graph of a step. */
  private graphOf(batch: Batch, { micro, step }: Omit<StepContext, 'seed'>): Graph {
    const { apply, add } = this.graphs.get(batch.size)![this.kindOf(micro?.update ?? step)]!;
    return micro && !micro.isLast ? add! : apply;
  }

  private kindOf(turn: number): number {
    return this.turns[(turn - 1) % this.turns.length]!;
  }

  private async feeds(
    graph: Graph,
    batch: Batch,
    context: Omit<StepContext, 'seed'>,
  ): Promise<Record<string, NdArray>> {
    const turn = context.micro?.update ?? context.step;
    const kind = this.kindOf(turn);
    const learningRate = context.learningRate * this.rates[kind]!;
    const feeds = {
      labels: ndarray('int32', [batch.size], batch.labels),
      indices: ndarray('int32', [batch.size], Int32Array.from(batch.indices)),
      ...(batch.mixed && {
        mixedLabels: ndarray('int32', [batch.size], batch.mixed.labels),
        mixedShare: ndarray('float32', [batch.size], batch.mixed.share),
      }),
      ...graph.feeds({ ...context, learningRate, updates: this.updates(turn, kind), seed: this.options.seed }),
      ...(await this.seen(graph, batch, '')),
    };
    for (const view of this.views) {
      Object.assign(feeds, await this.seen(graph, through(view, batch), VIEW + view));
    }
    return feeds;
  }

  /** The number of steps of a kind among the first `step` steps. */
  private updates(step: number, kind: number): number {
    const ofKind = (turns: readonly number[]) => turns.filter((turn) => turn === kind).length;
    const rounds = Math.floor(step / this.turns.length);
    return rounds * ofKind(this.turns) + ofKind(this.turns.slice(0, step % this.turns.length));
  }

  /** The student's parameters and buffers for evaluation: averages if enabled. */
  weights(): NamedArrays {
    const states = this.state.arrays();
    const own = [...states].filter(([name]) => isOfStudent(name));
    return new Map(own.map(([name, array]) => [name, states.get(AVERAGE_PREFIX + name) ?? array]));
  }

  /** The layers that methods train beside the student. */
  heads(): NamedArrays {
    return new Map([...this.state.arrays()].filter(([name]) => name.startsWith(DISTILLER_PREFIX)));
  }

  async release(): Promise<void> {
    for (const session of this.sessions.values()) await session.release();
  }

  private get allGraphs(): Graph[] {
    return [...this.graphs.values()].flat().flatMap(({ apply, add }) => (add ? [apply, add] : [apply]));
  }

  /** The images of a view and the teacher's outputs on them; `end` is the suffix of the view. */
  private async seen(graph: Graph, batch: Batch, end: string): Promise<Record<string, NdArray>> {
    const fed: Record<string, NdArray> = {
      [`images${end}`]: ndarray('uint8', [batch.size, ...this.model.input], batch.images),
    };
    const wanted = [...graph.inputs.keys()]
      .filter((name) => name.startsWith(TEACHER_PREFIX) && name.slice(nameLength(name)) === end)
      .map((name) => name.slice(TEACHER_PREFIX.length, nameLength(name)));
    if (wanted.length === 0) return fed;
    // What steps of another kind will want of the teacher is not known here.
    const after = this.turns.length === 1 ? batch.after : undefined;
    const outputs = await this.options.teacher!.outputs({ ...batch, after }, wanted);
    for (const name of wanted) fed[`${TEACHER_PREFIX}${name}${end}`] = outputs[name]!;
    return fed;
  }
}

/** Adds a duration; drops the oldest if there are many. */
function keep(times: number[], milliseconds: number): void {
  times.push(milliseconds);
  if (times.length > MOST_TIMES) times.shift();
}

/** The graph with an output that tells whether its new state is finite. */
export function withCheck(graph: Graph): Graph {
  const written = [...graph.updates.values()].filter(({ dtype }) => dtype === 'float32');
  if (written.length > 0) graph.output(CHECK, checksum(written));
  return graph;
}

function isFinite(results: Results): boolean {
  return Object.values(results).every(({ data }) => Number.isFinite(Number(data[0])));
}

/** Describes what is not finite about a step, from its losses. */
function problemOf(results: Results): string {
  const bad = Object.entries(results).filter(([, { data }]) => !Number.isFinite(Number(data[0])));
  const parts = bad.filter(([name]) => name !== 'loss');
  const [found] = parts.length > 0 ? parts : bad;
  if (!found) return 'the loss is finite, but a gradient or a new weight is not';
  const [name, { data }] = found;
  return `the loss${name === 'loss' ? '' : ` "${name.replace('loss/', '')}"`} is ${data[0]}`;
}

/** A view of a batch and the batches after it. */
function through(view: string, batch: Batch): Batch {
  const { after } = batch;
  return {
    ...batch,
    images: batch.views![view]!,
    ...(after && {
      after: async (n) => {
        const next = await after(n);
        return next && through(view, next);
      },
    }),
  };
}

/** Length of an input's name without its view. */
function nameLength(name: string): number {
  const at = name.indexOf(VIEW);
  return at < 0 ? name.length : at;
}
