/** A method of one's own: where the student gives a class more probability than the teacher does, it pays. */
import { mean, mul, relu, sub, softmax, type Distiller } from 'distillery';

interface Options {
  readonly weight: number;
}

const myDistiller: Distiller<Options> = {
  title: 'Penalises probability that the student gives beyond the teacher',
  needsTeacher: true,
  options: { weight: { type: 'number', minimum: 0, default: 10, title: 'weight beside cross-entropy' } },
  losses: ({ student, teacher, options }) => {
    const surplus = relu(sub(softmax(student.logits), softmax(teacher.logits)));
    return { surplus: mul(mean(surplus), options.weight) };
  },
};

export default myDistiller;
