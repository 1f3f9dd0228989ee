/** The splits of a data set and their usual names. */

export type Part = 'train' | 'val' | 'test';

const names: Readonly<Record<Part, readonly string[]>> = {
  train: ['train', 'training'],
  val: ['val', 'valid', 'validation', 'dev'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};

/** The split named by a folder or a column value, such as `val` for `Valid`. */
export function partCalled(name: string): Part | undefined {
  const lower = name.toLowerCase();
  return (Object.keys(names) as Part[]).find((part) => names[part].includes(lower));
}

/** The split named in a file name, by Hugging Face's rules: `val` for `imagenet-validation-00.tar`. */
export function partWithin(file: string): Part | undefined {
  for (const word of file.split(/[^A-Za-z]+/)) {
    const part = partCalled(word);
    if (part) return part;
  }
  return undefined;
}
