/** The parts of a data set, and the names that people give to them. */

export type Part = 'train' | 'val' | 'test';

const names: Readonly<Record<Part, readonly string[]>> = {
  train: ['train', 'training'],
  val: ['val', 'valid', 'validation', 'dev'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};

/** The part that a folder or a value of a column is called after, such as `val` of `Valid`. */
export function partCalled(name: string): Part | undefined {
  const lower = name.toLowerCase();
  return (Object.keys(names) as Part[]).find((part) => names[part].includes(lower));
}

/** The part that the name of a file speaks of, as Hugging Face looks for it: `val` of `imagenet-validation-00.tar`. */
export function partWithin(file: string): Part | undefined {
  for (const word of file.split(/[^A-Za-z]+/)) {
    const part = partCalled(word);
    if (part) return part;
  }
  return undefined;
}
