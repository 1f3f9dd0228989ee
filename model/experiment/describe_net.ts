/** Describes a network: the options of its module, its size, and its outputs for methods. */
import { getBorderCharacters, table } from 'table';
import { flops } from '../../engine/analysis/flops';
import { isModulePath } from '../../utils/own_module';
import { printable } from '../../utils/printable';
import { mistakes } from '../../utils/schema';
import { grouped } from '../../utils/words';
import { netCalled, type Net } from '../nets/index';
import { evaluationGraph, outputShapes, parameterCount, type Model } from '../nets/model';
import { loadNet } from '../nets/own_net';

/** Lines on a network of this house, or in a module with the defaults of its options, on images with sides of `size` pixels. */
export function networkInWords(name: string, size: number): string[] {
  const { options = {}, title } = isModulePath(name) ? loadNet(name) : {};
  const values = {};
  mistakes({ type: 'object', properties: options }, values);
  const model = sampleOf(netCalled(name, values).build, size);
  const graph = evaluationGraph(model);
  const rows = Object.entries(options).map(([key, schema]) => [
    key,
    JSON.stringify(schema.default) ?? '',
    typeof schema.title === 'string' ? schema.title : '',
  ]);
  return [
    `${name}${title === undefined ? '' : `: ${title}`}`,
    ...section('"model_options", their defaults', rows),
    '',
    `for images of 3 × ${size} × ${size} and 10 classes:`,
    ...figures(parameterCount(graph), flops(graph)),
    ...section(
      'outputs for methods',
      [...outputShapes(model)].map(([output, shape]) => [output, shapeOf(shape)]),
    ),
  ];
}

/** A network of ten classes on color images with sides of `size` pixels. */
export function sampleOf(net: Net, size: number): Model {
  return {
    net,
    options: { classes: 10, numChannels: 32, dropoutRate: 0 },
    normalize: { mean: [0, 0, 0], std: [1, 1, 1] },
    input: [3, size, size],
  };
}

/** Its size in words, of so many parameters and floating-point operations an image. */
export function figures(parameters: number, operations: number): string[] {
  return [`  ${grouped(parameters)} parameters`, `  ${grouped(operations / 2)} multiply-adds an image`];
}

/** A heading and its rows; nothing without rows. */
export function section(title: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const columnDefault = { paddingLeft: 2, paddingRight: 0 };
  const text = table(
    rows.map((row) => row.map((cell) => printable(cell).replaceAll(/[\n\t]/g, ' '))),
    { border: getBorderCharacters('void'), drawHorizontalLine: () => false, columnDefault },
  );
  const lines = text.split('\n').map((line) => line.trimEnd());
  return ['', `${title}:`, ...lines.filter((line) => line !== '')];
}

/** `3 × 32 × 32`. */
export function shapeOf(shape: readonly (number | string)[]): string {
  return shape.length === 0 ? 'scalar' : shape.join(' × ');
}
