/** Training a student step by step: the compiled graphs of its steps, and the state that they share. */
import type { Graph, Moment } from '../engine/graph';
import { AVERAGE_PREFIX } from '../engine/optimizers';
import { Session, State, type Results } from '../engine/session';
import { ndarray, type NamedArrays, type NdArray } from '../utils/ndarray';
import type { Batch } from './data/loader';
import type { Phase } from './distillers';
import type { Model } from './programs';
import type { Teacher } from './teachers';
import { isOfStudent, phasesOf, TEACHER_PREFIX, trainingGraph, VIEW, type TrainingOptions } from './training';

export interface TrainerOptions extends Omit<TrainingOptions, 'batchSize' | 'teacher'> {
  readonly teacher?: Teacher | undefined;
  /** Threads of an operator; 0 takes every core. */
  readonly threads: number;
  /** Whether an optimizer step may have several micro-batches. */
  readonly accumulates?: boolean;
}

/** The graphs of a kind of step: that which makes the update, and that of the micro-batches before it. */
interface StepGraphs {
  readonly apply: Graph;
  readonly add?: Graph;
}

export class Trainer {
  /** Parameters and buffers of the student and of what is trained beside it, and what the optimizer keeps. */
  readonly state: State;
  /** Milliseconds of each step so far: of the teacher, and of the step itself. */
  readonly times: { readonly teacher: number[]; readonly step: number[] } = { teacher: [], step: [] };
  private readonly sessions = new Map<Graph, Session>();

  private constructor(
    private readonly model: Model,
    private readonly options: TrainerOptions,
    /** The graph of each kind of step, by the size of its batch. */
    private readonly graphs: ReadonlyMap<number, readonly StepGraphs[]>,
    /** Factor of the learning rate of each kind. */
    private readonly rates: readonly number[],
    /** Kinds of steps in the order of their turns, as numbers into the lists above. */
    private readonly turns: readonly number[],
  ) {
    this.state = State.initial(...this.allGraphs);
  }

  /** Builds the graphs of steps on batches of these sizes. Nothing is compiled before its first step. */
  static create(model: Model, batchSizes: readonly number[], options: TrainerOptions): Trainer {
    const phases = phasesOf(options.methods);
    const graphsOf = (batchSize: number) => (phase?: Phase) => {
      const build = (accumulation?: 'add' | 'apply') =>
        trainingGraph(model, { ...options, batchSize }, phase, accumulation);
      return options.accumulates ? { apply: build('apply'), add: build('add') } : { apply: build() };
    };
    const graphs = new Map(batchSizes.map((batchSize) => [batchSize, phases.map(graphsOf(batchSize))]));
    const turns = phases.flatMap((phase, i) => Array<number>(phase?.steps ?? 1).fill(i));
    const rates = phases.map((phase) => phase?.rate ?? 1);
    return new Trainer(model, options, graphs, rates, turns);
  }

  /** Names of the other augmentations of the images that the steps need. */
  get views(): string[] {
    const names = this.allGraphs.flatMap((graph) => [...graph.inputs.keys()]);
    const images = `images${VIEW}`;
    return [...new Set(names.filter((name) => name.startsWith(images)).map((name) => name.slice(images.length)))];
  }

  /** Begins with these values of states; averages of weights begin as these are. */
  begin(values: NamedArrays): void {
    for (const [name, array] of values) {
      this.state.set(name, array);
      const average = AVERAGE_PREFIX + name;
      if (this.state.shapes.has(average) && !values.has(average)) this.state.set(average, array);
    }
  }

  /** One step on a batch of one of the sizes; which kind of step it is follows from the moment. */
  async step(batch: Batch, moment: Omit<Moment, 'seed'>): Promise<Results> {
    const { micro } = moment;
    const turn = micro?.update ?? moment.step;
    const kind = this.turns[(turn - 1) % this.turns.length]!;
    const { apply, add } = this.graphs.get(batch.size)![kind]!;
    const graph = micro && !micro.isLast ? add! : apply;
    const learningRate = moment.learningRate * this.rates[kind]!;
    const session = this.sessions.get(graph) ?? (await Session.create(graph, { threads: this.options.threads }));
    this.sessions.set(graph, session);
    const began = performance.now();
    const feeds = {
      labels: ndarray('int32', [batch.size], batch.labels),
      indices: ndarray('int32', [batch.size], Int32Array.from(batch.indices)),
      ...(batch.mixed && {
        mixedLabels: ndarray('int32', [batch.size], batch.mixed.labels),
        mixedShare: ndarray('float32', [batch.size], batch.mixed.share),
      }),
      ...graph.feeds({ ...moment, learningRate, updates: this.updates(turn, kind), seed: this.options.seed }),
      ...(await this.seen(graph, batch.images, batch, '')),
    };
    for (const view of this.views) {
      Object.assign(feeds, await this.seen(graph, batch.views![view]!, batch, VIEW + view));
    }
    const fed = performance.now();
    const results = await session.run(feeds, this.state);
    this.times.teacher.push(fed - began);
    this.times.step.push(performance.now() - fed);
    return results;
  }

  /** How many of the first `step` steps are of a kind. */
  private updates(step: number, kind: number): number {
    const ofKind = (turns: readonly number[]) => turns.filter((turn) => turn === kind).length;
    const rounds = Math.floor(step / this.turns.length);
    return rounds * ofKind(this.turns) + ofKind(this.turns.slice(0, step % this.turns.length));
  }

  /** The student's parameters and buffers, as it is evaluated: averaged where averages are kept. */
  weights(): NamedArrays {
    const states = this.state.arrays();
    const own = [...states].filter(([name]) => isOfStudent(name));
    return new Map(own.map(([name, array]) => [name, states.get(AVERAGE_PREFIX + name) ?? array]));
  }

  async release(): Promise<void> {
    for (const session of this.sessions.values()) await session.release();
  }

  private get allGraphs(): Graph[] {
    return [...this.graphs.values()].flat().flatMap(({ apply, add }) => (add ? [apply, add] : [apply]));
  }

  /** The images of a view, and what the teacher makes of them; `end` is how the names of that view end. */
  private async seen(graph: Graph, images: Uint8Array, batch: Batch, end: string): Promise<Record<string, NdArray>> {
    const fed: Record<string, NdArray> = {
      [`images${end}`]: ndarray('uint8', [batch.size, ...this.model.input], images),
    };
    const wanted = [...graph.inputs.keys()]
      .filter((name) => name.startsWith(TEACHER_PREFIX) && name.slice(nameLength(name)) === end)
      .map((name) => name.slice(TEACHER_PREFIX.length, nameLength(name)));
    if (wanted.length === 0) return fed;
    const outputs = await this.options.teacher!.outputs({ ...batch, images }, wanted);
    for (const name of wanted) fed[`${TEACHER_PREFIX}${name}${end}`] = outputs[name]!;
    return fed;
  }
}

/** Length of an input's name without its view. */
function nameLength(name: string): number {
  const at = name.indexOf(VIEW);
  return at < 0 ? name.length : at;
}
