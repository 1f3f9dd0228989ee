/** Several teachers as one. */
import { ndarray, type NdArray } from '../../formats/ndarray';
import { hasLogits, type Teacher } from './teacher';

/**
 * The teacher whose logits are the mean of those of `teachers`, if all have some: z = (z₁ + … + z_m) / m. Outputs of member i, counted
 * from 0, have the names `<i>/<name>`.
 */
export function ensemble(teachers: readonly Teacher[]): Teacher {
  const shapes = new Map<string, readonly number[]>();
  if (teachers.every(hasLogits)) shapes.set('logits', teachers[0]!.shapes.get('logits')!);
  teachers.forEach((teacher, i) => teacher.shapes.forEach((shape, name) => shapes.set(`${i}/${name}`, shape)));
  const self: Teacher = {
    shapes,
    members: teachers,
    async logits(batch) {
      return (await self.outputs(batch, ['logits'])).logits!;
    },
    async outputs(batch, names) {
      const found: Record<string, NdArray> = {};
      for (const [i, teacher] of teachers.entries()) {
        const own = names.filter((name) => name.startsWith(`${i}/`)).map((name) => name.slice(`${i}/`.length));
        const wanted = names.includes('logits') ? [...new Set([...own, 'logits'])] : own;
        if (wanted.length === 0) continue;
        for (const [name, array] of Object.entries(await teacher.outputs(batch, wanted))) found[`${i}/${name}`] = array;
      }
      if (names.includes('logits')) found.logits = meanOf(teachers.map((_, i) => found[`${i}/logits`]!));
      return found;
    },
    async release() {
      for (const teacher of teachers) await teacher.release();
    },
  };
  return self;
}

function meanOf(members: readonly NdArray[]): NdArray {
  const mean = ndarray('float32', members[0]!.shape);
  for (let i = 0; i < mean.data.length; i++) {
    mean.data[i] = members.reduce((sum, { data }) => sum + Number(data[i]), 0) / members.length;
  }
  return mean;
}
