/** Runs an external model on stored images, in batches of the size that it accepts, and hands on values inside it. */
import { providerOf } from '../../../engine/backends/onnxruntime';
import type { Ends } from '../../../engine/onnx/adapt';
import { ForeignModel } from '../../../engine/onnx/foreign';
import type { Session } from '../../../engine/session';
import { quoted } from '../../../formats/binary';
import { ndarray, sizeOf, type NdArray } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import { counted } from '../../../utils/words';
import type { ImageShape } from '../../data/dataset';
import { brokenRow, type StoredImages, type TeacherContext } from '../teacher';
import type { Input } from './input';

/** Maximum input values per run if the model's batch size is open. */
const PIECE = 2 ** 24;

/** A value of a model. */
export type Wanted = Ends['outputs'][number];

type Context = Pick<TeacherContext, 'threads' | 'backend' | 'profile'>;

/** How stored images become the input of a model. */
interface Preparation {
  readonly input: Input;
  /** From stored pixels to the input. */
  readonly prepare: Session;
  /** The shape of a stored image. */
  readonly stored: ImageShape;
}

/** Images as the input of a model: `rows`, of which the first `count` are those from `start` on. */
interface Piece {
  readonly prepared: NdArray;
  readonly start: number;
  readonly count: number;
  readonly rows: number;
}

export class Runner {
  private constructor(
    private readonly parts: Preparation & {
      readonly model: Pick<ForeignModel, 'path' | 'run' | 'release'>;
      readonly names: { readonly input: string; readonly outputs: readonly string[] };
      readonly wanted: readonly Wanted[];
    },
    /** What was changed in the model, one sentence each. */
    readonly remarks: readonly string[],
  ) {}

  /** Compiles the model up to the values `wanted`. */
  static async open(
    path: string,
    wanted: readonly Wanted[],
    how: Preparation,
    { threads, backend, profile }: Context,
  ): Promise<Runner> {
    const ends = { input: how.input.value, outputs: wanted };
    const options = { profile, provider: providerOf(backend) };
    const { model, remarks, ...names } = await ForeignModel.openAdapted(path, threads, ends, options);
    return new Runner({ model, names, wanted, ...how }, remarks);
  }

  /** Runs a graph from `images` to `logits` in the place of the model's value `wanted`. */
  static around(session: Session, path: string, wanted: Wanted, how: Preparation): Runner {
    const model = {
      path,
      run: async (feeds: Readonly<Record<string, NdArray>>) => [(await session.run(feeds)).logits!],
      release: () => session.release(),
    };
    return new Runner({ model, names: { input: 'images', outputs: ['logits'] }, wanted: [wanted], ...how }, []);
  }

  /**
   * The values of all images, (N, …) each. A UserError tells of one that is not finite, or has no row for each image;
   * `check` may refuse a shape before.
   */
  async run(
    { images, size }: StoredImages,
    check: (wanted: Wanted, shape: readonly number[], rows: number) => void,
  ): Promise<NdArray<'float32'>[]> {
    const { wanted, model, names } = this.parts;
    let all: NdArray<'float32'>[] = [];
    for await (const { prepared, start, count, rows } of pieces({ images, size }, this.parts)) {
      const found = await model.run({ [names.input]: prepared }, names.outputs);
      found.forEach(({ shape }, i) => {
        check(wanted[i]!, shape, rows);
        if (shape[0] !== rows) throw withoutRows(model.path, wanted[i]!, shape, rows);
      });
      if (start === 0) all = found.map(({ shape }) => ndarray('float32', [size, ...shape.slice(1)]));
      found.forEach(({ shape, data }, i) => {
        const length = sizeOf(shape.slice(1));
        all[i]!.data.set((data as Float32Array).subarray(0, count * length), start * length);
      });
    }
    if (all.some((array) => brokenRow(array) >= 0)) {
      throw new UserError(`${model.path}: outputs a value that is not finite for an image`);
    }
    return all;
  }

  release(): Promise<void> {
    return this.parts.model.release();
  }
}

/** Images in batches of the size that a model accepts. One that is too small is filled with its own images again. */
export async function* pieces({ images, size }: StoredImages, how: Preparation): AsyncGenerator<Piece> {
  const { prepare, stored } = how;
  const { batch, pixels } = how.input;
  const imageSize = sizeOf(stored);
  const channels = pixels.channels === 'gray' ? 1 : 3;
  const most = batch ?? Math.max(1, Math.floor(PIECE / (channels * pixels.height * pixels.width)));
  for (let start = 0; start < size; start += most) {
    const count = Math.min(most, size - start);
    const rows = batch ?? count;
    const filled = new Uint8Array(rows * imageSize);
    for (let row = 0; row < rows; row += count) {
      const own = images.subarray(start * imageSize, (start + Math.min(count, rows - row)) * imageSize);
      filled.set(own, row * imageSize);
    }
    const { prepared } = await prepare.run({ images: ndarray('uint8', [rows, ...stored], filled) });
    yield { prepared: prepared!, start, count, rows };
  }
}

function withoutRows(path: string, { name }: Wanted, shape: readonly number[], rows: number): UserError {
  return new UserError(
    `${path}: computes ${quoted(name)} with shape [${shape.join(', ')}] for ${counted(rows, 'image')}, ` +
      'accepted is a row for each image',
  );
}
