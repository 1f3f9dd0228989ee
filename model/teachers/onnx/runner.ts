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
import { brokenRow, type TeacherContext } from '../teacher';
import type { Input } from './input';

/** Maximum input values per run if the model's batch size is open. */
const PIECE = 2 ** 24;

/** A value of a model. */
export type Wanted = Ends['outputs'][number];

type Context = Pick<TeacherContext, 'threads' | 'backend' | 'profile'>;

export class Runner {
  private constructor(
    private readonly parts: {
      readonly model: ForeignModel;
      readonly names: { readonly input: string; readonly outputs: readonly string[] };
      readonly wanted: readonly Wanted[];
      readonly input: Input;
      /** From stored pixels to the input. */
      readonly prepare: Session;
      /** The shape of a stored image. */
      readonly stored: ImageShape;
    },
    /** What was changed in the model, one sentence each. */
    readonly remarks: readonly string[],
  ) {}

  /** Compiles the model up to the values `wanted`. */
  static async open(
    path: string,
    wanted: readonly Wanted[],
    how: { readonly input: Input; readonly prepare: Session; readonly stored: ImageShape },
    { threads, backend, profile }: Context,
  ): Promise<Runner> {
    const ends = { input: how.input.value, outputs: wanted };
    const options = { profile, provider: providerOf(backend) };
    const { model, remarks, ...names } = await ForeignModel.openAdapted(path, threads, ends, options);
    return new Runner({ model, names, wanted, ...how }, remarks);
  }

  /**
   * The values of all images, (N, …) each. A UserError tells of one that is not finite, or has no row for each image;
   * `check` may refuse a shape before.
   */
  async run(
    { images, size }: { readonly images: Uint8Array; readonly size: number },
    check: (wanted: Wanted, shape: readonly number[], rows: number) => void,
  ): Promise<NdArray<'float32'>[]> {
    const { wanted, model, input, stored } = this.parts;
    const { batch, pixels } = input;
    const imageSize = sizeOf(stored);
    const channels = pixels.channels === 'gray' ? 1 : 3;
    const piece = batch ?? Math.max(1, Math.floor(PIECE / (channels * pixels.height * pixels.width)));
    let all: NdArray<'float32'>[] = [];
    for (let start = 0; start < size; start += piece) {
      const count = Math.min(piece, size - start);
      const rows = batch ?? count;
      const padded = new Uint8Array(rows * imageSize);
      padded.set(images.subarray(start * imageSize, (start + count) * imageSize));
      const found = await this.piece(ndarray('uint8', [rows, ...stored], padded));
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

  private async piece(images: NdArray): Promise<NdArray[]> {
    const { prepare, model, names } = this.parts;
    const { prepared } = await prepare.run({ images });
    return model.run({ [names.input]: prepared! }, names.outputs);
  }
}

function withoutRows(path: string, { name }: Wanted, shape: readonly number[], rows: number): UserError {
  return new UserError(
    `${path}: computes ${quoted(name)} with shape [${shape.join(', ')}] for ${counted(rows, 'image')}, ` +
      'accepted is a row for each image',
  );
}
