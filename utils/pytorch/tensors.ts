/** Tensors as torch.save pickles them: a storage, and a strided view of it (torch/_tensor.py, torch/_utils.py). */
import { encodings, FormatError, quoted, type Encoding } from '../binary';
import { sizeOf, type NdArray } from '../ndarray';
import { type AllowedGlobals } from './pickle';

/** Flat memory that tensors share; its bytes lie elsewhere in the file, under `key`. */
export interface Storage {
  readonly key: string;
  readonly encoding: Encoding;
  /** Number of elements. */
  readonly length: number;
}

/** Element (i, j, …) of the tensor is element offset + i · strides[0] + j · strides[1] + … of the storage. */
export class TensorView {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** What a file holds: the pickled object, in which tensors are `TensorView`s, and the bytes of the storages. */
export interface TorchArchive {
  readonly root: unknown;
  readonly storages: ReadonlyMap<string, Uint8Array>;
}

const storageEncodings = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** Values that stand beside state dicts in checkpoints, such as a best accuracy from numpy; they are skipped. */
const skipped = [
  'torch.Size',
  'torch.device',
  'numpy.dtype',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  '_codecs.encode',
];

/** All that the pickle of a state dict may name. */
export const stateDictGlobals: AllowedGlobals = new Map<string, unknown>([
  ['collections.OrderedDict', orderedDict],
  ['torch._utils._rebuild_tensor', rebuildTensor],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_parameter', rebuildParameter],
  ...Object.entries(storageEncodings).map(([name, code]) => [`torch.${name}`, encodings.get(code)] as const),
  ...skipped.map((name) => [name, () => undefined] as const),
]);

/**
 * A reader of the persistent ids by which pickles name storages: ("storage", type, key, device, number of elements),
 * to which the legacy format adds a None. It keeps what it has seen in `storages`, by key.
 */
export function storageReader(storages: Map<string, Storage>): (id: unknown) => Storage {
  return (id) => {
    const [kind, encoding, key, , length, view = null] = Array.isArray(id) ? (id as unknown[]) : [];
    const valid =
      kind === 'storage' && isEncoding(encoding) && typeof key === 'string' && isSize(length) && view === null;
    if (!valid) throw new FormatError('a storage is not described as torch.save does');
    const known = storages.get(key);
    if (known && (known.encoding !== encoding || known.length !== length)) {
      throw new FormatError(`storage ${quoted(key)} is described in two ways`);
    }
    const storage = known ?? { key, encoding, length };
    storages.set(key, storage);
    return storage;
  };
}

/** Number of bytes of the tensor's elements, in the encoding of the file. */
export function byteLengthOf(view: TensorView): number {
  return sizeOf(view.shape) * view.storage.encoding.bytesPerElement;
}

/** Copies a tensor out of its storage into row-major order. `name` is for messages. */
export function toArray(name: string, view: TensorView, storages: TorchArchive['storages']): NdArray {
  const { storage, offset, shape, strides } = view;
  const { bytesPerElement } = storage.encoding;
  const bytes = storages.get(storage.key);
  if (bytes?.length !== storage.length * bytesPerElement) {
    throw new FormatError(`the data of ${quoted(name)} is not there or has another length`);
  }
  const last = shape.reduce((index, length, axis) => index + (length - 1) * (strides[axis] ?? 0), offset);
  if (!shape.includes(0) && last >= storage.length) {
    throw new FormatError(`${quoted(name)} reaches to element ${last} of a storage of ${storage.length}`);
  }
  const begin = offset * bytesPerElement;
  const copy = isContiguous(view)
    ? new Uint8Array(bytes.subarray(begin, begin + byteLengthOf(view)))
    : gather(bytes, view);
  return storage.encoding.decode(shape, copy);
}

/** Whether the elements of the view follow each other in row-major order. */
function isContiguous({ shape, strides }: TensorView): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** The bytes of the view's elements in row-major order. */
function gather(bytes: Uint8Array, view: TensorView): Uint8Array {
  const { shape, strides } = view;
  const { bytesPerElement } = view.storage.encoding;
  const gathered = new Uint8Array(byteLengthOf(view));
  const index = shape.map(() => 0);
  let from = view.offset;
  for (let to = 0; to < gathered.length; to += bytesPerElement) {
    for (let i = 0; i < bytesPerElement; i++) gathered[to + i] = bytes[from * bytesPerElement + i]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return gathered;
}

/** `OrderedDict()`; its items follow in the pickle. */
function orderedDict(args: readonly unknown[]): Map<unknown, unknown> {
  if (args.length > 0) throw new FormatError('an OrderedDict is not described as torch.save does');
  return new Map();
}

/** `_rebuild_tensor(storage, storage_offset, size, stride)`; v2 adds requires_grad and backward_hooks. */
function rebuildTensor([storage, offset, shape, strides]: readonly unknown[]): TensorView {
  const valid = isStorage(storage) && isSize(offset) && isSizes(shape) && isSizes(strides);
  if (!valid || shape.length !== strides.length || !Number.isSafeInteger(sizeOf(shape))) {
    throw new FormatError('a tensor is not described as torch.save does');
  }
  return new TensorView(storage, offset, [...shape], [...strides]);
}

/** `_rebuild_parameter(data, requires_grad, backward_hooks)`. */
function rebuildParameter([data]: readonly unknown[]): TensorView {
  if (!(data instanceof TensorView)) throw new FormatError('a parameter is not described as torch.save does');
  return data;
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Lengths or strides of at most 64 axes, as many as PyTorch's own loops take. */
function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isSize);
}

function isEncoding(value: unknown): value is Encoding {
  return [...encodings.values()].includes(value as Encoding);
}

function isStorage(value: unknown): value is Storage {
  return typeof value === 'object' && value !== null && 'encoding' in value && isEncoding(value.encoding);
}
