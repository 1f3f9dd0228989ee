/** Prints what is in an ONNX file, a checkpoint, the directory of a run, or a network of this house or in a module. */
import { basename } from 'node:path';
import { flops } from '../engine/analysis/flops';
import { inOnnx } from '../engine/onnx/trainable/inventory';
import { readBytes } from '../formats/binary';
import { parseWeights } from '../formats/checkpoints';
import { isOnnx } from '../formats/file_kinds';
import { sizeOf, type NamedArrays } from '../formats/ndarray';
import type { ImageShape } from '../model/data/dataset';
import { figures, networkInWords, section, shapeOf } from '../model/experiment/describe_net';
import { checkpointPath } from '../model/experiment/experiment';
import { netAliases, nets } from '../model/nets/index';
import { parameterCount } from '../model/nets/model';
import { viewOf } from '../model/nets/onnx_net';
import { RunDirectory } from '../runs/run_directory';
import { currentName } from '../utils/aliases';
import { integerFlag, notice, parseArguments } from '../utils/cli';
import { UserError } from '../utils/errors';
import { isDirectory, isThere } from '../utils/files';
import { nearest } from '../utils/nearest';
import { isModulePath } from '../utils/own_module';
import { counted, grouped } from '../utils/words';

const command = {
  name: 'inspect.ts',
  summary: 'Prints what is in a network, an ONNX file, a checkpoint or the directory of a run. Nothing is written.',
  flags: {
    file: {
      type: 'string',
      required: 'name a file, the directory of a run, or a network',
      help: '.onnx, .pth, .safetensors, a directory of a run, a module such as ./my_net.ts, or a name such as resnet20',
    },
    size: { type: 'number', default: 32, help: 'side of the images in pixels, unless an ONNX file fixes it' },
    key: { type: 'string', help: 'key of the weights in a checkpoint that has several' },
  },
} as const;

export async function inspect(): Promise<void> {
  const { file, size, key } = parseArguments(process.argv.slice(2), command);
  integerFlag('size', size, 1, 4096);
  process.stdout.write(`${(await inspection(file, size, key)).join('\n')}\n`);
}

/** Lines on what is in a file, the directory of a run, or a network, on images with sides of `size` pixels. */
export async function inspection(file: string, size: number, key?: string): Promise<string[]> {
  if (isModulePath(file)) return networkInWords(file, size);
  const name: string = currentName(file, netAliases);
  if (Object.hasOwn(nets, name)) return networkInWords(name, size);
  if (!isThere(file)) {
    const near = nearest(name, Object.keys(nets));
    throw new UserError(`${file}: no such file, and no network of this name${near ? `; did you mean "${near}"?` : ''}`);
  }
  const path = isDirectory(file) ? checkpointPath(new RunDirectory(file), 'best') : file;
  const bytes = readBytes(path);
  if (isOnnx(bytes)) return ofOnnx(path, bytes, size);
  return ofWeights(path, await parseWeights(bytes, path, { key, log: notice }));
}

/** An ONNX file: whether it can be trained is said at its end, in the line that train.ts would refuse it with. */
function ofOnnx(path: string, bytes: Uint8Array, size: number): string[] {
  const { program, operators, open } = inOnnx(bytes, path);
  const io = (values: typeof program.inputs) =>
    values.map(({ name, dtype, shape }) => [name, dtype, shapeOf(shape ?? ['…'])]);
  const lines = [
    `${path}: ONNX, opset ${program.opset}, written by ${program.producer || 'an unknown exporter'}`,
    ...section('inputs', io(program.inputs)),
    ...section('outputs', io(program.outputs)),
    ...section(
      `operators (${counted(program.nodes.length, 'node')})`,
      operators.map(({ name, count, trains }) => [name, String(count), trains]),
    ),
  ];
  try {
    const network = open();
    const image = imageShape(network.input.shape, size);
    const { graph, built, outputs } = viewOf(network, image);
    const taps = new Map(
      Object.entries({ ...outputs.features, pooled: outputs.pooled }).map(([key, tap]) => [tap, key]),
    );
    const rows = [...built.inner.values()].map(({ name, node, tensor }) => [
      name,
      shapeOf(tensor.shape.slice(1)),
      node.opType,
      name.startsWith(node.name) ? '' : node.name,
      taps.get(tensor) ?? '',
    ]);
    lines.push(
      ...section('values inside: name, shape, operator, node, output for methods', rows),
      '',
      `for images of ${shapeOf(image)}:`,
      ...figures(parameterCount(graph), flops(graph)),
      ...network.remarks.map((remark) => `  warning: it ${remark}`),
      `  trains: "model_version": ${JSON.stringify(path)}`,
    );
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    lines.push('', `does not train: ${error.message}`);
  }
  return lines;
}

/** (C, H, W) where the file leaves some open; channels are 3, or 1 or 3 at the end of NHWC. */
function imageShape(shape: readonly (number | string)[] | undefined, size: number): ImageShape {
  const [, ...sides] = shape?.length === 4 ? shape : ['N', 3, size, size];
  const isLast = [1, 3].includes(sides[2] as number) && ![1, 3].includes(sides[0] as number);
  const [channels, height, width] = isLast ? [sides[2], sides[0], sides[1]] : sides;
  const known = (side: number | string | undefined, otherwise: number) => (typeof side === 'number' ? side : otherwise);
  return [known(channels, 3), known(height, size), known(width, size)];
}

function ofWeights(path: string, weights: NamedArrays): string[] {
  const values = [...weights.values()].reduce((total, { shape }) => total + sizeOf(shape), 0);
  const rows = [...weights].map(([name, { dtype, shape }]) => [name, dtype, shapeOf(shape)]);
  return [
    `${path}: ${counted(weights.size, 'tensor')}, ${grouped(values)} values`,
    ...section(`tensors of ${basename(path)}`, rows),
  ];
}
