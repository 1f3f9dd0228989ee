/** How many channels ONNX Runtime's CPU kernels keep adjacent in its blocked layout (the c of NCHWc), found by trying. */
import { Graph } from '../../graph';
import { writeModel } from '../../onnx/write';
import { InferenceSession, OrtTensor } from '../../onnx_runtime';
import { BLOCKED_DOMAIN } from './operators';

/** More channels than any processor's block. */
const CHANNELS = 64;

let found: Promise<number> | undefined;

/** Channels of a block: 16 with AVX-512, 8 with AVX, …; 0 if the processor has no kernels for the layout. Tried once per process. */
export function blockSize(): Promise<number> {
  return (found ??= tried());
}

/** Channel c of a map of two pixels holds c twice: in the blocked layout the second 0 stands right after the first block. */
async function tried(): Promise<number> {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [1, CHANNELS, 1, 2]);
  const options = { domain: BLOCKED_DOMAIN, attributes: { channels_last: 0 } };
  graph.output('y', graph.emit('ReorderInput', [x], x.shape, options));
  try {
    const session = await InferenceSession.create(writeModel(graph), { logSeverityLevel: 4 });
    const channels = Float32Array.from({ length: 2 * CHANNELS }, (_, i) => Math.floor(i / 2));
    const { y } = await session.run({ x: new OrtTensor('float32', channels, [...x.shape]) });
    await session.release();
    return (y!.data as Float32Array).indexOf(0, 1);
  } catch {
    return 0;
  }
}
