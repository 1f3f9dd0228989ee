/** Early stopping (Prechelt 1998), as a function of the epochs so far. */
import { meritOf, type EpochRecord } from '../../runs/metrics';

/** Ends a run after `patience` epochs in a row without a validation accuracy, or a loss where there is none, better by `min_delta`. */
export interface EarlyStopping {
  readonly patience: number;
  readonly min_delta: number;
}

/**
 * Whether the validation accuracy, or −loss where there is none, has not exceeded its best by more than `min_delta` for
 * `patience` epochs in a row.
 * Once true, it stays true.
 */
export function isStopped(
  history: readonly Pick<EpochRecord, 'val'>[],
  { patience, min_delta: minDelta }: EarlyStopping,
): boolean {
  let best = -Infinity;
  let waited = 0;
  for (const { val } of history) {
    const merit = meritOf(val);
    if (merit > best + minDelta) {
      best = merit;
      waited = 0;
    } else if (++waited >= patience) {
      return true;
    }
  }
  return false;
}

/** Whether training ends after these epochs: all planned epochs are done, or it stops early. */
export function isOver(
  history: readonly Pick<EpochRecord, 'val'>[],
  {
    num_epochs: epochs,
    early_stopping: stopping,
  }: { readonly num_epochs: number; readonly early_stopping?: EarlyStopping },
): boolean {
  return history.length >= epochs || (stopping !== undefined && isStopped(history, stopping));
}
