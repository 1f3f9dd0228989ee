/**
 * Tests engine/backends/index.ts and providers.ts. Opening devices by name: what is taken, and the line that says what is
 * missing.
 */
import { expect } from 'chai';
import { listSupportedBackends } from 'onnxruntime-node';
import { openDevice } from '../../../engine/backends';
import { hasCudaLibraries, hasNvidiaDriver, tryPrecision } from '../../../engine/backends/providers';
import type { Device, Precision } from '../../../utils/devices';
import { UserError } from '../../../utils/errors';
import { failing } from '../../helpers/residents';

/** The message of the UserError that opening a device ends with. */
async function refusal(device: Device, precision?: Precision): Promise<string> {
  const error: unknown = await openDevice(device, precision).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(UserError);
  expect((error as Error).message).not.to.contain('\n');
  return (error as Error).message;
}

describe('openDevice', () => {
  const withoutCuda = hasCudaLibraries() ? it.skip : it;

  it('has the CPU everywhere', async () => {
    const { backend, description, warning } = await openDevice('cpu');
    expect(backend.name).to.equal('cpu');
    expect(description).to.match(/^ONNX Runtime \d+\.\d+\.\d+ on the CPU$/);
    expect(warning).to.equal(undefined);
  });

  withoutCuda('takes the CPU by itself, and says why where there is an NVIDIA GPU', async () => {
    const { backend, description, warning } = await openDevice('auto');
    expect(backend.name).to.equal('cpu');
    const reason = hasNvidiaDriver() ? ': the CUDA libraries are not installed' : '';
    expect(description).to.match(new RegExp(`^ONNX Runtime \\d+\\.\\d+\\.\\d+ on the CPU${reason}$`));
    expect(warning).to.equal(undefined);
  });

  withoutCuda('tells how to have CUDA where it is asked for by name', async () => {
    const known = listSupportedBackends().map(({ name }) => name);
    expect(await refusal('cuda')).to.match(known.includes('cuda') ? /run "npm run setup:cuda"$/ : /is not in ONNX/);
  });

  it('tells what there is where a provider is of another system', async () => {
    const known = listSupportedBackends().map(({ name }) => name);
    const foreign = (['dml', 'coreml'] as const).find((name) => !known.includes(name))!;
    const expected = new RegExp(`^"device": "${foreign}" is not in ONNX Runtime for \\w+ \\w+, which has cpu, `);
    expect(await refusal(foreign)).to.match(expected);
  });

  it('refuses float16 on the CPU, where it gains nothing; auto does without', async () => {
    expect(await refusal('cpu', 'float16')).to.equal(
      '"precision": "float16" is not faster on "device": "cpu": use "float32"',
    );
    if (hasCudaLibraries()) return;
    const { precision, warning } = await openDevice('auto', 'float16');
    expect(precision).to.equal('float32');
    expect(warning).to.match(/is not faster on "device": "cpu"/);
  });

  it('tells why a device does not do a precision', async () => {
    const error: unknown = await tryPrecision(
      failing('/source.cc:1 f() x was false. no f16 here\n  at'),
      'float16',
    ).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(UserError);
    expect((error as Error).message).to.equal('"precision": "float16" is not supported by this GPU: no f16 here');
  });
});
