/**
 * TensorFlow.js as a backend: the same graph, forward and gradient nodes alike, run by its operators. States are tensors on
 * its device and stay there from step to step.
 */
import type { NamedArrays } from '../../../formats/ndarray';
import type { Graph } from '../../graph';
import type { Backend, CompileOptions, DeviceInfo } from '../backend';
import { toDevice, toHost } from './arrays';
import { loadPackage, type Tf } from './package';
import { TensorflowProgram, type DeviceArray } from './program';

class TensorflowBackend implements Backend<DeviceArray> {
  readonly name = 'tensorflow';

  constructor(private readonly tf: Tf) {}

  compile(graph: Graph, options: CompileOptions): Promise<TensorflowProgram> {
    return Promise.resolve(new TensorflowProgram(this.tf, graph, options));
  }

  upload(arrays: NamedArrays): Promise<Map<string, DeviceArray>> {
    const values = [...arrays].map(([name, array]) => {
      return [name, { tensor: toDevice(this.tf, array), dtype: array.dtype }] as const;
    });
    return Promise.resolve(new Map(values));
  }

  async download(values: ReadonlyMap<string, DeviceArray>): Promise<NamedArrays> {
    const arrays = [...values].map(async ([name, { tensor, dtype }]) => [name, await toHost(tensor, dtype)] as const);
    return new Map(await Promise.all(arrays));
  }

  free({ tensor }: DeviceArray): void {
    tensor.dispose();
  }
}

/** Opens the first build of TensorFlow.js that is installed. Rejects with a UserError if none is. */
export async function openTensorflow(): Promise<DeviceInfo> {
  const { tf, ...about } = await loadPackage();
  return { backend: new TensorflowBackend(tf), ...about };
}
