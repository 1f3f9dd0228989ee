/** How many channels ONNX Runtime's CPU kernels keep beside each other in its blocked layout, found by trying. */
import { InferenceSession, OrtTensor } from '../../onnx_runtime';
import { Graph } from '../../graph';
import { writeModel } from '../../onnx/write';
import { BLOCKED_DOMAIN } from './layout_map';

/** More channels than any processor's block. */
const CHANNELS = 64;

let found: Promise<number> | undefined;

/** The channels of a block: 16 with AVX-512, 8 with AVX, …; 0 on a processor without kernels for the layout. */
export function blockSize(): Promise<number> {
  return (found ??= tried());
}

/** Channel c of a map of two pixels holds c twice; of the blocked ones, those before the first 0 that comes again fill a block. */
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
