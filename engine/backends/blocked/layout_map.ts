/**
 * Tensors in ONNX Runtime's blocked layout (NCHWc), and their way there and back. The blocked form of a tensor (N, C, …) has
 * the shape (N, C / b, …, b): the b channels of a block lie beside each other. Everything but the channels is where it was,
 * so an operator that leaves the first two axes alone runs on the form as it is.
 */
import { sizeOf } from '../../../formats/ndarray';
import type { Replacement, Rewriter } from '../../onnx/rewrite';
import { emitReshape, emitTranspose } from '../../ops/shape';
import type { Tensor } from '../../tensor';

/** The domain of the operators on blocked tensors. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

export class LayoutMap {
  /** The blocked forms of tensors of the source. */
  private readonly forms = new Map<Tensor, Tensor>();
  /** The maps that forms were made of. */
  private readonly maps = new Map<Tensor, Tensor>();

  constructor(
    private readonly rewriter: Rewriter,
    /** Channels of a block. */
    readonly block: number,
  ) {}

  /** Notes the blocked form that stands for a tensor; what to return for it, by which its plain form is made if need be. */
  keep(tensor: Tensor, form: Tensor): Replacement {
    this.forms.set(tensor, form);
    return () => this.unblocked(form, tensor.shape);
  }

  /** Whether a tensor has a blocked form. */
  has(tensor: Tensor): boolean {
    return this.forms.has(tensor);
  }

  /** A tensor as the source has it. */
  plain(tensor: Tensor): Tensor {
    return this.rewriter.lookup(tensor);
  }

  /** Whether `blocked` can bring a tensor into a form that broadcasts to the one of a tensor of this shape. */
  fits(tensor: Tensor, shape: readonly number[]): boolean {
    const [, channels, ...space] = tensor.shape;
    if (sizeOf(tensor.shape) === 1) return true;
    if (tensor.shape.length !== shape.length) return false;
    if (channels === 1 || this.forms.has(tensor)) return channels === 1 || channels === shape[1];
    return channels === shape[1] && (tensor.dtype === 'float32' || sizeOf(space) === 1);
  }

  /** Whether a tensor has been made by now. */
  isMade(tensor: Tensor): boolean {
    return this.forms.has(tensor) || this.rewriter.has(tensor);
  }

  /** A blocked tensor (N, C, H, W) as (N, H, W, C), for which blocks only have to be brought side by side. */
  channelsLast(tensor: Tensor): Tensor {
    const [batch = 0, channels = 0, ...space] = tensor.shape;
    return emitReshape(emitTranspose(this.blocked(tensor), [0, 2, 3, 1, 4]), [batch, ...space, channels]);
  }

  /** A tensor in a form that broadcasts against blocked ones as it does itself against what they stand for. */
  blocked(tensor: Tensor): Tensor {
    const known = this.forms.get(tensor);
    if (known) return known;
    const plain = this.plain(tensor);
    const [batch = 1, channels = 1, ...space] = tensor.shape;
    if (sizeOf(tensor.shape) === 1) return tensor.shape.length === 0 ? plain : emitReshape(plain, []);
    if (channels === 1) return emitReshape(plain, [...tensor.shape, 1]);
    const form = emitReshape(reordered(plain, [batch, channels, sizeOf(space)]), this.formOf(tensor.shape));
    this.forms.set(tensor, form);
    return form;
  }

  /** The blocked form of (N, C, H, W) under that shape, as the operators of the blocked domain call it. */
  blockedMap(tensor: Tensor): Tensor {
    const form = this.blocked(tensor);
    return this.maps.get(form) ?? emitReshape(form, tensor.shape);
  }

  /** The blocked form of a result of the blocked domain. */
  formOfMap(map: Tensor): Tensor {
    const form = emitReshape(map, this.formOf(map.shape));
    this.maps.set(form, map);
    return form;
  }

  /** The shape of a blocked form. */
  formOf([batch = 1, channels = 1, ...space]: readonly number[]): number[] {
    return [batch, channels / this.block, ...space, this.block];
  }

  private unblocked(form: Tensor, shape: readonly number[]): Tensor {
    const { graph, dtype } = form;
    const [batch = 1, channels = 1, ...space] = shape;
    const pixels = sizeOf(space);
    if (pixels === 1) return emitReshape(form, shape);
    if (dtype !== 'float32') {
      const split = emitReshape(form, [batch, channels / this.block, pixels, this.block]);
      return emitReshape(emitTranspose(split, [0, 1, 3, 2]), shape);
    }
    const map = [batch, channels, 1, pixels];
    const options = { domain: BLOCKED_DOMAIN, attributes: { channels, channels_last: 0 } };
    return emitReshape(graph.emit('ReorderOutput', [emitReshape(form, map)], map, options), shape);
  }
}

/** Values (batch, channels, pixels) with the channels of a block beside each other, in the shape (batch, channels, 1, pixels). */
export function reordered(x: Tensor, [batch, channels, pixels]: readonly [number, number, number]): Tensor {
  const map = [batch, channels, 1, pixels];
  const flat = emitReshape(x, map);
  if (pixels === 1) return flat;
  return x.graph.emit('ReorderInput', [flat], map, { domain: BLOCKED_DOMAIN, attributes: { channels_last: 0 } });
}
