/**
 * The format of torch.save since PyTorch 1.6 (torch/serialization.py, _save): a zip file of uncompressed entries in
 * one folder: `data.pkl`, the object; `data/<key>`, a storage; `byteorder`, absent in older files.
 */
import { crc32 } from 'node:zlib';
import { fromBufferPromise } from 'yauzl';
import { FormatError, quoted } from '../binary';
import { Refusal, unpickle } from './pickle';
import { stateDictGlobals, storageReader, type Storage, type TorchArchive } from './tensors';

/** Parses a zip file; the storages are views of `bytes`. Throws FormatError and Refusal. */
export async function openZip(bytes: Uint8Array): Promise<TorchArchive> {
  const entries = await listEntries(bytes);
  const program = programIn(entries.map(({ name }) => name));
  if (program !== undefined) throw new Refusal(program);
  const files = readEntries(bytes, entries);
  const folder = [...files.keys()].flatMap((name) => /^([^/]+\/)data\.pkl$/.exec(name)?.[1] ?? []);
  const pickle = files.get(`${folder[0]}data.pkl`);
  if (!pickle) throw new FormatError('it is a zip file, but not one of torch.save: it has no data.pkl');
  const byteOrder = files.get(`${folder[0]}byteorder`);
  if (byteOrder && Buffer.from(byteOrder).toString() !== 'little') throw new FormatError('it is not little-endian');

  const described = new Map<string, Storage>();
  const { value: root } = unpickle(pickle, 0, stateDictGlobals, storageReader(described));
  const storages = new Map<string, Uint8Array>();
  for (const key of described.keys()) {
    const storage = files.get(`${folder[0]}data/${key}`);
    if (storage) storages.set(key, storage);
  }
  return { root, storages };
}

/** What the zip file of another program contains, in words with advice; undefined for a file of torch.save. */
function programIn(names: readonly string[]): string | undefined {
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (has(/(^|\/)constants\.pkl$/)) {
    return 'it is a TorchScript program: in Python, save torch.jit.load(FILE).state_dict() instead';
  }
  if (has(/(^|\/)(archive_format|serialized_exported_program\.json)$/)) {
    return 'it is a program of torch.export: in Python, save torch.export.load(FILE).state_dict instead';
  }
  if (has(/\.npy$/))
    return 'it holds NumPy arrays: save torch tensors, or use "teacher": { "logits": FILE } for logits';
  if (has(/^model\.weights\.h5$/))
    return 'it is a Keras model: convert it to ONNX (tf2onnx) and use it as "teacher": { "onnx": FILE }';
  if (has(/\.(pth?|th|tar|safetensors|onnx)$/)) return 'it is an archive that contains a model: unzip it first';
  return undefined;
}

/** The entries by name, validated; they are non-overlapping views of `bytes`. */
function readEntries(bytes: Uint8Array, entries: readonly Entry[]): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let total = 0;
  for (const { name, begin, length, checksum, stored } of entries) {
    if (!stored) throw new FormatError(`its entry ${quoted(name)} is compressed, which torch.save never does`);
    if (files.has(name)) throw new FormatError(`it contains ${quoted(name)} twice`);
    total += length;
    if (total > bytes.length) throw new FormatError('its entries overlap');
    const content = bytes.subarray(begin, begin + length);
    if (crc32(content) !== checksum) throw new FormatError(`the checksum of ${quoted(name)} is wrong`);
    files.set(name, content);
  }
  return files;
}

interface Entry {
  name: string;
  begin: number;
  length: number;
  checksum: number;
  stored: boolean;
}

async function listEntries(bytes: Uint8Array): Promise<Entry[]> {
  const entries: Entry[] = [];
  try {
    const zip = await fromBufferPromise(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    for await (const entry of zip.eachEntry()) {
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      const stored = entry.compressionMethod === 0 && !entry.isEncrypted();
      const { fileName: name, compressedSize: length, crc32: checksum } = entry;
      entries.push({ name, begin: fileDataStart, length, checksum, stored });
    }
  } catch {
    throw new FormatError('it is truncated or its zip directory is damaged');
  }
  return entries;
}
