/** Class-balanced sampling: all classes are equally frequent in an epoch. */
import { Random } from '../../utils/random';

/**
 * Draws as many examples as `indices` has, with all classes equally often (a remainder of one each rotates by epoch).
 * Each class cycles through permutations of its examples, so that none repeats before all have occurred. A function of
 * (seed, epoch) and `indices`.
 */
export function balanced(
  indices: Uint32Array,
  labels: ArrayLike<number>,
  { seed, epoch }: { seed: number; epoch: number },
): Uint32Array {
  const members = new Map<number, number[]>();
  for (const example of indices) {
    const label = labels[example]!;
    if (!members.has(label)) members.set(label, []);
    members.get(label)!.push(example);
  }
  const draws = [...members.keys()]
    .sort((a, b) => a - b)
    .map((label) => cycle(members.get(label)!, label, seed, epoch));
  return Uint32Array.from(indices, (_, slot) => draws[(slot + epoch) % draws.length]!.next().value);
}

function* cycle(examples: readonly number[], label: number, seed: number, epoch: number): Generator<number, never> {
  for (let round = 0; ; round++) {
    const random = new Random(seed, `sampling/${label}/${round}`);
    for (const i of random.permutation(examples.length, epoch)) yield examples[i]!;
  }
}
