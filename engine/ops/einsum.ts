/** Sums of products by the names of axes, as a matrix product of what is transposed and reshaped. */
import { sizeOf } from '../../formats/ndarray';
import { formatShape, type Tensor } from '../tensor';
import { matmul } from './matmul';
import { sum } from './reduce';
import { reshape, transpose } from './shape';

/**
 * `bhid,bhjd->bhij`: one or two tensors, each axis with a letter that occurs once in each; letters that the result lacks are
 * summed over.
 */
export function einsum(equation: string, operands: readonly Tensor[]): Tensor {
  const [left = '', right] = equation.replace(/\s/g, '').split('->');
  const terms = left.split(',');
  const isPlain = [...terms, right ?? ''].every(
    (term) => /^[A-Za-z]*$/.test(term) && new Set(term).size === term.length,
  );
  if (right === undefined || !isPlain || terms.length !== operands.length || terms.length > 2) {
    throw new Error(`einsum: accepted are one or two tensors with distinct letters, as "ij,jk->ik", got "${equation}"`);
  }
  const lengths = new Map<string, number>();
  terms.forEach((term, i) => {
    const { shape } = operands[i]!;
    const isWrong = [...term].some((letter, axis) => (lengths.get(letter) ?? shape[axis]) !== shape[axis]);
    if (term.length !== shape.length || isWrong) {
      throw new Error(`einsum: "${equation}" does not fit ${operands.map((x) => formatShape(x.shape)).join(' and ')}`);
    }
    [...term].forEach((letter, axis) => lengths.set(letter, shape[axis]!));
  });
  const isUsed = (letter: string, own: number) => right.includes(letter) || (terms[1 - own] ?? '').includes(letter);
  const [a, b] = operands.map((x, i) => alone(x, terms[i]!, (letter) => isUsed(letter, i)));
  if (!b) return ordered(a!, right);
  return product(a!, b, right, lengths);
}

interface Named {
  readonly x: Tensor;
  readonly letters: string;
}

/** Without the axes that nothing else has. */
function alone(x: Tensor, letters: string, isUsed: (letter: string) => boolean): Named {
  const axes = [...letters].flatMap((letter, axis) => (isUsed(letter) ? [] : [axis]));
  if (axes.length === 0) return { x, letters };
  return { x: sum(x, { axes }), letters: [...letters].filter(isUsed).join('') };
}

function ordered({ x, letters }: Named, target: string): Tensor {
  return letters === target
    ? x
    : transpose(
        x,
        [...target].map((letter) => letters.indexOf(letter)),
      );
}

/** (batch, rows, summed) · (batch, summed, columns). */
function product(a: Named, b: Named, right: string, lengths: ReadonlyMap<string, number>): Tensor {
  const common = [...a.letters].filter((letter) => b.letters.includes(letter));
  const batch = common.filter((letter) => right.includes(letter));
  const summed = common.filter((letter) => !right.includes(letter));
  const rows = [...a.letters].filter((letter) => !common.includes(letter));
  const columns = [...b.letters].filter((letter) => !common.includes(letter));
  const shapeOf = (letters: readonly string[]) => letters.map((letter) => lengths.get(letter)!);
  const [m, k, n] = [rows, summed, columns].map((letters) => sizeOf(shapeOf(letters))) as [number, number, number];
  const first = reshape(ordered(a, [...batch, ...rows, ...summed].join('')), [...shapeOf(batch), m, k]);
  const second = reshape(ordered(b, [...batch, ...summed, ...columns].join('')), [...shapeOf(batch), k, n]);
  const letters = [...batch, ...rows, ...columns];
  return ordered({ x: reshape(matmul(first, second), shapeOf(letters)), letters: letters.join('') }, right);
}
