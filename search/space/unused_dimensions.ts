/** Dimensions of a search that change nothing of its trainings. */
import { join } from 'node:path';
import { runFiles, searchFiles } from '../../runs/files';
import { UserError } from '../../utils/errors';
import type { Settings } from '../settings/settings';
import type { Trainer } from '../trainer';
import { childParams } from '../trials/child_params';
import { Proposals } from '../trials/proposals';
import { withEvent, type Trials } from '../trials/trials';

/** A key may be used at some points only, as where the method is searched too: so many are looked at. */
const POINTS = 20;

/**
 * The paths of the space that no training of the first points uses. Throws a UserError where these are all: every trial would be
 * the same training. A params.json that is wrong is left to its trial to say.
 */
export function unusedDimensions(
  parent: string,
  params: Readonly<Record<string, unknown>>,
  settings: Settings,
  trainer: Trainer,
): string[] {
  const paths = settings.space.map(({ path }) => path);
  const proposals = new Proposals(settings, new Map());
  let trials: Trials = new Map();
  let unused = paths;
  for (let i = 0; i < POINTS && unused.length > 0; i++) {
    const proposal = proposals.next(trials);
    if (proposal === undefined) break;
    trials = withEvent(trials, proposal);
    try {
      const keys = trainer.unusedKeys(childParams(params, proposal.point, join(parent, runFiles.params)));
      unused = unused.filter((path) => !(path in proposal.point) || keys.includes(path.split('.')[0]!));
    } catch (error) {
      if (error instanceof UserError) return [];
      throw error;
    }
  }
  if (unused.length < paths.length) return unused;
  const version = `"model_version" is ${JSON.stringify(params.model_version)}`;
  throw new UserError(
    `${join(parent, searchFiles.settings)}: no trial uses any of ${paths.join(', ')} (${version}): all trials would be identical`,
  );
}
