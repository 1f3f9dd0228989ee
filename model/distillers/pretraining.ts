/** The stages of methods that train the student on features first and distil into it then. */
import { runFiles } from '../../runs/files';
import type { MethodParams, Stage } from './distiller';

/**
 * First only the method `name`, with `options`, for some epochs; then, from the weights of that stage, the other
 * methods of params.json, or `otherwise` if there are none.
 */
export function pretraining(
  name: string,
  options: { readonly stage: string },
  epochs: number,
  { method }: { readonly method: readonly MethodParams[] },
  otherwise: 'kd' | 'nokd' = 'kd',
): Stage[] {
  const others = method.filter((one) => one.name !== name);
  return [
    { name: options.stage, changes: () => ({ method: { ...options, name }, num_epochs: epochs }) },
    {
      name: 'distillation',
      changes: (before) => ({ method: others.length > 0 ? others : otherwise, ...startsFrom(before) }),
    },
  ];
}

/** The key of params.json by which a run starts from the last weights of the run before it. */
export function startsFrom(before: string | undefined): { init: { checkpoint: string } } {
  return { init: { checkpoint: `${before}/${runFiles.last}` } };
}
