/** Event files in the directory of the run. */
import { join } from 'node:path';
import { EventWriter } from '../../../formats/tensorboard';
import { runFiles } from '../../../runs/files';
import { flatten } from '../../../utils/flatten';
import type { TrackerKind } from './tracker';

export const tensorboard: TrackerKind<object> = {
  options: {},
  open({ directory, params, steps }) {
    const events = new EventWriter(join(directory, runFiles.events), steps + 1);
    events.hparams(steps, flatten(params));
    return {
      onStep(step, metrics, learningRate) {
        events.scalars(step, { ...prefixed('train', metrics), learning_rate: learningRate });
      },
      onEpoch(step, history, seconds) {
        events.scalars(step, { ...prefixed('val', { ...history.at(-1)!.val }), 'time/epoch_seconds': seconds });
      },
      onEnd({ status, steps: last }) {
        if (status === 'finished') events.finished(last);
        events.close();
      },
    };
  },
};

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]));
}
