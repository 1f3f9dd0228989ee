/** What methods may read of a teacher on 8-bit integers: its logits, and nothing else. */
import { UserError } from '../../utils/errors';
import type { Model } from '../nets/model';
import { phasesOf, StepBuilder, TEACHER_PREFIX, VIEW, type TrainingOptions } from './step_graph';

/** Throws a UserError that names the first method with a teacher that needs more of it than logits. */
export function refuseInt8(model: Model, options: TrainingOptions): void {
  for (const method of options.methods.filter(({ distiller }) => distiller.needsTeacher)) {
    const outputs = teacherOutputs(model, { ...options, methods: [method] });
    const inside = outputs.find((output) => !/^(\d+\/)?logits$/.test(output));
    if (inside === undefined && outputs.length > 0) continue;
    throw new UserError(
      `"teacher_precision" must be "float32" if "method" is "${method.name}", ` +
        (inside === undefined ? 'whose gradients flow through the teacher' : `which reads "${inside}" of the teacher`),
    );
  }
}

/** Names of the outputs of the teacher that the losses of a step read, without views. */
function teacherOutputs(model: Model, options: TrainingOptions): string[] {
  const inputs = phasesOf(options.methods).flatMap((phase) => {
    const step = new StepBuilder(model, options);
    step.losses(phase);
    return [...step.graph.inputs.keys()].filter((name) => name.startsWith(TEACHER_PREFIX));
  });
  return inputs.map((name) => name.slice(TEACHER_PREFIX.length).split(VIEW)[0]!);
}
