/** What a file is by its first bytes, where it is not what it was taken for, and what helps then. */

/** Bytes at the beginning of a file by which its kind is told. */
interface Kind {
  readonly matches: (start: Uint8Array, text: string) => boolean;
  readonly words: string;
}

const startsWith =
  (...magic: number[]) =>
  (bytes: Uint8Array) =>
    magic.every((byte, i) => bytes[i] === byte);

const compressed = (program: string) => `it is compressed by ${program}: decompress it first`;

/** Tells HTML from other text that begins with an angle bracket. */
const page = /^\s*<(!doctype|html|head|body|\?xml)/i;

const kinds: readonly Kind[] = [
  { matches: ({ length }) => length === 0, words: 'it is empty' },
  {
    matches: (_, text) => text.startsWith('version https://git-lfs.github.com/'),
    words: 'it is a pointer of Git LFS and not the file itself, which "git lfs pull" fetches',
  },
  {
    matches: (_, text) => page.test(text),
    words: 'it is a web page, such as an error page in place of the file: download it again',
  },
  {
    matches: (_, text) => /^\s*\{[^]*"weight_map"/.test(text),
    words: 'it is the index of weights in several files, accepted is one file with all of them',
  },
  { matches: (_, text) => /^\s*[{[]\s*["{[]/.test(text), words: 'it is JSON text' },
  {
    matches: (bytes) => startsWith(0x4f, 0x52, 0x54, 0x4d)(bytes.subarray(4)),
    words: 'it is a model in ORT format, whose weights are arranged for one machine: name the ONNX file it was made of',
  },
  {
    matches: startsWith(0x89, 0x48, 0x44, 0x46),
    words: 'it is an HDF5 file, as Keras writes: convert the model to ONNX (tf2onnx), which a teacher may be',
  },
  {
    matches: (_, text) => text.startsWith('\x93NUMPY'),
    words: 'it is an array of NumPy; logits are named as "teacher": { "logits": FILE }',
  },
  {
    matches: (_, text) => text.slice(257, 262) === 'ustar',
    words:
      'it is a tar archive: unpack it; a checkpoint that PyTorch wrote so before version 0.1.11 has to be ' +
      'loaded and saved again by a later one',
  },
  { matches: startsWith(0x1f, 0x8b), words: compressed('gzip') },
  { matches: startsWith(0xfd, 0x37, 0x7a, 0x58, 0x5a), words: compressed('xz') },
  { matches: startsWith(0x42, 0x5a, 0x68), words: compressed('bzip2') },
  { matches: startsWith(0x28, 0xb5, 0x2f, 0xfd), words: compressed('zstd') },
];

/** What a file is that no reader here takes, in words with advice; undefined where that is not known. */
export function foreignKind(bytes: Uint8Array): string | undefined {
  const start = bytes.subarray(0, 512);
  const text = Buffer.from(start).toString('latin1');
  return kinds.find(({ matches }) => matches(start, text))?.words;
}

/** Whether the bytes open as an ONNX model does: its IR version, then a field of text, the graph or the operator set. */
export function isOnnx(bytes: Uint8Array): boolean {
  const [first, version = 0, field = 0] = bytes;
  return first === 0x08 && version > 0 && version < 64 && [0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x42].includes(field);
}
