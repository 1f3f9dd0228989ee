/**
 * Transformers and modern convolutional networks (model/nets/vit.ts, convnext.ts, efficientnet.ts, mobilenetv3.ts, regnet.ts)
 * against timm's in float64 (rule and cases: test/fixtures/make_nets_modern.py).
 */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import type { NdArray } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import oracle from '../../fixtures/nets_modern.json';
import { expectClose, float32 } from '../../helpers/engine';
import { draw, normOf } from '../../helpers/nets';
import { allowed, evaluated, parseCase, statesOf, trained } from '../../helpers/timm_nets';

/** Of each value, in order: L2 norm, first value, product with drawn numbers. */
interface Summaries {
  readonly norm: readonly number[];
  readonly first: readonly number[];
  readonly probe: readonly number[];
}

interface Expected {
  readonly parameters: number;
  readonly states: number;
  readonly sha256: string;
  readonly seed: number;
  readonly logits: readonly number[];
  readonly loss?: number;
  /** How far float32 of PyTorch is from its float64, for the worst gradient. */
  readonly noise?: number;
  readonly gradients?: Summaries;
  readonly statistics?: Summaries | null;
}

const BATCH = 4;
const cases = Object.entries(oracle as Record<string, Expected>);

describe('modern networks', () => {
  for (const [name, { parameters, states, sha256 }] of cases) {
    it(`${name}: tensors and their names are those of timm`, () => {
      const own = statesOf(parseCase(name));
      expect(own.parameters).to.equal(parameters);
      expect(own.lines).to.have.length(states);
      const digest = createHash('sha256').update(own.lines.map((line) => `${line}\n`).join(''));
      expect(digest.digest('hex'), own.lines.join(' ')).to.equal(sha256);
    });
  }

  it('refuse patches that do not divide the images, and images that leave nothing of a map', () => {
    const patches = /^"patch_size" must divide the 32x30 pixels of the images, got 4$/;
    expect(() => statesOf(parseCase('vit_tiny@3x32x30'))).to.throw(UserError, patches);
    const small = /^convnext: images must be at least 16x16, got 16x12$/;
    expect(() => statesOf(parseCase('convnext_atto@3x16x12'))).to.throw(UserError, small);
  });
});

describe('modern networks agree with timm', function () {
  this.timeout(60_000);

  // The small ones are the tiny ones with twice the width.
  const run = cases.filter(([name]) => process.env.SOAK || !/^(vit|deit)_small/.test(name));
  for (const [name, expected] of run) {
    it(`${name}: logits`, async () => {
      const logits = await evaluated(parseCase(name), expected.seed, BATCH);
      expectClose(logits, float32([BATCH, 10], expected.logits), 1e-5, 'logits');
    });
    if (expected.loss === undefined) continue;
    it(`${name}: loss, gradients and statistics of a step`, async () => {
      const { seed, loss, noise = 0 } = expected;
      const own = await trained(parseCase(name), seed, BATCH);
      expect(Number(own.loss.data[0])).to.be.closeTo(loss!, 1e-5 * loss!);
      expectSummaries(own.gradients, expected.gradients!, seed, Math.max(1e-4, 3 * noise));
      if (expected.statistics) expectSummaries(own.statistics, expected.statistics, seed, 1e-5);
      else expect(own.statistics.size).to.equal(0);
    });
  }
});

function expectSummaries(
  values: ReadonlyMap<string, NdArray>,
  { norm, first, probe }: Summaries,
  seed: number,
  tolerance: number,
): void {
  expect(values.size).to.equal(norm.length);
  const longest = Math.max(...norm);
  [...values].forEach(([name, { shape, data }], i) => {
    const own = data as Float32Array;
    const bound = allowed(norm[i]!, longest, tolerance);
    const drawn = draw(seed, `probe ${name}`, shape, -1, 1).data;
    expect(normOf(own), `norm of ${name}`).to.be.closeTo(norm[i]!, bound);
    expect(own[0], `first value of ${name}`).to.be.closeTo(first[i]!, bound);
    const product = own.reduce((sum, value, k) => sum + value * drawn[k]!, 0);
    expect(product, `product of ${name}`).to.be.closeTo(probe[i]!, bound);
  });
}
