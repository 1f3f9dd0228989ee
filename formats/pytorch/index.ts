/**
 * Checkpoints of PyTorch: reads the state dict in a file of torch.save without executing any of it.
 *
 *   pickle.ts      the pickle machine with its opcodes in opcodes.ts
 *   tensors.ts     what a state dict may name, and tensors as strided views of storages
 *   state_dict.ts  which of the objects in a file is the state dict
 *   legacy.ts      the format before PyTorch 1.6
 *   zip.ts         the format since
 */
import { UserError } from '../../utils/errors';
import { FormatError, quoted } from '../binary';
import { type NamedArrays } from '../ndarray';
import { openLegacy } from './legacy';
import { Refusal } from './pickle';
import { findStateDict } from './state_dict';
import { byteLengthOf, toArray, type TensorView, type TorchArchive } from './tensors';
import { openZip } from './zip';

/** Tensors may share storages, but a file is refused if its tensors need more memory than this many times its size. */
const maxExpansion = 8;

/** Whether the bytes begin like a file of torch.save: a zip file or a pickle. */
export function isTorchCheckpoint(bytes: Uint8Array): boolean {
  return isZip(bytes) || bytes[0] === 0x80;
}

/** Which state dict to read, and who is told if there is more than one candidate. */
export interface StateDictOptions {
  /** Its path in the file, such as `model_ema`; the usual places by default. */
  readonly key?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * The state dict in the bytes of a file in either format of torch.save: the object of the file, or its value under a
 * usual key or the given one. Removes components of names that wrappers such as DataParallel add; half precision
 * becomes float32; values that are not tensors are omitted; each array has its own memory. Throws a UserError of one
 * line that names `path` if the file is damaged, refused, or has no state dict.
 */
export async function parseTorchCheckpoint(
  bytes: Uint8Array,
  path: string,
  { key, log }: StateDictOptions = {},
): Promise<NamedArrays> {
  try {
    if (!isTorchCheckpoint(bytes)) throw new FormatError('it is neither a zip file nor a pickle');
    const archive = isZip(bytes) ? await openZip(bytes) : openLegacy(bytes);
    const found = findStateDict(archive.root, key);
    if (found.others.length > 0) {
      const others = found.others.map(quoted).join(', ');
      log?.(`${path}: uses the weights under ${quoted(found.path)}, not ${others}; set "key" to choose others`);
    }
    return readTensors(found.tensors, archive.storages, maxExpansion * bytes.length);
  } catch (error) {
    if (error instanceof FormatError) throw new UserError(`${path}: not a valid PyTorch checkpoint: ${error.message}`);
    if (error instanceof Refusal) throw new UserError(`${path}: refused: ${error.message}`);
    throw error;
  }
}

function isZip(bytes: Uint8Array): boolean {
  return [0x50, 0x4b, 0x03, 0x04].every((byte, i) => bytes[i] === byte);
}

function readTensors(
  views: ReadonlyMap<string, TensorView>,
  storages: TorchArchive['storages'],
  maxBytes: number,
): NamedArrays {
  const bytes = [...views.values()].reduce((sum, view) => sum + byteLengthOf(view), 0);
  if (bytes > maxBytes) throw new Refusal(`its tensors would take ${bytes} bytes, accepted are ${maxBytes}`);
  return new Map([...views].map(([name, view]) => [name, toArray(name, view, storages)]));
}
