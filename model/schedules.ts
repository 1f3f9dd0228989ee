/** The learning rate of an epoch. */
import type { Schedule } from '../utils/params';

/** Epochs count from 1. step: multiplied by gamma every step_size epochs; constant: as it is. */
export function learningRate(schedule: Schedule, base: number, epoch: number): number {
  switch (schedule.type) {
    case 'constant':
      return base;
    case 'step':
      return base * schedule.gamma ** Math.floor((epoch - 1) / schedule.step_size);
  }
}
