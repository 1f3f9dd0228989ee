/** Opening ONNX Runtime's execution providers, and saying what is missing if one does not start. */
import { existsSync, statSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { version } from 'onnxruntime-node/package.json';
import { ndarray } from '../../formats/ndarray';
import { setup } from '../../utils/commands';
import type { Precision } from '../../utils/devices';
import { messageOf, UserError } from '../../utils/errors';
import { Graph } from '../graph';
import { listSupportedBackends } from '../onnx_runtime';
import type { Backend, DeviceInfo } from './backend';
import { onnxRuntime, type Provider } from './onnxruntime';

const names: Readonly<Record<Provider, string>> = {
  cpu: 'the CPU',
  webgpu: 'WebGPU',
  dml: 'DirectML',
  coreml: 'Core ML',
  cuda: 'CUDA',
};

/** What a provider needs besides its library. */
const needs: Readonly<Record<Exclude<Provider, 'cpu'>, string>> = {
  webgpu: 'a GPU and its driver for Vulkan, Metal or Direct3D 12',
  dml: 'a GPU and its driver for Direct3D 12',
  coreml: 'macOS 10.15',
  cuda: 'an NVIDIA GPU with its driver, CUDA 12 and cuDNN 9',
};

/** Opens ONNX Runtime with a provider and tries it on one product. Rejects with a UserError that says what is missing. */
export async function openOnnxRuntime(provider: Provider): Promise<DeviceInfo> {
  const backend = onnxRuntime(provider);
  const opened = { backend, description: `ONNX Runtime ${version} on ${names[provider]}` };
  if (provider === 'cpu') return opened;
  const known = listSupportedBackends().flatMap(({ name }) => (Object.hasOwn(names, name) ? [name] : []));
  if (!known.includes(provider)) {
    const machine = `${platform()} ${arch()}`;
    throw new UserError(`"device": "${provider}" is not in ONNX Runtime for ${machine}, which has ${known.join(', ')}`);
  }
  if (provider === 'cuda' && !hasCudaLibraries()) {
    throw new UserError(
      `"device": "cuda" needs ONNX Runtime's CUDA libraries, which are not installed: run "${setup.cuda}"`,
    );
  }
  if (provider === 'webgpu') requireVulkan();
  // Otherwise CUDA rounds the factors of float32 products to 10 bits (TF32).
  if (provider === 'cuda') process.env.NVIDIA_TF32_OVERRIDE ??= '0';
  try {
    await tryProduct(backend, 'float32');
  } catch (error) {
    throw new UserError(`"device": "${provider}" needs ${needs[provider]}, but does not start: ${reasonOf(error)}`);
  }
  return opened;
}

/** Tries a backend in a precision on one product. Rejects with a UserError if the device does not support it. */
export async function tryPrecision(backend: Backend, precision: Precision): Promise<void> {
  try {
    await tryProduct(backend, precision);
  } catch (error) {
    throw new UserError(`"precision": "${precision}" is not supported by this GPU: ${reasonOf(error)}`);
  }
}

/** Whether the CUDA libraries are installed; empty files stand for those that could not be downloaded (tools/install.cjs). */
export function hasCudaLibraries(): boolean {
  const folder = join(dirname(require.resolve('onnxruntime-node/package.json')), 'bin', 'napi-v6', platform(), arch());
  return ['cuda', 'shared'].every((name) => {
    const file = statSync(join(folder, `libonnxruntime_providers_${name}.so`), { throwIfNoEntry: false });
    return file !== undefined && file.size > 0;
  });
}

/**
 * Whether this machine has an NVIDIA GPU with its driver, as far as its files tell; `/dev/dxg` is that of WSL. ONNX Runtime's
 * builds for other systems than Linux have no CUDA.
 */
export function hasNvidiaDriver(): boolean {
  return platform() === 'linux' && ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/dev/dxg'].some(existsSync);
}

/** On Linux WebGPU needs the Vulkan loader; without it Dawn, which computes it, prints lines of its own on stderr. */
function requireVulkan(): void {
  if (platform() !== 'linux') return;
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1');
  } catch (error) {
    if (!/cannot open shared object/.test(messageOf(error))) return;
    throw new UserError(
      `"device": "webgpu" needs ${needs.webgpu}, but does not start: libvulkan.so.1 is not installed`,
    );
  }
}

async function tryProduct(backend: Backend, precision: Precision): Promise<void> {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [1, 1]);
  graph.output('y', graph.emit('MatMul', [x, x], [1, 1]));
  const program = await backend.compile(graph, { precision });
  try {
    await program.run({ x: ndarray('float32', [1, 1]) }, new Map(), new Map());
  } finally {
    await program.release();
  }
}

/** The first line of ONNX Runtime's message, without the position in its source. */
function reasonOf(error: unknown): string {
  const [line] = messageOf(error).trim().split('\n');
  return line!.replace(/^.* was false\. /, '');
}
