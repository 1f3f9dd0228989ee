/**
 * Tests model/teachers/onnx/. Every kind of ONNX teacher that people have, read with the numbers of plain ONNX Runtime or
 * refused with the line that helps.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensors } from '../../../formats/safetensors';
import type { StoredDataset } from '../../../model/data/dataset';
import { calibrationBatches } from '../../../model/evaluation/calibration';
import { nets } from '../../../model/nets';
import type { Model } from '../../../model/nets/model';
import { loadTeacher } from '../../../model/teachers';
import { parseOnnxTeacher } from '../../../model/teachers/onnx/params';
import list from '../../fixtures/onnx_teachers/list.json';
import { expectClose } from '../../helpers/engine';
import { complaintOf } from '../../utils/rows';

interface Entry {
  readonly file: string;
  readonly what: string;
  /** The images. */
  readonly data: 'color' | 'gray';
  readonly params: Readonly<Record<string, unknown>>;
  /** Part of the line that is told. */
  readonly log?: string;
  /** What its logits are called in expected.safetensors, or a part of the line of the error. */
  readonly read?: string;
  readonly refused?: string;
}

const folder = 'test/fixtures/onnx_teachers';
const files = list.files as Entry[];
const { tensors } = readSafetensors(join(folder, 'expected.safetensors'));
const CLASSES = Array.from({ length: 10 }, (_, i) => `class ${i}`);

function datasetOf(data: Entry['data']): StoredDataset {
  const images = tensors.get(data)!;
  const [size, ...shape] = images.shape as [number, number, number, number];
  const values = (value: number) => Array<number>(shape[0]).fill(value);
  const split = { images: images.data as Uint8Array, labels: Uint8Array.of(0, 1, 2, 3, 4), size };
  const normalize = { mean: values(0.5), std: values(0.25) };
  return { name: 'tiny', classes: CLASSES, shape, normalize, train: split, test: split };
}

describe('ONNX teachers of others', () => {
  async function load({ file, params, data }: Entry, log: (level: string, line: string) => void) {
    const dataset = datasetOf(data);
    const student: Model = {
      net: nets.cnn!.build,
      options: { classes: 10, numChannels: 4, dropoutRate: 0 },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const teacher = parseOnnxTeacher({ onnx: join(folder, file), ...params }, 'the list');
    return loadTeacher(teacher, student, dataset, { threads: 1, log });
  }

  for (const entry of files) {
    const { file, what, read, refused, log, params, data } = entry;
    const keys = Object.keys(params).map((key) => `"${key}"`);
    const how = keys.length > 0 ? ` with ${keys.join(', ')}` : '';
    if (read === undefined) {
      it(`${file}: ${what}: refused${how}`, async () => {
        const ofNames = /^has (no|the) class/.test(refused!);
        const path = ofNames ? String(params.classes) : join(folder, file);
        expect(await complaintOf(path, () => load(entry, () => {}))).to.include(refused!);
      });
      continue;
    }
    it(`${file}: ${what}: read${how}`, async () => {
      const lines: string[] = [];
      const teacher = await load(entry, (_, line) => lines.push(line));
      const { images, labels, size } = datasetOf(data).train;
      const batch = { images, labels: Int32Array.from(labels), indices: Uint32Array.of(0, 1, 2, 3, 4), size };
      const logits = await teacher.logits(batch);
      // On 8-bit integers as well, but for control flow, of which there is no graph here.
      const dataset = datasetOf(data);
      const quantizing = teacher.quantized!(calibrationBatches(dataset, batch.indices));
      if (file === 'if.onnx') {
        expect(await complaintOf(join(folder, file), () => quantizing)).to.match(
          /control flow.*; or set "teacher_precision" to "float32"$/,
        );
      } else {
        const int8 = await quantizing;
        await teacher.release();
        expectClose(await int8.logits(batch), logits, 0.02, 'int8');
        await int8.release();
      }
      // Half precision is computed by kernels that differ from one version of ONNX Runtime to another.
      expectClose(logits, tensors.get(read)!, file.includes('float16') ? 2e-3 : 1e-5);
      if (log !== undefined)
        expect(
          lines.filter((line) => line.includes(log)),
          lines.join('\n'),
        ).to.have.lengthOf(1);
      for (const line of lines) expect(line.startsWith(join(folder, file)), line).to.equal(true);
    });
  }

  it('are those of the table in docs/teachers.md', () => {
    const rows = files.map(({ what, read }) => `| ${what} | ${read === undefined ? 'refused, with advice' : 'read'} |`);
    const page = readFileSync('docs/teachers.md', 'utf8');
    const [, table = ''] = /<!-- onnx -->\n([^]*?)<!-- \/onnx -->/.exec(page) ?? [];
    expect(table.trim().split('\n').slice(2)).to.deep.equal(rows);
  });
});
