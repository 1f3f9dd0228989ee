/** Preloaded into a process that is to be killed at an operation on a directory: FAULTS has the arguments of `inject`. */
import { inject, type FaultName } from './faults';

const [directory, at, name] = JSON.parse(process.env.FAULTS!) as [string, number, FaultName];
inject(directory, at, name, () => process.kill(process.pid, 'SIGKILL'));
