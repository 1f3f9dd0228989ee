/** The runs of an experiment, in their order: the stages of its method, and last the run itself. */
import { join } from 'node:path';
import { UserError } from '../utils/errors';
import { readJson } from '../utils/files';
import { parseParams, type Params } from '../utils/params';
import { catalogueFor, methodsOf, readExperiment } from './experiment';

export interface PlannedRun {
  readonly directory: string;
  readonly params: Params;
  /** The params.json of a stage, which is written for it; absent for the run itself. */
  readonly file?: Readonly<Record<string, unknown>>;
}

/** Reads params.json in `directory`. Errors are UserErrors. */
export function plannedRuns(directory: string): PlannedRun[] {
  const path = join(directory, 'params.json');
  const params = readExperiment(path);
  const staged = methodsOf(params)
    .map(({ name, distiller, options }) => ({ name, stages: distiller.stages?.(options, params) ?? [] }))
    .filter(({ stages }) => stages.length > 0);
  const [first, second] = staged;
  if (!first) return [{ directory, params }];
  if (second)
    throw new UserError(`${path}: "method": ${first.name} and ${second.name} both train in stages; choose one`);
  const { stages } = first;

  const content = readJson(path) as Record<string, unknown>;
  let before: string | undefined;
  return stages.map((stage, i) => {
    const file = { ...content, ...stage.changes(before) };
    const isItself = i === stages.length - 1;
    before = isItself ? directory : join(directory, 'stages', `${i + 1}_${stage.name}`);
    const parsed = parseParams(file, isItself ? path : `${path}, stage "${stage.name}"`, catalogueFor(file));
    return { directory: before, params: parsed, ...(!isItself && { file }) };
  });
}
