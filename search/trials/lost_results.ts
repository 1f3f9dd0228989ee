/** Results that the journal has and the directories no longer do: what was deleted is trained again. */
import { join } from 'node:path';
import { repeatDirectory } from '../../runs/files';
import { RunDirectory } from '../../runs/run_directory';
import { stateOf, withEvent, type Trial, type Trials } from './trials';

/** The first repeat of a trial that has a value in the journal and no results in its directory; undefined: there is none. */
export function lostRepeat({ name, values }: Trial, parent: string): number | undefined {
  return [...values.keys()].find(
    (repeat) => !new RunDirectory(join(parent, repeatDirectory(name, repeat))).isFinished(),
  );
}

/**
 * The trials where complete ones that have lost results count as begun, and the names of these. One that was pruned stays so:
 * it is never the best, so that nobody needs its directory.
 */
export function withoutLost(trials: Trials, parent: string, repeats: number): { trials: Trials; lost: string[] } {
  const lost: string[] = [];
  for (const trial of trials.values()) {
    const { name } = trial;
    const repeat = stateOf(trial, repeats) === 'complete' ? lostRepeat(trial, parent) : undefined;
    if (repeat === undefined) continue;
    lost.push(name);
    trials = withEvent(trials, { event: 'started', name, repeat });
  }
  return { trials, lost };
}
