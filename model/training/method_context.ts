/** The view of a training step that a method receives. */
import type { StepContext } from '../../engine/step_context';
import type { Tensor } from '../../engine/tensor';
import type { DistillContext, KlReduction } from '../distillers/distiller';
import { FeatureMaps } from '../nets/feature_maps';
import type { Head } from '../nets/heads';
import { netCalled } from '../nets/index';
import { Layers, type LayersOptions } from '../nets/layers';
import type { Model } from '../nets/model';

/** The step that several methods share; its parts are built on first use. */
export interface Step
  extends
    Pick<DistillContext, 'student' | 'teacher' | 'teachers' | 'studentHead' | 'teacherHead' | 'labels'>,
    Pick<DistillContext, 'targets' | 'indices' | 'crossEntropy' | 'teacherOn'> {
  readonly model: Model;
  readonly options: Pick<DistillContext, 'batchSize' | 'examples'> & { readonly largestBatch?: number | undefined };
  /** Reads the value of a key of params.json and records that the method uses it. */
  param(key: string): Pick<DistillContext, 'alpha' | 'temperature' | 'klReduction'>;
  /** Images, student and teacher seen through an augmentation by its name; undefined: the images of the batch. */
  imagesAt(view: string | undefined): Tensor;
  studentAt(view: string | undefined): FeatureMaps;
  teacherAt(view: string | undefined): FeatureMaps;
  /** The student on other images; `pass` tells its passes apart. */
  studentOn(images: Tensor, mode: 'train' | 'eval', pass: string): FeatureMaps;
  /** A copy of the student's layers after its output `stage`, with its own weights. */
  branch(stage: string, beside: LayersOptions): FeatureMaps;
  /** The student on a view with averages in place of its weights, which are states under `prefix`. */
  averaged(decay: Tensor, view: string, prefix: string): FeatureMaps;
}

/** The step as seen by one method. */
export class MethodContext implements DistillContext {
  readonly crossEntropy = (logits: Tensor): Tensor => this.step.crossEntropy(logits);
  private passes = 0;

  constructor(
    private readonly step: Step,
    readonly options: object,
    readonly layers: Layers,
  ) {}

  get classes(): number {
    return this.step.model.options.classes;
  }

  get input(): Model['input'] {
    return this.step.model.input;
  }

  get batchSize(): number {
    return this.step.options.batchSize;
  }

  get examples(): number {
    return this.step.options.examples;
  }

  get largestBatch(): number {
    return this.step.options.largestBatch ?? this.batchSize;
  }

  get alpha(): number {
    return this.step.param('alpha').alpha;
  }

  get temperature(): number {
    return this.step.param('temperature').temperature;
  }

  get klReduction(): KlReduction {
    return this.step.param('kl_reduction').klReduction;
  }

  get student(): FeatureMaps {
    return this.step.student;
  }

  get teacher(): FeatureMaps {
    return this.step.teacher;
  }

  get teachers(): readonly FeatureMaps[] {
    return this.step.teachers;
  }

  get studentHead(): Head {
    return this.step.studentHead;
  }

  get teacherHead(): Head {
    return this.step.teacherHead;
  }

  get labels(): Tensor {
    return this.step.labels;
  }

  get targets(): Tensor {
    return this.step.targets;
  }

  get indices(): Tensor {
    return this.step.indices;
  }

  view(name: string): { student: FeatureMaps; teacher: FeatureMaps } {
    const { step } = this;
    return {
      get student() {
        return step.studentAt(name);
      },
      get teacher() {
        return step.teacherAt(name);
      },
    };
  }

  studentOn(images: Tensor, mode: 'train' | 'eval'): FeatureMaps {
    return this.step.studentOn(images, mode, `made${++this.passes}`);
  }

  teacherOn(images: Tensor): FeatureMaps {
    return this.step.teacherOn(images);
  }

  peer(net: string, name: string): FeatureMaps {
    const layers = new Layers(this.layers.graph, this.beside(name));
    return FeatureMaps.of(name, netCalled(net).build(layers, this.step.imagesAt(undefined), this.step.model.options));
  }

  branch(stage: string, name: string): FeatureMaps {
    return this.step.branch(stage, this.beside(name));
  }

  averaged(decay: (context: StepContext) => number, view: string): FeatureMaps {
    const prefix = `${this.layers.options.prefix}average.`;
    return this.step.averaged(this.layers.graph.hostScalar(`${prefix}decay`, decay), view, prefix);
  }

  /** Layers that are trained as part of `layers`, under the prefix `name`. */
  private beside(name: string): LayersOptions {
    const { options } = this.layers;
    return { ...options, prefix: `${options.prefix}${name}.` };
  }
}
