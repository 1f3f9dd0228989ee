/**
 * Values on the device. Graphs have the channels as axis 1 (N, C, H, W), TensorFlow's convolutions have them last
 * (N, H, W, C); so a value is held in one order of its axes or in several, each made when it is first asked for.
 */
import type { Tensor, Tf } from './package';

/** The value of a tensor of the graph. */
export class Value {
  /** Lengths of the axes in the graph's order. */
  readonly shape: readonly number[];
  private readonly forms = new Map<string, { readonly axes: readonly number[]; readonly tensor: Tensor }>();

  /** `axes[i]` is the axis of the value that is axis i of `tensor`; by default the graph's order. */
  constructor(
    private readonly tf: Tf,
    readonly tensor: Tensor,
    axes: readonly number[] = range(tensor.rank),
  ) {
    this.shape = axes.map((_, axis) => tensor.shape[axes.indexOf(axis)]!);
    this.forms.set(axes.join(), { axes, tensor });
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** The tensor with its axes in the graph's order. */
  get plain(): Tensor {
    return this.inOrder(range(this.rank));
  }

  /** The tensor with axis 1 last. */
  get channelsLast(): Tensor {
    return this.inOrder(channelsLast(this.rank));
  }

  /** Whether the tensor is held in this order of axes by now. */
  has(axes: readonly number[]): boolean {
    return this.forms.has(axes.join());
  }

  /** The tensor whose axis i is this value's axis `axes[i]`. The value owns it and frees it in `dispose`. */
  inOrder(axes: readonly number[]): Tensor {
    const key = axes.join();
    const known = this.forms.get(key);
    if (known) return known.tensor;
    const [first] = this.forms.values();
    const order = axes.map((axis) => first!.axes.indexOf(axis));
    const tensor = this.tf.keep(this.tf.transpose(first!.tensor, order));
    this.forms.set(key, { axes, tensor });
    return tensor;
  }

  /** Frees all tensors but `except`, which belongs to someone else. */
  dispose(except?: Tensor): void {
    for (const { tensor } of this.forms.values()) if (tensor !== except) tensor.dispose();
  }
}

/** 0 … count − 1: the graph's own order of that many axes. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** The order of axes with axis 1 last: 0, 2, 3, …, 1. */
export function channelsLast(rank: number): number[] {
  return rank < 3 ? range(rank) : [0, ...range(rank).slice(2), 1];
}

/**
 * The order of axes in which an element-wise operator on these values has least to transpose. Values of lower rank must be
 * scalars; otherwise it is the graph's order, as they broadcast along the last axes.
 */
export function commonOrder(values: readonly Value[]): number[] {
  const rank = Math.max(...values.map((value) => value.rank));
  const [plain, last] = [range(rank), channelsLast(rank)];
  if (values.some((value) => value.rank < rank && value.tensor.size > 1)) return plain;
  const full = values.filter((value) => value.rank === rank);
  const cost = (axes: readonly number[]) =>
    full.reduce((total, value) => (value.has(axes) ? total : total + value.tensor.size), 0);
  return full.some((value) => value.has(last)) && cost(last) <= cost(plain) ? last : plain;
}
