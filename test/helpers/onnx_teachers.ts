/** The ONNX files of test/fixtures/onnx_teachers, which are models, whole or not. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const onnxTeachersFolder = join(__dirname, '..', 'fixtures', 'onnx_teachers');

export function onnxTeachers(): Uint8Array[] {
  const names = readdirSync(onnxTeachersFolder).filter((name) => name.endsWith('.onnx'));
  return names.map((name) => readFileSync(join(onnxTeachersFolder, name)));
}
