/** What a search works with. */
import type { Interrupt } from '../utils/interrupt';
import type { Log } from '../utils/logger';
import type { Event } from './journal';
import type { Launcher } from './launchers/launcher';
import type { Settings } from './settings/settings';
import type { Snapshot } from './snapshot';
import type { Trainer } from './trainer';

export interface SearchContext {
  /** The parent: children are directories in it. */
  readonly directory: string;
  /** Content of the parent's params.json. */
  readonly params: Readonly<Record<string, unknown>>;
  /** That content with every key filled. */
  readonly resolve: Trainer['resolve'];
  readonly settings: Settings;
  /** Trials at a time. */
  readonly parallel: number;
  /** What the journal holds, and what adds to it. */
  readonly events: readonly Event[];
  readonly append: (event: Event) => void;
  readonly launcher: Launcher;
  readonly log: Log;
  readonly interrupt: Interrupt;
  /** Is shown how things stand, again and again. */
  readonly show: (snapshot: Snapshot) => void;
  /** Milliseconds between two looks at the children, and from SIGTERM to SIGKILL. */
  readonly pollMs: number;
  readonly graceMs: number;
}
