/** Which build of TensorFlow.js is taken, and what is said where it is not the fast one. */
import util from 'node:util';
import { expect } from 'chai';
import { loadPackage } from '../../../../engine/backends/tensorflow/package';
import { UserError } from '../../../../utils/errors';

const GPU = '@tensorflow/tfjs-node-gpu';
const CPU = '@tensorflow/tfjs-node';
const JAVASCRIPT = '@tensorflow/tfjs';

const absent = () => Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
/** What the package says before its setup was run. */
const unbuilt = new Error(
  'The Node.js native addon module (tfjs_binding.node) can not be found at path: …\nPlease run',
);

/** A build that was loaded, as far as it matters here. */
function build(isUsingGpuDevice?: boolean) {
  const chosen: string[] = [];
  return {
    chosen,
    version: { tfjs: '4.22.0' },
    enableProdMode: () => {},
    setBackend: (name: string) => Promise.resolve(chosen.push(name)),
    ready: () => Promise.resolve(),
    backend: () => ({ isUsingGpuDevice }),
  };
}

/** Loads from what is `installed`: builds, or errors that they throw. */
function load(installed: Record<string, unknown>) {
  return loadPackage((name) => {
    const found = installed[name] ?? absent();
    if (found instanceof Error) throw found;
    return found;
  });
}

describe('the package of TensorFlow.js', () => {
  it('is the one for GPUs where that is installed', async () => {
    const { description, warning } = await load({ [GPU]: build(true), [CPU]: build(), [JAVASCRIPT]: build() });
    expect(description).to.equal('TensorFlow.js 4.22.0 (@tensorflow/tfjs-node-gpu) on the GPU');
    expect(warning).to.equal(undefined);
  });

  it('says so where it has found no GPU', async () => {
    const { description, warning } = await load({ [GPU]: build(false), [JAVASCRIPT]: build() });
    expect(description).to.equal('TensorFlow.js 4.22.0 (@tensorflow/tfjs-node-gpu) on the CPU');
    expect(warning).to.match(/finds no usable GPU/);
  });

  it('is the one for CPUs where that for GPUs was not set up', async () => {
    const { description, warning } = await load({ [GPU]: unbuilt, [CPU]: build(), [JAVASCRIPT]: build() });
    expect(description).to.equal('TensorFlow.js 4.22.0 (@tensorflow/tfjs-node) on the CPU');
    expect(warning).to.equal(undefined);
  });

  it('is JavaScript, with a warning, where neither is there', async () => {
    for (const gpu of [unbuilt, absent()]) {
      const tf = build();
      const { description, warning } = await load({ [GPU]: gpu, [JAVASCRIPT]: tf });
      expect(tf.chosen).to.deep.equal(['cpu']);
      expect(description).to.equal('TensorFlow.js 4.22.0 in pure JavaScript');
      expect(warning).to.match(/slow: run "npm run setup:tensorflow"/);
      expect(warning).not.to.match(/installed but/);
    }
  });

  it('tells why a native build that was set up cannot be loaded', async () => {
    const broken = new Error('libtensorflow.so.2: cannot open shared object file\nmore');
    const { warning } = await load({ [GPU]: broken, [JAVASCRIPT]: build() });
    expect(warning).to.match(/tfjs-node-gpu is installed but: libtensorflow.so.2: cannot open shared object file$/);
  });

  it('finds what later versions of Node have dropped', async () => {
    const usual = Object.getOwnPropertyDescriptor(util, 'isNullOrUndefined');
    Reflect.deleteProperty(util, 'isNullOrUndefined');
    try {
      await load({ [GPU]: build(true) });
      const { isNullOrUndefined } = util as unknown as { isNullOrUndefined: (value: unknown) => boolean };
      expect([undefined, null, 0, ''].map(isNullOrUndefined)).to.deep.equal([true, true, false, false]);
    } finally {
      if (usual) Object.defineProperty(util, 'isNullOrUndefined', usual);
    }
  });

  it('is asked for in one line where nothing is installed', async () => {
    const error: unknown = await load({}).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(UserError);
    expect((error as Error).message).to.match(/^"device": "tensorflow" .*npm install.*npm run setup:tensorflow[^\n]*$/);
  });
});
