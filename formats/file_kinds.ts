/** Detects from its first bytes what an unexpected file is, and what to do about it. */

/** Bytes at the beginning of a file from which its type is detected. */
interface Kind {
  readonly matches: (start: Uint8Array, text: string) => boolean;
  readonly words: string;
}

const startsWith =
  (...magic: number[]) =>
  (bytes: Uint8Array) =>
    magic.every((byte, i) => bytes[i] === byte);

const compressed = (program: string) => `it is compressed by ${program}: decompress it first`;

/** Distinguishes HTML from other text that begins with an angle bracket. */
const page = /^\s*<(!doctype|html|head|body|\?xml)/i;

const kinds: readonly Kind[] = [
  { matches: ({ length }) => length === 0, words: 'it is empty' },
  {
    matches: (_, text) => text.startsWith('version https://git-lfs.github.com/'),
    words: 'it is a Git LFS pointer: run "git lfs pull" to fetch the file itself',
  },
  {
    matches: (_, text) => page.test(text),
    words: 'it is a web page, probably an error page of the server: download the file again',
  },
  {
    matches: (_, text) => /^\s*\{[^]*"weight_map"/.test(text),
    words: 'it is the index of a sharded checkpoint, accepted is one file with all weights',
  },
  { matches: (_, text) => /^\s*[{[]\s*["{[]/.test(text), words: 'it is JSON text' },
  {
    matches: (bytes) => startsWith(0x4f, 0x52, 0x54, 0x4d)(bytes.subarray(4)),
    words: 'it is a model in ORT format, which is specific to one machine: use the ONNX file that it was made from',
  },
  {
    matches: startsWith(0x89, 0x48, 0x44, 0x46),
    words:
      'it is an HDF5 file, as Keras writes: convert the model to ONNX (tf2onnx) and use it as "teacher": { "onnx": FILE }',
  },
  {
    matches: (_, text) => text.startsWith('\x93NUMPY'),
    words: 'it is a NumPy array: for logits, use "teacher": { "logits": FILE }',
  },
  {
    matches: (_, text) => text.slice(257, 262) === 'ustar',
    words:
      'it is a tar archive: unpack it; if it is a checkpoint of PyTorch before 0.1.11, load it and save it again ' +
      'in a later version',
  },
  { matches: startsWith(0x1f, 0x8b), words: compressed('gzip') },
  { matches: startsWith(0xfd, 0x37, 0x7a, 0x58, 0x5a), words: compressed('xz') },
  { matches: startsWith(0x42, 0x5a, 0x68), words: compressed('bzip2') },
  { matches: startsWith(0x28, 0xb5, 0x2f, 0xfd), words: compressed('zstd') },
];

/** What an unsupported file is, in words with advice; undefined if unknown. */
export function foreignKind(bytes: Uint8Array): string | undefined {
  const start = bytes.subarray(0, 512);
  const text = Buffer.from(start).toString('latin1');
  return kinds.find(({ matches }) => matches(start, text))?.words;
}

/** Whether the bytes begin like an ONNX model: its IR version, then a text field, the graph or the operator set. */
export function isOnnx(bytes: Uint8Array): boolean {
  const [first, version = 0, field = 0] = bytes;
  return first === 0x08 && version > 0 && version < 64 && [0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x42].includes(field);
}
