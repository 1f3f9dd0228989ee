/** The devices that a graph can run on, by their names in params.json, and what `auto` chooses. */
import type { Device, Precision } from '../../utils/devices';
import { messageOf, UserError } from '../../utils/errors';
import type { OpenDevice, DeviceInfo } from './backend';
import { hasCudaLibraries, hasNvidiaDriver, openOnnxRuntime, tryPrecision } from './providers';
import { openTensorflow } from './tensorflow';

export type { Device, Precision } from '../../utils/devices';
export type { Backend, CompileOptions, DeviceInfo, Program, Results } from './backend';
export { onnxRuntime } from './onnxruntime';

const devices: Readonly<Record<Device, OpenDevice>> = {
  auto: openBest,
  cpu: () => openOnnxRuntime('cpu'),
  webgpu: () => openOnnxRuntime('webgpu'),
  dml: () => openOnnxRuntime('dml'),
  coreml: () => openOnnxRuntime('coreml'),
  cuda: () => openOnnxRuntime('cuda'),
  tensorflow: openTensorflow,
};

/** Backends that run products faster in float16. */
const halving = ['webgpu', 'dml', 'cuda'];

/**
 * Opens a device by its name, for training steps in a precision; `precision` in the result is the one to use. Rejects with a
 * UserError that says what is missing. `auto` never rejects: it falls back to the CPU, and to float32.
 */
export async function openDevice(
  device: Device,
  precision: Precision = 'float32',
): Promise<DeviceInfo & { readonly precision: Precision }> {
  const opened = await devices[device]();
  if (precision === 'float32') return { ...opened, precision };
  try {
    const { backend, description } = opened;
    if (!halving.includes(backend.name)) {
      throw new UserError(`"precision": "float16" is not faster on "device": "${backend.name}": use "float32"`);
    }
    await tryPrecision(backend, precision);
    return { ...opened, description: `${description}, products in float16`, precision };
  } catch (error) {
    if (device !== 'auto') throw error;
    return { ...opened, warning: messageOf(error), precision: 'float32' };
  }
}

/** CUDA if it starts, the CPU otherwise, with the reason on a machine that has an NVIDIA GPU. */
async function openBest(): Promise<DeviceInfo> {
  const onCpu = async (reason: string) => {
    const { backend, description } = await openOnnxRuntime('cpu');
    return { backend, description: `${description}: ${reason}` };
  };
  if (!hasNvidiaDriver()) return openOnnxRuntime('cpu');
  if (!hasCudaLibraries()) return onCpu('the CUDA libraries are not installed');
  try {
    return await openOnnxRuntime('cuda');
  } catch (error) {
    return { ...(await onCpu('CUDA does not start')), warning: messageOf(error) };
  }
}
