/**
 * A Parquet file with a column of encoded images and one of labels, as Hugging Face's `datasets` writes them: images
 * are structs of `bytes` and `path`, class names are in the metadata under `huggingface`. hyparquet reads it; sizes
 * that it would trust in a damaged file are checked first.
 */
import { statSync } from 'node:fs';
import * as zlib from 'node:zlib';
import {
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type AsyncBuffer,
  type ColumnMetaData,
  type Compressors,
  type FileMetaData,
  type RowGroup,
  type SchemaTree,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { parquetReadColumn } from 'hyparquet/src/read.js';
import { messageOf, UserError } from '../../../utils/errors';
import { readRange, reading } from '../../../utils/files';
import { isObject, parseJson } from '../../../utils/json';

/** The label of each image: a number from 0, −1 for none, or a class name. */
export type StoredLabel = number | string;

/** Usual names of image and label columns. */
const imageNames = ['image', 'img', 'images', 'picture', 'photo', 'jpg', 'png'];
const labelNames = ['label', 'labels', 'fine_label', 'class', 'target', 'y', 'coarse_label'];
/** Page encodings of the usual writers; others contain counts that nothing bounds. */
const encodings = ['PLAIN', 'RLE', 'PLAIN_DICTIONARY', 'RLE_DICTIONARY'];
/** The maximum compression ratio of all codecs, that of gzip. */
const MAX_EXPANSION = 1032;
/** Rows that are read together if their pages can be located. */
const BLOCK = 500;

export interface ColumnChoice {
  readonly image?: string | undefined;
  readonly label?: string | undefined;
}

/** Maximum rows of a row group, which is read at once. */
interface Block {
  readonly first: number;
  readonly end: number;
  readonly isIndexed: boolean;
}

export class ParquetFile {
  private readonly blocks: readonly Block[];
  /** The last block read. */
  private last: { readonly block: Block; readonly images: Promise<unknown[]> } | undefined;

  private constructor(
    readonly path: string,
    private readonly file: AsyncBuffer,
    private readonly metadata: FileMetaData,
    readonly columns: { readonly image: string; readonly label: string },
    /** Class names, if the file has them. */
    readonly names: readonly string[] | undefined,
    readonly labels: readonly StoredLabel[],
  ) {
    let first = 0;
    this.blocks = metadata.row_groups.flatMap((group) => {
      const begin = first;
      first += Number(group.num_rows);
      const isIndexed = chunkOf(group, columns.image).every(({ offset_index_offset: offset }) => offset !== undefined);
      const size = isIndexed ? BLOCK : first - begin;
      return Array.from({ length: Math.ceil((first - begin) / size) }, (_, i): Block => {
        return { first: begin + i * size, end: Math.min(first, begin + (i + 1) * size), isIndexed };
      });
    });
  }

  /**
   * Opens a file and reads its labels. Throws a UserError of one line that names the file if it is damaged or lacks the
   * columns.
   */
  static async open(path: string, choice: ColumnChoice = {}): Promise<ParquetFile> {
    const { size } = reading(path, () => statSync(path));
    const file = { byteLength: size, slice: (start: number, end = size) => slice(path, size, start, end) };
    try {
      const metadata = await parquetMetadataAsync(file, { geoparquet: false });
      const features = featuresOf(metadata);
      const columns = columnsOf(metadata, features, choice);
      const checked = { byteLength: size, slice: checkedSlice(file, metadata) };
      const labels = await labelsOf(checked, metadata, columns.label);
      return new ParquetFile(path, checked, metadata, columns, features.get(columns.label)?.names, labels);
    } catch (error) {
      throw error instanceof UserError ? new UserError(`${path}: ${error.message}`) : damaged(path, error);
    }
  }

  /** The encoded bytes of an image. Throws an Error with the reason if there is no such image. */
  async image(row: number): Promise<Uint8Array> {
    let last = this.last;
    if (!last || row < last.block.first || row >= last.block.end) {
      const block = this.blocks.find(({ end }) => row < end)!;
      last = this.last = { block, images: this.read(block) };
    }
    const cell = (await last.images)[row - last.block.first];
    const content = isObject(cell) && 'bytes' in cell ? cell.bytes : cell;
    if (content instanceof Uint8Array) return content;
    const path =
      typeof cell === 'string' ? cell : isObject(cell) && typeof cell.path === 'string' ? cell.path : undefined;
    throw new Error(
      path === undefined ? 'the row has no image' : `the image is stored in another file, ${path.slice(0, 80)}`,
    );
  }

  private read({ first, end, isIndexed }: Block): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      parquetRead({
        file: this.file,
        metadata: this.metadata,
        columns: [this.columns.image],
        rowStart: first,
        rowEnd: end,
        useOffsetIndex: isIndexed,
        utf8: false,
        compressors,
        onComplete: (rows) => resolve(rows.map(([cell]) => cell as unknown)),
      }).catch((error: unknown) => reject(damaged(this.path, error)));
    });
  }
}

function damaged(path: string, error: unknown): UserError {
  return new UserError(`${path}: not a valid Parquet file: ${messageOf(error)}`);
}

async function slice(path: string, size: number, start: number, end: number): Promise<ArrayBuffer> {
  if (!(start >= 0 && start <= end && end <= size)) throw new Error('it refers to bytes beyond its end');
  const buffer = new ArrayBuffer(end - start);
  await readRange(path, start, new Uint8Array(buffer));
  return buffer;
}

/**
 * Reads slices of a file; checks that pages hold at most the rows of their row group and that their sizes are
 * plausible.
 */
function checkedSlice(file: AsyncBuffer, { row_groups: groups }: FileMetaData): AsyncBuffer['slice'] {
  const isIndex = new Set(groups.flatMap(({ columns }) => columns.map((one) => Number(one.offset_index_offset))));
  const most = groups.reduce((sum, { num_rows: rows }) => Math.max(sum, Number(rows)), 0);
  return async (start, end) => {
    const buffer = await file.slice(start, end);
    if (!isIndex.has(start)) checkPages(buffer, most);
    return buffer;
  };
}

function checkPages(buffer: ArrayBuffer, most: number): void {
  const reader = { view: new DataView(buffer), offset: 0 };
  while (reader.offset < buffer.byteLength - 1) {
    const header = parquetHeader(reader);
    const values = header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header;
    const [packed, unpacked] = [header.compressed_page_size, header.uncompressed_page_size];
    if (!values || !(packed >= 0) || !(values.num_values >= 0 && values.num_values <= most)) {
      throw new Error('one of its pages is damaged');
    }
    if (!(unpacked >= 0 && unpacked <= MAX_EXPANSION * (packed + 1))) throw new Error('one of its pages is damaged');
    if (!encodings.includes(values.encoding)) {
      throw new Error(`it has pages with the encoding ${values.encoding}, accepted are ${encodings.join(', ')}`);
    }
    reader.offset += packed;
  }
}

/** The library's decompressors, and those of Node's zlib if available. */
const compressors: Compressors = {
  GZIP: (input, length) => zlib.gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => zlib.brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => {
    const { zstdDecompressSync } = zlib as typeof zlib & {
      zstdDecompressSync?: (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
    };
    if (!zstdDecompressSync) throw new Error('it is compressed with Zstandard, which requires Node.js 22.15 or later');
    return zstdDecompressSync(input, { maxOutputLength: Math.max(1, length) });
  },
};

/** The features in the metadata: which columns hold images, and the class names. */
type Features = ReadonlyMap<string, { readonly isImage: boolean; readonly names?: readonly string[] }>;

function featuresOf({ key_value_metadata: pairs = [] }: FileMetaData): Features {
  const text = pairs.find(({ key }) => key === 'huggingface')?.value;
  let content: unknown;
  try {
    content = text === undefined ? undefined : parseJson(text);
  } catch {
    content = undefined;
  }
  const info = isObject(content) && isObject(content.info) ? content.info.features : undefined;
  if (!isObject(info)) return new Map();
  return new Map(
    Object.entries(info).map(([name, feature]) => {
      const { _type: type, names } = isObject(feature) ? feature : {};
      const isNames = Array.isArray(names) && names.every((one) => typeof one === 'string');
      return [name, { isImage: type === 'Image', ...(type === 'ClassLabel' && isNames && { names }) }];
    }),
  );
}

function columnsOf(metadata: FileMetaData, features: Features, choice: ColumnChoice) {
  const { children } = parquetSchema(metadata);
  const names = children.map(({ element }) => element.name);
  const accepted = `its columns are ${names.slice(0, 20).map(shown).join(', ')}`;
  const chosen = (what: 'image' | 'label', found: string | undefined): string => {
    const name = choice[what] ?? found;
    if (name !== undefined && names.includes(name)) return name;
    const missing = name === undefined ? `no ${what} column` : `no column ${shown(name)}`;
    throw new UserError(`${missing}: ${accepted}; set "dataset.${what}" to one of them`);
  };
  const withNames = names.filter((name) => features.get(name)?.names);
  return {
    image: chosen(
      'image',
      names.find((name) => features.get(name)?.isImage) ??
        children.find(holdsBytes)?.element.name ??
        imageNames.find((name) => names.includes(name)),
    ),
    label: chosen(
      'label',
      labelNames.find((name) => withNames.includes(name)) ??
        withNames[0] ??
        labelNames.find((name) => names.includes(name)),
    ),
  };
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}

function holdsBytes({ children }: SchemaTree): boolean {
  return children.some(({ element }) => element.name === 'bytes' && element.type === 'BYTE_ARRAY');
}

function chunkOf(group: RowGroup, column: string) {
  return group.columns.filter(({ meta_data: chunk }) => chunk?.path_in_schema[0] === column);
}

/** The labels of all rows, as many as there are rows. */
async function labelsOf(file: AsyncBuffer, metadata: FileMetaData, column: string): Promise<StoredLabel[]> {
  const labels: StoredLabel[] = [];
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const chunks = chunkOf(group, column).map(({ meta_data: chunk }) => chunk as ColumnMetaData);
    if (chunks.length !== 1 || chunks[0]!.path_in_schema.length > 1)
      throw new UserError(`the column ${shown(column)} is a list or a struct, accepted is one class per image`);
    const rowStart = labels.length;
    const options = { file, metadata, columns: [column], compressors, rowStart, rowEnd: rowStart + rows };
    const values = rows === 0 ? [] : await parquetReadColumn(options);
    if (values.length !== rows) throw new Error(`it has ${values.length} labels for ${rows} rows`);
    for (const value of values) labels.push(labelOf(value, column));
  }
  return labels;
}

function labelOf(value: unknown, column: string): StoredLabel {
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') return Number(value);
  if (typeof value === 'string') return value;
  // A hidden test set has no labels.
  if (value === null || value === undefined) return -1;
  throw new UserError(`the column ${shown(column)} must hold a number or a class name for each image`);
}
