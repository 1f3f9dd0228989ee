/** ONNX teachers beside PyTorch's hooks at the same places, as test/fixtures/make_onnx_taps.py writes both. */
import { join } from 'node:path';
import { expect } from 'chai';
import type { NdArray } from '../../formats/ndarray';
import { readSafetensors } from '../../formats/safetensors';
import type { StoredDataset } from '../../model/data/dataset';
import type { Batch } from '../../model/data/loader';
import { nets } from '../../model/nets';
import type { Model } from '../../model/nets/model';
import { loadTeacher, type Teacher } from '../../model/teachers';
import { parseOnnxTeacher } from '../../model/teachers/onnx/params';
import type { Case, Expected } from './distillers';

const N = 8;
export const EXPORTERS = ['torchscript', 'dynamo'] as const;

export interface Hooked {
  readonly tensors: ReadonlyMap<string, NdArray>;
  /** `"outputs"` of params.json. */
  readonly outputs: object;
  readonly oracle: Readonly<Record<string, Expected>>;
  readonly dataset: StoredDataset;
  readonly student: Model;
  readonly batch: Batch;
}

/** What hooks of PyTorch see inside a network. */
export function hooked(folder: string, name: string): Hooked {
  const { tensors, metadata } = readSafetensors(join(folder, `${name}.safetensors`));
  const images = tensors.get('images')!;
  const [, ...shape] = images.shape as [number, number, number, number];
  const labels = new Uint8Array(N);
  const split = { images: images.data as Uint8Array, labels, size: N };
  const normalize = { mean: [0, 0, 0], std: [1, 1, 1] };
  const classes = Array.from({ length: 10 }, String);
  const dataset: StoredDataset = { name: 'hooked', classes, shape, normalize, train: split, test: split };
  const options = { classes: 10, numChannels: 4, dropoutRate: 0 };
  return {
    tensors,
    outputs: JSON.parse(metadata.outputs!) as object,
    oracle: JSON.parse(metadata.oracle!) as Hooked['oracle'],
    dataset,
    student: { net: nets.cnn!.build, options, normalize, input: shape },
    batch: {
      images: split.images,
      labels: Int32Array.from(labels),
      indices: Uint32Array.from({ length: N }, (_, i) => i),
      size: N,
    },
  };
}

/** The teacher of a file; `lines` receives what it tells. */
export function hookedTeacher(
  path: string,
  { dataset, student }: Hooked,
  params: object,
  lines: string[] = [],
): Promise<Teacher> {
  const teacher = parseOnnxTeacher({ onnx: path, ...params }, 'the test');
  return loadTeacher(teacher, student, dataset, { threads: 1, log: (_, line) => lines.push(line) });
}

/** Outputs within 1e-4 of the length of those of the hooks. */
export function expectHooked(found: Readonly<Record<string, NdArray>>, { tensors }: Hooked): void {
  for (const [name, { shape, data }] of Object.entries(found)) {
    const expected = tensors.get(name)!;
    expect(shape, name).to.deep.equal(expected.shape);
    const values = expected.data as Float32Array;
    const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    const apart = Math.sqrt(values.reduce((sum, value, i) => sum + (value - Number(data[i])) ** 2, 0));
    expect(apart / length, name).to.be.below(1e-5);
  }
}

/** The methods of the oracle with students of the same shapes, and what a teacher outputs. */
export function casesOf({ tensors }: Hooked, found: Readonly<Record<string, NdArray>>): Record<string, Case> {
  const side = (name: string) => tensors.get(name)!.shape.at(-1)!;
  const map = (channels: number, name: string) => [N, channels, side(name), side(name)];
  const students: Record<string, Pick<Case, 'student' | 'options'>> = {
    rkd: { student: { pooled: [N, 6] } },
    at: {
      student: { stage1: map(3, 'stage1'), stage2: map(5, 'stage2') },
      options: { layers: ['stage1', 'stage2'].map((name) => [name, name]) },
    },
    fitnet: { student: { stage2: map(3, 'stage2') }, options: { layers: [['stage2', 'stage2']] } },
    crd: { student: { pooled: [N, 5] }, options: { negatives: 16, dim: 6, tau: 0.5 } },
    reviewkd: {
      student: { stage1: map(3, 'stage1'), stage2: map(5, 'stage2'), pooled: [N, 6] },
      options: { layers: ['stage1', 'stage2'].map((name) => [name, `${name}.preact`]) },
    },
    embedding: { student: { pooled: [N, 6] } },
  };
  const teacher = Object.fromEntries(Object.entries(found).map(([name, { shape }]) => [name, shape]));
  const given = Object.fromEntries(Object.entries(found).map(([name, array]) => [`teacher/${name}`, array]));
  return Object.fromEntries(
    Object.entries(students).map(([method, own]) => [method, { method, ...own, teacher, given }]),
  );
}
