/**
 * A cache of teacher outputs: computed once per run for later epochs, or by one of several runs for all. Results are
 * bit-identical with and without it.
 */
import { hash } from 'node:crypto';
import { availableParallelism, arch, cpus } from 'node:os';
import { version as onnxruntime } from 'onnxruntime-node/package.json';
import { bytesOf, type NdArray } from '../../formats/ndarray';
import { SharedCache } from '../../utils/shared_cache';
import { packageVersion } from '../../utils/version';
import type { AugmentationParams } from '../data/augmentation/index';
import type { Batch } from '../data/loader';
import { digestOf, KeptOutputs, type BatchDigest, type Outputs } from './kept_outputs';
import type { Teacher } from './teacher';

/** Number of batches to look ahead for one that no process computes yet. */
const AHEAD = 4;

export interface CacheOptions {
  /** Threads of an operator; 0: every core. Results may depend on the number of threads. */
  readonly threads: number;
  /** The backend of teachers; the CPU by default. */
  readonly device?: string | undefined;
  /** Whether the same pixels occur in other batches too, such as those of later epochs. */
  readonly repeats: boolean;
  readonly log: (level: 'info' | 'warn', line: string) => void;
}

export class TeacherCache {
  /** Numbers of images whose outputs this process computed, and found in the cache. */
  readonly counts = { computed: 0, cached: 0 };
  private readonly digests = new WeakMap<Uint8Array, BatchDigest>();

  constructor(
    private readonly files: SharedCache,
    private readonly options: CacheOptions,
  ) {}

  /** A teacher that looks up the cache first; returns a teacher whose outputs depend on more than pixels unchanged. */
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
      ...(teacher.quantized && { quantized: async (images) => this.around(await teacher.quantized!(images)) }),
      logits: async (batch) => (await outputs(batch, ['logits'])).logits!,
      outputs,
      release: () => teacher.release(),
    };
  }

  /** Removes the cache. */
  remove(): void {
    this.files.remove();
  }

  /** The folder name is a digest of all that the outputs depend on besides pixels. */
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

/** Selected outputs of a teacher. */
class CachedOutputs {
  /** Whether rows of other batches are bit-identical to those of a batch of this size, as far as tested. */
  private readonly holds = new Map<number, boolean>();
  /** Batches that this process computed ahead. */
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

  /** Another run computes this batch: meanwhile, compute the first of the next ones that no process computes. */
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
   * A network's output for an image could depend, in the last bit, on its position in the batch. So the first batch of
   * each size that could be assembled from cached rows is computed as well and compared.
   */
  private async tryOut(batch: Batch, rows: Outputs): Promise<Outputs> {
    const computed = await this.compute(batch);
    const isSame = Object.keys(computed).every((name) => isEqual(computed[name]!, rows[name]!));
    this.holds.set(batch.size, isSame);
    if (!isSame) {
      this.parts.log(
        'info',
        "The teacher's outputs for an image depend on its batch: they are not reused in later epochs",
      );
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
 * The cache of a run: in the folder `shared` with others, or else in `own` if images look the same in several epochs.
 * Undefined otherwise, or if params.json disables it.
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
