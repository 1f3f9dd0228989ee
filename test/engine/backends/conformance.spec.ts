/**
 * Tests all backends of engine/backends/. Every operator with its gradients, every optimizer and ten training steps, on every
 * device: the same as on the CPU, whose values agree with PyTorch's (ops.pytorch.spec.ts, training.pytorch.spec.ts). A device
 * without its hardware is left out, and the title says why. TEST_DEVICES=webgpu,cuda runs those devices on the hardware of
 * this machine.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { kernels } from '../../../engine/backends/tensorflow/kernels';
import { readSafetensors } from '../../../formats/safetensors';
import type { Device } from '../../../utils/devices';
import { operatorCases, resultsOf, trainingCases } from '../../helpers/device_cases';
import { expectClose } from '../../helpers/engine';

const TOLERANCE = 1e-4;
/** WGSL promises no more of sin and cos (section 15.7.4, accuracy of built-in functions): 2⁻¹¹ within [−π, π]. */
const WGSL_TRIGONOMETRY = 2 ** -11;

const toleranceOf = (device: string, name: string): number =>
  device === 'webgpu' && /^(sin|cos)$/.test(name) ? WGSL_TRIGONOMETRY : TOLERANCE;

/** Debian's chromium brings a WebGPU device made of software, SwiftShader, and the loader that finds it. */
const CHROMIUM = '/usr/lib/chromium';
const SWIFTSHADER = join(CHROMIUM, 'vk_swiftshader_icd.json');

interface Setup {
  readonly env?: NodeJS.ProcessEnv;
  /** Why the device cannot be tried here. */
  readonly missing?: string | undefined;
}

const asked = (process.env.TEST_DEVICES ?? '').split(',');

function setupOf(device: Device, usual: Setup): Setup {
  return asked.includes(device) ? {} : usual;
}

const devices: Partial<Record<Device, Setup>> = {
  webgpu: setupOf('webgpu', {
    env: { VK_DRIVER_FILES: SWIFTSHADER, LD_LIBRARY_PATH: CHROMIUM },
    missing: existsSync(SWIFTSHADER) ? undefined : "there is no Debian's chromium",
  }),
  tensorflow: setupOf('tensorflow', { missing: isInstalled('@tensorflow/tfjs') ? undefined : 'it is not installed' }),
  cuda: setupOf('cuda', { missing: 'TEST_DEVICES does not name it' }),
};

function isInstalled(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** What the cases come to on a device. */
async function run(device: Device, env: NodeJS.ProcessEnv = {}): Promise<ReturnType<typeof readSafetensors>> {
  const folder = mkdtempSync(join(tmpdir(), 'device-'));
  try {
    const file = join(folder, 'results.safetensors');
    const worker = join(__dirname, '../../helpers/device_worker.ts');
    const child = spawn(process.execPath, ['-r', 'ts-node/register', worker, device, file], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (text) => (errors += String(text)));
    const code = await new Promise((resolve) => child.on('close', resolve));
    if (!existsSync(file)) throw new Error(`the worker ended with ${String(code)}: ${errors}`);
    return readSafetensors(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('every device comes to what the CPU comes to', function () {
  this.timeout(1_200_000);
  const runs = new Map<string, ReturnType<typeof run>>();
  before(() => {
    for (const [device, { env, missing }] of Object.entries(devices)) {
      if (missing === undefined) runs.set(device, run(device as Device, env));
    }
    // One that fails is told of where its results are wanted.
    void Promise.allSettled(runs.values());
  });

  it('in cases that have every operator', () => {
    const nodes = Object.values({ ...operatorCases, ...trainingCases }).flatMap(({ build }) => build().nodes);
    const names = nodes.map(({ domain, opType }) => (domain === '' ? opType : `${domain}.${opType}`));
    // There are kernels for all that any graph has: tensorflow/kernels.spec.ts.
    expect([...new Set(names)]).to.have.members(Object.keys(kernels));
  });

  for (const [device, { missing }] of Object.entries(devices)) {
    if (missing !== undefined) {
      it(`${device} (left out: ${missing})`);
      continue;
    }

    describe(device, () => {
      let found: Awaited<ReturnType<typeof run>>;
      before(async () => (found = await runs.get(device)!));

      for (const [name, one] of Object.entries({ ...operatorCases, ...trainingCases })) {
        it(name, async () => {
          expect(found.metadata[name]).to.equal(undefined);
          for (const [key, array] of await resultsOf(one)) {
            expectClose(found.tensors.get(`${name}|${key}`)!, array, toleranceOf(device, name), key);
          }
        });
      }
    });
  }
});
