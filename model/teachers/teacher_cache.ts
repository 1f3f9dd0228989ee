/**
 * What teachers give, computed once: by this run for its later epochs, and by one of several runs for all. A run has the
 * same results with it and without it, to the bit.
 */
import { hash } from 'node:crypto';
import { availableParallelism, arch, cpus } from 'node:os';
import { version as onnxruntime } from 'onnxruntime-node/package.json';
import { bytesOf, type NdArray } from '../../formats/ndarray';
import type { AugmentationParams } from '../data/augmentation/index';
import { packageVersion } from '../../utils/version';
import { SharedCache } from '../../utils/shared_cache';
import type { Batch } from '../data/loader';
import { digestOf, KeptOutputs, type BatchDigest, type Outputs } from './kept_outputs';
import type { Teacher } from './teacher';

/** Batches that a run looks ahead for one that nobody computes yet. */
const AHEAD = 4;

export interface CacheOptions {
  /** Threads of an operator; 0: every core. Results of other numbers of threads may be other ones. */
  readonly threads: number;
  /** Where teachers run; the CPU where absent. */
  readonly device?: string | undefined;
  /** Do the same pixels come in other batches too, those of later epochs? */
  readonly repeats: boolean;
  readonly log: (level: 'info' | 'warn', line: string) => void;
}

export class TeacherCache {
  /** Images whose outputs this process computed, and those whose outputs it found. */
  readonly counts = { computed: 0, cached: 0 };
  private readonly digests = new WeakMap<Uint8Array, BatchDigest>();

  constructor(
    private readonly files: SharedCache,
    private readonly options: CacheOptions,
  ) {}

  /** A teacher that looks here first; one whose outputs depend on more than pixels stays as it is. */
  around(teacher: Teacher): Teacher {
    if (!teacher.identity) return teacher;
    const kept = new Map<string, CachedOutputs>();
    const outputs: Teacher['outputs'] = (batch, names) => {
      const key = names.join();
      if (!kept.has(key)) kept.set(key, this.open(teacher, names));
      return kept.get(key)!.of(batch);
    };
    return {
      shapes: teacher.shapes,
      ...(teacher.network && { network: teacher.network }),
      identity: (names) => teacher.identity!(names),
      logits: async (batch) => (await outputs(batch, ['logits'])).logits!,
      outputs,
      release: () => teacher.release(),
    };
  }

  /** Removes all that is kept. */
  remove(): void {
    this.files.remove();
  }

  /** All that its outputs depend on besides pixels names the folder in which they are kept. */
  private open(teacher: Teacher, names: readonly string[]): CachedOutputs {
    const { threads, device = 'cpu', repeats, log } = this.options;
    const machine = [packageVersion, onnxruntime, arch(), cpus()[0]?.model, threads || availableParallelism(), device];
    const folder = hash('sha256', JSON.stringify([teacher.identity!(names), names, machine]), 'hex').slice(0, 16);
    const shapes = names.map((name) => [name, teacher.shapes.get(name)!] as const);
    const kept = new KeptOutputs(this.files, folder, shapes, repeats ? 'rows' : 'batches');
    return new CachedOutputs({
      files: this.files,
      kept,
      compute: (batch) => teacher.outputs(batch, names),
      digest: (batch) => this.digest(batch),
      counts: this.counts,
      log,
    });
  }

  private digest({ images, size }: Batch): BatchDigest {
    const digest = this.digests.get(images) ?? digestOf(images, size);
    this.digests.set(images, digest);
    return digest;
  }
}

interface Parts {
  readonly files: SharedCache;
  readonly kept: KeptOutputs;
  readonly compute: (batch: Batch) => Promise<Outputs>;
  readonly digest: (batch: Batch) => BatchDigest;
  readonly counts: { computed: number; cached: number };
  readonly log: CacheOptions['log'];
}

/** Certain outputs of a teacher. */
class CachedOutputs {
  /** Whether rows of other batches are to the bit what a batch of a size would give, as far as it was tried. */
  private readonly holds = new Map<number, boolean>();
  /** Batches that this process computed before their turn. */
  private readonly ahead = new Set<string>();

  constructor(private readonly parts: Parts) {}

  async of(batch: Batch): Promise<Outputs> {
    const { files, kept, digest } = this.parts;
    const own = digest(batch);
    let found = kept.batch(own);
    if (!found) {
      const holds = this.holds.get(batch.size);
      const rows = holds === false ? undefined : kept.rows(own);
      if (rows && !holds) return this.tryOut(batch, rows);
      found = rows;
    }
    if (!found && !files.claim(kept.fileOf(own))) {
      await this.workAhead(batch);
      found = kept.batch(own);
    }
    if (!found) return this.compute(batch);
    if (!this.ahead.delete(own.name)) this.parts.counts.cached += batch.size;
    return found;
  }

  /** Another run is at this batch: meanwhile the first of the next ones that nobody is at. */
  private async workAhead({ after }: Batch): Promise<void> {
    const { files, kept, digest } = this.parts;
    for (let i = 0; i < AHEAD; i++) {
      const next = await after?.(i);
      if (!next) return;
      const other = digest(next);
      if (kept.has(other) || !files.claim(kept.fileOf(other))) continue;
      await this.compute(next);
      this.ahead.add(other.name);
      return;
    }
  }

  private async compute(batch: Batch): Promise<Outputs> {
    const outputs = await this.parts.compute(batch);
    this.parts.kept.keep(this.parts.digest(batch), outputs);
    this.parts.counts.computed += batch.size;
    return outputs;
  }

  /**
   * What a network makes of an image could depend, in the last bit, on its place in a batch. So the first batch of a size
   * that could be put together of rows of others is computed as well.
   */
  private async tryOut(batch: Batch, rows: Outputs): Promise<Outputs> {
    const computed = await this.compute(batch);
    const isSame = Object.keys(computed).every((name) => isEqual(computed[name]!, rows[name]!));
    this.holds.set(batch.size, isSame);
    if (!isSame) {
      this.parts.log('info', 'What the teacher makes of an image depends on its batch: it is not used in later epochs');
    }
    return computed;
  }
}

function isEqual(a: NdArray, b: NdArray): boolean {
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

/** The keys of params.json that say when a teacher is asked twice for the same. */
export interface TeacherCacheParams {
  readonly augmentation: AugmentationParams;
  readonly teacher_views?: number;
  readonly teacher_cache_gigabytes?: number;
  readonly num_epochs: number;
  readonly threads: number;
}

/**
 * The cache of a run: in the folder `shared` with others, or else, where images look the same in several epochs, in `own`.
 * Undefined where neither is so, or where params.json says so.
 */
export function teacherCacheOf(
  params: TeacherCacheParams,
  { shared, own, device, log }: { shared: string | undefined; own: string } & Pick<CacheOptions, 'device' | 'log'>,
): TeacherCache | undefined {
  const { augmentation, teacher_views: views, teacher_cache_gigabytes: gigabytes = 10, num_epochs: epochs } = params;
  const period = augmentation === 'no' ? 1 : (views ?? Infinity);
  const directory = shared ?? (period < epochs ? own : undefined);
  if (directory === undefined || gigabytes === 0) return undefined;
  const files = new SharedCache(directory, gigabytes * 1e9, (line) => log('warn', line));
  return new TeacherCache(files, { threads: params.threads, device, repeats: Number.isFinite(period), log });
}
