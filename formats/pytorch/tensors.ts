/** Tensors as torch.save pickles them: a storage, and a strided view of it (torch/_tensor.py, torch/_utils.py). */
import { encodings, FormatError, quoted, type Encoding } from '../binary';
import { sizeOf, type NdArray } from '../ndarray';
import { Inert, Refusal, type AllowedGlobals } from './pickle';

/** Flat memory that tensors share; its bytes are elsewhere in the file, under `key`. */
export interface Storage {
  readonly key: string;
  readonly encoding: StorageEncoding;
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

/** The content of a file: the pickled object, in which tensors are `TensorView`s, and the bytes of the storages. */
export interface TorchArchive {
  readonly root: unknown;
  readonly storages: ReadonlyMap<string, Uint8Array>;
}

/** The encoding of the elements of a storage; some are not supported. */
interface StorageEncoding {
  readonly bytesPerElement: number;
  readonly decode: Encoding['decode'];
  /** What the elements are, if they are not supported. */
  readonly unread?: string;
}

const storageEncodings = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** Bytes per element of unsupported storages, and what they hold. */
const notRead: Readonly<Record<string, readonly [bytesPerElement: number, what: string]>> = {
  ComplexFloatStorage: [8, 'complex numbers'],
  ComplexDoubleStorage: [16, 'complex numbers'],
  QInt8Storage: [1, 'quantized numbers'],
  QUInt8Storage: [1, 'quantized numbers'],
  QInt32Storage: [4, 'quantized numbers'],
  QUInt4x2Storage: [1, 'quantized numbers'],
  QUInt2x4Storage: [1, 'quantized numbers'],
  UntypedStorage: [1, 'bytes without a type'],
};

const encodingsByGlobal: ReadonlyMap<string, StorageEncoding> = new Map([
  ...Object.entries(storageEncodings).map(([name, code]) => [`torch.${name}`, encodings.get(code)!] as const),
  ...Object.entries(notRead).flatMap(([name, [bytesPerElement, what]]) => {
    const decode = () => {
      throw new Error(`pytorch: ${what} cannot be decoded`);
    };
    return ['torch', 'torch.storage'].map(
      (module) => [`${module}.${name}`, { bytesPerElement, decode, unread: what }] as const,
    );
  }),
]);
const storageTypes: ReadonlySet<unknown> = new Set(encodingsByGlobal.values());

/** Subclasses of Tensor that are plain tensors with extra attributes. */
const plainClasses = ['torch.Tensor', 'torch.nn.parameter.Parameter', 'torch.nn.parameter.Buffer'];

/** All globals that the pickle of a state dict needs; any other global is ignored. */
export const stateDictGlobals: AllowedGlobals = new Map<string, unknown>([
  ['collections.OrderedDict', orderedDict],
  ['collections.defaultdict', () => new Map()],
  ['torch._utils._rebuild_tensor', rebuildTensor],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_parameter', rebuildParameter],
  ['torch._utils._rebuild_parameter_with_state', rebuildParameter],
  ['torch._tensor._rebuild_from_type_v2', rebuildFromType],
  ...encodingsByGlobal,
]);

/**
 * A reader of the persistent ids that identify storages: ("storage", type, key, device, number of elements), to which
 * the legacy format adds a None. It collects the storages in `storages`, by key. The legacy format announces classes of
 * modules as ("module", class, file, source) too.
 */
export function storageReader(storages: Map<string, Storage>): (id: unknown) => unknown {
  return (id) => {
    const [kind, encoding, key, , length, view = null] = Array.isArray(id) ? (id as unknown[]) : [];
    if (kind === 'module') return encoding;
    if (kind === 'storage' && encoding instanceof Inert) {
      throw new Refusal(`it has tensors of the unknown type ${quoted(encoding.global)}`);
    }
    const valid =
      kind === 'storage' && isEncoding(encoding) && typeof key === 'string' && isSize(length) && view === null;
    if (!valid) throw new FormatError('a storage does not have the form that torch.save writes');
    const known = storages.get(key);
    if (known && (known.encoding !== encoding || known.length !== length)) {
      throw new FormatError(`it describes the storage ${quoted(key)} in two different ways`);
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
  const { bytesPerElement, unread } = storage.encoding;
  if (unread) throw new Refusal(`${quoted(name)} holds ${unread}, accepted are real ones: save tensor.float() instead`);
  const bytes = storages.get(storage.key);
  if (bytes?.length !== storage.length * bytesPerElement) {
    throw new FormatError(`the data of ${quoted(name)} is missing or has another length`);
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

/** Whether the elements of the view are contiguous in row-major order. */
function isContiguous({ shape, strides }: TensorView): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** The bytes of the view's elements in row-major order, copied in the largest possible words. */
function gather(bytes: Uint8Array, view: TensorView): Uint8Array {
  const { bytesPerElement } = view.storage.encoding;
  const gathered = new Uint8Array(byteLengthOf(view));
  const Words = bytesPerElement % 4 === 0 ? Uint32Array : bytesPerElement === 2 ? Uint16Array : Uint8Array;
  const size = Words.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const from = new Words(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.length / size);
  gatherWords(from, new Words(gathered.buffer), view, bytesPerElement / size);
  return gathered;
}

type Words = Uint32Array | Uint16Array | Uint8Array;

/** An element consists of `count` words. */
function gatherWords(words: Words, gathered: Words, { offset, shape, strides }: TensorView, count: number): void {
  const index = shape.map(() => 0);
  const steps = strides.map((stride) => stride * count);
  let from = offset * count;
  for (let to = 0; to < gathered.length; to += count) {
    for (let i = 0; i < count; i++) gathered[to + i] = words[from + i]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * steps[axis]!;
      index[axis] = 0;
    }
  }
}

/** `OrderedDict()`, whose items follow in the pickle; Python 2 gives them as an argument. */
function orderedDict(args: readonly unknown[]): Map<unknown, unknown> {
  const [items = []] = args;
  const isPair = (item: unknown): item is [unknown, unknown] => Array.isArray(item) && item.length === 2;
  if (args.length > 1 || !Array.isArray(items) || !items.every(isPair)) {
    throw new FormatError('an OrderedDict does not have the form that torch.save writes');
  }
  return new Map(items);
}

/** `_rebuild_tensor(storage, storage_offset, size, stride)`; v2 adds requires_grad and backward_hooks. */
function rebuildTensor([storage, offset, shape, strides]: readonly unknown[]): TensorView {
  const valid = isStorage(storage) && isSize(offset) && isSizes(shape) && isSizes(strides);
  if (!valid || shape.length !== strides.length || !Number.isSafeInteger(sizeOf(shape))) {
    throw new FormatError('a tensor does not have the form that torch.save writes');
  }
  return new TensorView(storage, offset, [...shape], [...strides]);
}

/** `_rebuild_parameter(data, requires_grad, backward_hooks)`. */
function rebuildParameter([data]: readonly unknown[]): TensorView {
  if (!(data instanceof TensorView)) throw new FormatError('a parameter does not have the form that torch.save writes');
  return data;
}

/** `_rebuild_from_type_v2(function, class, its arguments, state)`. */
function rebuildFromType(args: readonly unknown[]): unknown {
  const [rebuild, kind, own] = args;
  const isPlain = kind instanceof Inert && plainClasses.includes(kind.global);
  if (isPlain && Array.isArray(own)) {
    if (rebuild === rebuildTensor) return rebuildTensor(own);
    if (rebuild === rebuildParameter) return rebuildParameter(own);
  }
  return new Inert('torch._tensor._rebuild_from_type_v2', args);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Lengths or strides of at most 64 axes, the limit of PyTorch's own loops. */
function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isSize);
}

function isEncoding(value: unknown): value is StorageEncoding {
  return storageTypes.has(value);
}

function isStorage(value: unknown): value is Storage {
  return typeof value === 'object' && value !== null && 'encoding' in value && isEncoding(value.encoding);
}
