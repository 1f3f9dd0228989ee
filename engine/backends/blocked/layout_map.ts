/**
 * Tensors in ONNX Runtime's blocked layout (NCHWc), and the conversions to and from it. The blocked form of a tensor
 * (N, C, …) has the shape (N, C / b, …, b): the b channels of a block are adjacent. Only the channels have moved, so an
 * operator that leaves the first two axes alone runs on the form as it is.
 */
import { sizeOf } from '../../../formats/ndarray';
import type { Replacement, Rewriter } from '../../onnx/rewrite';
import { emitReshape, emitTranspose } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import { fromBlocks, fromBlocksToLast, toBlocks } from './operators';

/** Which tensors of the source graph have a blocked form in the target, and the conversions between the two. */
export class LayoutMap {
  /** The blocked forms of tensors of the source. */
  private readonly forms = new Map<Tensor, Tensor>();
  /** By form: the same tensor under the shape (N, C, H, W), as operators of the blocked domain declare it. */
  private readonly maps = new Map<Tensor, Tensor>();
  /** By tensor of the source whose channels do not fill their blocks: the map with zeros for the missing ones. */
  private readonly filled = new Map<Tensor, Tensor>();

  constructor(
    private readonly rewriter: Rewriter,
    /** Channels of a block. */
    readonly block: number,
  ) {}

  /** Notes the blocked form of a tensor. Returns its replacement: the plain form, which is made only if something reads it. */
  keep(tensor: Tensor, form: Tensor): Replacement {
    this.forms.set(tensor, form);
    return () => this.unblocked(form, tensor.shape);
  }

  /** Whether a tensor has a blocked form by now. */
  has(tensor: Tensor): boolean {
    return this.forms.has(tensor);
  }

  /** A tensor in the layout of the source. */
  plain(tensor: Tensor): Tensor {
    return this.rewriter.lookup(tensor);
  }

  /** Whether the form that `blocked` returns for a tensor broadcasts to the form of a tensor of this shape. */
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

  /** A map (N, C, H, W) as (N, H, W, C), where `canBeFilled` holds for its channels. */
  channelsLast(tensor: Tensor): Tensor {
    const [batch = 0, channels = 0, ...space] = tensor.shape;
    const shape = [batch, ...space, channels];
    if (channels === this.block) return emitReshape(this.blocked(tensor), shape);
    return emitReshape(fromBlocksToLast(this.filledMap(tensor), [batch, sizeOf(space), channels], this.block), shape);
  }

  /** The blocked form of a tensor, made if need be; of a scalar or one channel, a form that broadcasts against blocked ones. */
  blocked(tensor: Tensor): Tensor {
    const known = this.forms.get(tensor);
    if (known) return known;
    const plain = this.plain(tensor);
    const [batch = 1, channels = 1, ...space] = tensor.shape;
    if (sizeOf(tensor.shape) === 1) return tensor.shape.length === 0 ? plain : emitReshape(plain, []);
    if (channels === 1) return emitReshape(plain, [...tensor.shape, 1]);
    const form = emitReshape(toBlocks(plain, [batch, channels, sizeOf(space)], this.block), this.formOf(tensor.shape));
    this.forms.set(tensor, form);
    return form;
  }

  /** The blocked form of (N, C, H, W) under that shape, as operators of the blocked domain declare it. */
  blockedMap(tensor: Tensor): Tensor {
    const form = this.blocked(tensor);
    const map = this.maps.get(form) ?? emitReshape(form, tensor.shape);
    this.maps.set(form, map);
    return map;
  }

  /** The blocked form of a tensor under another shape: of the map, if there is one, as that has no change of shape behind it. */
  view(tensor: Tensor, shape: readonly number[]): Tensor {
    const form = this.blocked(tensor);
    return emitReshape(this.maps.get(form) ?? form, shape);
  }

  /** As `blockedMap`, (N, C', H, W), of any number of channels: those that are missing to whole blocks are zeros. */
  filledMap(tensor: Tensor): Tensor {
    const [batch = 0, channels = 0, ...space] = tensor.shape;
    if (channels % this.block === 0) return this.blockedMap(tensor);
    const known = this.filled.get(tensor);
    if (known) return known;
    const form = toBlocks(this.plain(tensor), [batch, channels, sizeOf(space)], this.block);
    const map = emitReshape(form, [batch, form.shape[1]!, ...space]);
    this.filled.set(tensor, map);
    return map;
  }

  /** The blocked form of a result of an operator of the blocked domain. */
  formOfMap(map: Tensor): Tensor {
    const form = emitReshape(map, this.formOf(map.shape));
    this.maps.set(form, map);
    return form;
  }

  /** The shape of the blocked form of a tensor: (N, C, …) → (N, C / b, …, b). */
  formOf([batch = 1, channels = 1, ...space]: readonly number[]): number[] {
    return [batch, channels / this.block, ...space, this.block];
  }

  private unblocked(form: Tensor, shape: readonly number[]): Tensor {
    const [batch = 1, channels = 1, ...space] = shape;
    const pixels = sizeOf(space);
    if (pixels === 1) return emitReshape(form, shape);
    if (form.dtype !== 'float32') {
      const split = emitReshape(form, [batch, channels / this.block, pixels, this.block]);
      return emitReshape(emitTranspose(split, [0, 1, 3, 2]), shape);
    }
    return emitReshape(fromBlocks(form, [batch, channels, pixels], this.block), shape);
  }
}
