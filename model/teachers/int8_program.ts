/**
 * A network of a teacher on 8-bit integers, run by ONNX Runtime on the CPU. Its kernels for uint8 activations and int8 weights
 * with a scale each channel, which are what quantize.ts writes, use the integer units (VNNI, AMX); those for two int8 do not.
 */
import { createHash } from 'node:crypto';
import type { Graph } from '../../engine/graph';
import { fold } from '../../engine/onnx/fold';
import { quantize } from '../../engine/onnx/quantize';
import { activationRanges } from '../../engine/onnx/ranges';
import { valuesOf } from '../../engine/onnx/rewrite';
import { writeModel } from '../../engine/onnx/write';
import { Session, type Results } from '../../engine/session';
import type { NamedArrays } from '../../formats/ndarray';
import type { TeacherContext } from './teacher';

/** Version of the operator set that the graphs of networks are written in. */
const OPSET = 18;

export interface Int8Program {
  readonly session: Session;
  /** A digest of the graph with its weights. */
  readonly identity: string;
}

/** Quantizes a graph in evaluation mode with these weights, by the ranges of its activations on `feeds`. */
export async function int8Program(
  graph: Graph,
  weights: NamedArrays,
  feeds: AsyncIterable<Readonly<Results>>,
  { threads, profile }: Pick<TeacherContext, 'threads' | 'profile'>,
): Promise<Int8Program> {
  const folded = fold(graph, weights);
  const quantized = quantize(folded, await activationRanges(folded, feeds, threads, OPSET));
  const write = { frozen: valuesOf(quantized), dynamicBatch: true, opset: OPSET };
  const identity = createHash('sha256').update(writeModel(quantized, write)).digest('hex');
  return { session: await Session.create(quantized, { ...write, threads, profile }), identity };
}
