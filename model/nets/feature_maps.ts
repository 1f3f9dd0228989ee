/** What a network makes of a batch, by name: `logits`, `pooled`, and its maps from the input to the output. */
import type { Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import type { NetOutputs } from './index';

export class FeatureMaps {
  /** Names of the tensors that were asked for. */
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

  /** Is it an ONNX file or cached logits, which nothing else is known of? */
  get hasOnlyLogits(): boolean {
    return this.names.join() === 'logits';
  }

  /** What to do where a method needs more than logits, in a message. */
  get needOfMaps(): string {
    return (
      `the ${this.owner} gives nothing but logits, as ONNX files and cached logits do: choose a method on logits, such as ` +
      `"kd", or a "${this.owner}" that is a net with a checkpoint`
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

  /** A tensor by name. One that is not there is a UserError that lists what is. */
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
export function tensorsOf({ features, pooled, logits }: NetOutputs): Map<string, Tensor> {
  return new Map([...Object.entries(features), ['pooled', pooled], ['logits', logits]]);
}
