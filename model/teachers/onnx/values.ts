/** Describes inputs and outputs of a model. */
import type { OnnxValue } from '../../../engine/onnx/read';
import { quoted } from '../../../formats/binary';

/** `"x" float32 [N, 3, 32, 32]`, up to three of them. */
export function list(values: readonly OnnxValue[]): string {
  const axis = (length: number | string) => (/^(\w{1,40}|\?)$/.test(String(length)) ? length : quoted(String(length)));
  const axes = ({ shape }: OnnxValue) => (shape ? shape.slice(0, 8).map(axis).join(', ') : '…');
  const shown = values.slice(0, 3).map((value) => `${quoted(value.name)} ${value.dtype} [${axes(value)}]`);
  return values.length === 0 ? 'nothing' : shown.join(', ') + (values.length > 3 ? ', …' : '');
}
