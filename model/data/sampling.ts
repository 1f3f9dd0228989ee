/** Class-balanced sampling: an epoch in which every class is as frequent as the others. */
import { Random } from '../../utils/random';

/**
 * As many examples as `indices` has, the classes among them equally often (but for a rest of one each, whose turn moves on
 * by epoch). A class runs through a permutation of its examples, then through another, so that none comes twice before
 * all have come. A function of (seed, epoch) and `indices`.
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
