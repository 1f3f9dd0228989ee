/**
 * The format of torch.save before PyTorch 1.6 (torch/serialization.py, _legacy_save): five consecutive pickles (magic
 * number, version, system, object, list of storage keys), then every storage of that list as its number of elements, 8
 * bytes little-endian, and its data.
 */
import { FormatError, quoted } from '../binary';
import { unpickle } from './pickle';
import { stateDictGlobals, storageReader, type Storage, type TorchArchive } from './tensors';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;

/** Parses a legacy file; the storages are views of `bytes`. Throws FormatError and Refusal. */
export function openLegacy(bytes: Uint8Array): TorchArchive {
  const described = new Map<string, Storage>();
  const readStorage = storageReader(described);
  let position = 0;
  const nextPickle = (): unknown => {
    const { value, end } = unpickle(bytes, position, stateDictGlobals, readStorage);
    position = end;
    return value;
  };

  if (nextPickle() !== magicNumber) throw new FormatError('it is a pickle, but not one of torch.save');
  const version = nextPickle();
  if (version !== protocolVersion) throw new FormatError(`its protocol version is not ${protocolVersion}`);
  const system = nextPickle();
  if (!(system instanceof Map) || system.get('little_endian') !== true)
    throw new FormatError('it is not little-endian');
  const root = nextPickle();
  const keys = nextPickle();
  if (!Array.isArray(keys)) throw new FormatError('its list of storages is not a list');

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const storages = new Map<string, Uint8Array>();
  for (const key of keys as unknown[]) {
    const storage = typeof key === 'string' ? described.get(key) : undefined;
    if (!storage) throw new FormatError('its list of storages contains one that no tensor uses');
    const begin = position + 8;
    const end = begin + storage.length * storage.encoding.bytesPerElement;
    if (end > bytes.length)
      throw new FormatError(`it is truncated: storage ${quoted(storage.key)} extends beyond its end`);
    if (view.getBigInt64(position, true) !== BigInt(storage.length)) {
      throw new FormatError(`storage ${quoted(storage.key)} does not have ${storage.length} elements`);
    }
    storages.set(storage.key, bytes.subarray(begin, end));
    position = end;
  }
  return { root, storages };
}
