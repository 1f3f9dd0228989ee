/** Backends made for tests. */
import { onnxRuntime, type Backend, type CompileOptions, type Program } from '../../engine/backends';
import type { Graph } from '../../engine/graph';

/** ONNX Runtime as if it were a device with its own memory, counting what is carried over. */
export class Resident implements Backend {
  readonly name = 'resident';
  uploaded = 0;
  downloaded = 0;
  freed = 0;
  private readonly host = onnxRuntime('cpu');

  compile(graph: Graph, options: CompileOptions): Promise<Program> {
    return this.host.compile(graph, options);
  }

  upload(...[arrays]: Parameters<Backend['upload']>): ReturnType<Backend['upload']> {
    this.uploaded += arrays.size;
    return this.host.upload(arrays);
  }

  async download(...[values]: Parameters<Backend['download']>): ReturnType<Backend['download']> {
    this.downloaded += values.size;
    return this.host.download(values as Parameters<typeof this.host.download>[0]);
  }

  free(): void {
    this.freed++;
  }
}

/** A backend that compiles nothing and says why. */
export function failing(message: string): Backend {
  return Object.assign(new Resident(), { compile: () => Promise.reject(new Error(message)) });
}
