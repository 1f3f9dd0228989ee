/** The runs of an experiment in order: the stages of its method, then the run itself. */
import { join } from 'node:path';
import { runFiles, STAGES, stageFolder } from '../../runs/files';
import { formerNames } from '../../utils/aliases';
import { UserError } from '../../utils/errors';
import { isThere } from '../../utils/files';
import { netAliases } from '../nets/index';
import { methodsOf, readAsWritten } from './experiment';
import { ownPath } from './own_paths';
import { netOf, parseParams, type Params } from './params';

export interface PlannedRun {
  readonly directory: string;
  /** With paths inside `directory` as `ownPath` writes them. */
  readonly params: Params;
  /** The content of its params.json. */
  readonly given: Readonly<Record<string, unknown>>;
  /** Whether it is a stage, whose params.json is generated, rather than the run itself. */
  readonly isStage: boolean;
}

/** Reads params.json in `directory`. Throws UserErrors. */
export function plannedRuns(directory: string): PlannedRun[] {
  const path = join(directory, runFiles.params);
  const { given, params } = readAsWritten(path);
  const run = { ...params, net: netOf(params) };
  const staged = methodsOf(params)
    .map(({ name, distiller, options }) => ({ name, stages: distiller.stages?.(options, run) ?? [] }))
    .filter(({ stages }) => stages.length > 0);
  const [first, second] = staged;
  if (!first) return [{ directory, params, given, isStage: false }];
  if (second)
    throw new UserError(`${path}: "method": ${first.name} and ${second.name} both train in stages; choose one`);
  const { stages } = first;

  const folders = stages.slice(0, -1).map(({ name }, i) => folderOf(directory, i + 1, name));
  return stages.map((stage, i) => {
    const isStage = i < folders.length;
    const before = i === 0 ? undefined : ownPath(isStage ? '..' : STAGES, folders[i - 1]!);
    const content = { ...given, ...stage.changes(before) };
    const parsed = parseParams(content, isStage ? `${path}, stage "${stage.name}"` : path);
    if (!isStage) return { directory, params: parsed, given, isStage };
    return { directory: join(directory, STAGES, folders[i]!), params: parsed, given: content, isStage };
  });
}

/** The folder of a stage, which may have begun when the network that it is called after had another name. */
function folderOf(directory: string, number: number, name: string): string {
  const folders = [name, ...formerNames(name, netAliases)].map((one) => stageFolder(number, one));
  return folders.find((folder) => isThere(join(directory, STAGES, folder))) ?? folders[0]!;
}
