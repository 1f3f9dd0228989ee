/**
 * The outputs of a network on a batch, by name: `logits`, `pooled`, and its feature maps from the input to the output.
 */
import type { Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import type { NetOutputs } from './index';

/** What the names of the logits of single classifiers begin with. */
export const CLASSIFIER_PREFIX = 'logits_';

export class FeatureMaps {
  /** Names of the tensors that were used. */
  readonly asked = new Set<string>();

  /** `owner` names the network in messages. */
  constructor(
    private readonly owner: string,
    private readonly tensors: ReadonlyMap<string, () => Tensor>,
  ) {}

  static of(owner: string, outputs: NetOutputs): FeatureMaps {
    return new FeatureMaps(owner, new Map([...tensorsOf(outputs)].map(([name, tensor]) => [name, () => tensor])));
  }

  get names(): string[] {
    return [...this.tensors.keys()];
  }

  /** Whether only logits are available, as for cached logits. */
  get hasOnlyLogits(): boolean {
    return this.names.join() === 'logits';
  }

  /** Advice for methods that need more than logits. */
  get needOfMaps(): string {
    return (
      `the ${this.owner} outputs only logits, as cached logits do: choose a method on logits, such as "kd", or a ` +
      `"${this.owner}" that is a net with a checkpoint or an ONNX file`
    );
  }

  /** (N, classes), before any softmax. */
  get logits(): Tensor {
    return this.get('logits');
  }

  /** (N, features): the vector that the classifier sees. */
  get pooled(): Tensor {
    return this.get('pooled');
  }

  /** A tensor by name. Throws a UserError that lists the names if it does not exist. */
  get(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor && this.hasOnlyLogits) throw new UserError(this.needOfMaps);
    if (!tensor) {
      throw new UserError(`the ${this.owner} has no output "${name}"; it has ${this.names.join(', ')}`);
    }
    this.asked.add(name);
    return tensor();
  }
}

/** The outputs of a network by name, in the order from input to output. */
export function tensorsOf({ features, pooled, classifiers = {}, logits }: NetOutputs): Map<string, Tensor> {
  return new Map([...Object.entries(features), ['pooled', pooled], ...Object.entries(classifiers), ['logits', logits]]);
}
