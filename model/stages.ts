/** The runs of an experiment, in their order: the stages of its method, and last the run itself. */
import { join } from 'node:path';
import { UserError } from '../utils/errors';
import { parseParams, type Params } from '../utils/params';
import { catalogueFor, methodsOf, readExperiment } from './experiment';

export interface PlannedRun {
  readonly directory: string;
  readonly params: Params;
  /** The content of its params.json. */
  readonly given: Readonly<Record<string, unknown>>;
  /** Whether it is a stage, for which params.json is written, and not the run itself. */
  readonly isStage: boolean;
}

/** Reads params.json in `directory`. Errors are UserErrors. */
export function plannedRuns(directory: string): PlannedRun[] {
  const path = join(directory, 'params.json');
  const { given, params } = readExperiment(path);
  const staged = methodsOf(params)
    .map(({ name, distiller, options }) => ({ name, stages: distiller.stages?.(options, params) ?? [] }))
    .filter(({ stages }) => stages.length > 0);
  const [first, second] = staged;
  if (!first) return [{ directory, params, given, isStage: false }];
  if (second)
    throw new UserError(`${path}: "method": ${first.name} and ${second.name} both train in stages; choose one`);
  const { stages } = first;

  let before: string | undefined;
  return stages.map((stage, i) => {
    const content = { ...given, ...stage.changes(before) };
    const isStage = i < stages.length - 1;
    before = isStage ? join(directory, 'stages', `${i + 1}_${stage.name}`) : directory;
    const parsed = parseParams(content, isStage ? `${path}, stage "${stage.name}"` : path, catalogueFor(content));
    return { directory: before, params: parsed, given: isStage ? content : given, isStage };
  });
}
