/**
 * Checkpoints of PyTorch: the state dict in a file of torch.save, read without running anything of it.
 *
 *   pickle.ts   the pickle machine and what it refuses, with its opcodes in opcodes.ts
 *   tensors.ts  what a state dict may name, and tensors as strided views of storages
 *   legacy.ts   the format before PyTorch 1.6
 *   zip.ts      the format since
 */
import { FormatError, quoted, readBytes } from '../binary';
import { UserError } from '../errors';
import { type NamedArrays } from '../ndarray';
import { openLegacy } from './legacy';
import { Refusal } from './pickle';
import { byteLengthOf, TensorView, toArray, type TorchArchive } from './tensors';
import { openZip } from './zip';

/** Where checkpoints keep a state dict; the first that is there, and holds tensors, is taken. */
const stateDictKeys = ['state_dict', 'model_state_dict', 'model', 'net', 'student', 'teacher'];

/** Tensors may share storages, but a file whose tensors need more memory than this many times its size is refused. */
const maxExpansion = 8;

/** Whether the bytes open as a file of torch.save does: a zip file, or a pickle. */
export function isTorchCheckpoint(bytes: Uint8Array): boolean {
  return isZip(bytes) || bytes[0] === 0x80;
}

/**
 * Reads the state dict of a file in either format of torch.save: the file's object itself, or the first that it holds
 * under `state_dict`, `model_state_dict`, `model`, `net`, `student`, `teacher`. The prefix `module.` is taken off,
 * half precision becomes float32, values that are not tensors are left out; every array has memory of its own.
 * A UserError of one line names the file where it is missing, damaged, refused, or without state dict.
 */
export async function readTorchCheckpoint(path: string): Promise<NamedArrays> {
  return parseTorchCheckpoint(readBytes(path), path);
}

/** As `readTorchCheckpoint`, from bytes at hand. `path` is for messages. */
export async function parseTorchCheckpoint(bytes: Uint8Array, path: string): Promise<NamedArrays> {
  try {
    if (!isTorchCheckpoint(bytes)) throw new FormatError('it is neither a zip file nor a pickle');
    const archive = isZip(bytes) ? await openZip(bytes) : openLegacy(bytes);
    return readTensors(findStateDict(archive.root), archive.storages, maxExpansion * bytes.length);
  } catch (error) {
    if (error instanceof FormatError) throw new UserError(`${path}: not a valid PyTorch checkpoint: ${error.message}`);
    if (error instanceof Refusal) throw new UserError(`${path}: refused: ${error.message}`);
    throw error;
  }
}

function isZip(bytes: Uint8Array): boolean {
  return [0x50, 0x4b, 0x03, 0x04].every((byte, i) => bytes[i] === byte);
}

/** The tensors of the state dict in `root`, by name. An object with dicts in it is a checkpoint, not a state dict. */
function findStateDict(root: unknown): Map<string, TensorView> {
  if (!(root instanceof Map)) throw new Refusal('it holds no dict, accepted is a state dict');
  const isCheckpoint = [...root.values()].some((value) => value instanceof Map);
  const candidates = isCheckpoint ? stateDictKeys.map((key) => root.get(key) as unknown) : [root];
  for (const candidate of candidates) {
    const tensors = candidate instanceof Map ? tensorsOf(candidate) : new Map<string, TensorView>();
    if (tensors.size > 0) return tensors;
  }
  const keys = [...root.keys()].filter((key) => typeof key === 'string');
  const listed = keys.slice(0, 10).map(quoted).join(', ') + (keys.length > 10 ? ', …' : '');
  throw new Refusal(`it has no state dict, but ${listed || 'no keys'}; accepted are ${stateDictKeys.join(', ')}`);
}

function tensorsOf(dict: Map<unknown, unknown>): Map<string, TensorView> {
  const tensors = new Map<string, TensorView>();
  for (const [key, value] of dict) {
    if (typeof key !== 'string' || !(value instanceof TensorView)) continue;
    const name = key.replace(/^module\./, '');
    if (tensors.has(name)) throw new FormatError(`${quoted(name)} is in it with and without "module."`);
    tensors.set(name, value);
  }
  return tensors;
}

function readTensors(
  views: Map<string, TensorView>,
  storages: TorchArchive['storages'],
  maxBytes: number,
): NamedArrays {
  const bytes = [...views.values()].reduce((sum, view) => sum + byteLengthOf(view), 0);
  if (bytes > maxBytes) throw new Refusal(`its tensors would take ${bytes} bytes, accepted are ${maxBytes}`);
  return new Map([...views].map(([name, view]) => [name, toArray(name, view, storages)]));
}
