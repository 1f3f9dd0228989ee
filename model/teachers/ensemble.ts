/** Several teachers as one. */
import { ndarray, type NdArray } from '../../utils/ndarray';
import type { Teacher } from './teacher';

/** The teacher whose logits are the mean of those of `teachers`: z = (z₁ + … + z_m) / m. */
export function ensemble(teachers: readonly Teacher[]): Teacher {
  return {
    async logits(batch) {
      const members: NdArray[] = [];
      for (const teacher of teachers) members.push(await teacher.logits(batch));
      const mean = ndarray('float32', members[0]!.shape);
      for (let i = 0; i < mean.data.length; i++) {
        mean.data[i] = members.reduce((sum, { data }) => sum + Number(data[i]), 0) / members.length;
      }
      return mean;
    },
    async release() {
      for (const teacher of teachers) await teacher.release();
    },
  };
}
