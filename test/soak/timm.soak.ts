/**
 * Every logit, gradient and running statistic of the networks of timm, where python3 (or the program that PYTHON names) has torch and
 * timm: test/fixtures/make_nets_modern.py computes them anew.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { NdArray } from '../../formats/ndarray';
import { readSafetensors } from '../../formats/safetensors';
import oracle from '../fixtures/nets_modern.json';
import { expectClose, float32 } from '../helpers/engine';
import { normOf } from '../helpers/nets';
import { allowed, evaluated, parseCase, trained } from '../helpers/timm_nets';

const BATCH = 4;
const cases = Object.entries(oracle as Record<string, { seed: number; noise?: number; loss?: number }>);

const numbers = ({ data }: NdArray) => Float32Array.from(Array.from<unknown>(data), Number);

const python = [process.env.PYTHON, 'python3'].find(
  (name) => name && spawnSync(name, ['-c', 'import torch, timm'], { stdio: 'ignore' }).status === 0,
);

(python ? describe : describe.skip)(
  'every value of modern networks agrees with timm, where it is installed',
  function () {
    this.timeout(600_000);
    let folder: string;
    before(() => (folder = mkdtempSync(join(tmpdir(), 'timm-'))));
    after(() => rmSync(folder, { recursive: true }));

    for (const [name, { seed, noise = 0 }] of cases.filter(([, { loss }]) => loss !== undefined)) {
      it(name, async () => {
        const file = join(folder, 'values.safetensors');
        const script = join(__dirname, '..', 'fixtures', 'make_nets_modern.py');
        const { status, stderr } = spawnSync(python!, [script, file, name], { encoding: 'utf8' });
        expect(status, stderr).to.equal(0);
        const { tensors } = readSafetensors(file);
        const theirsOf = (key: string) => numbers(tensors.get(key)!);
        const logits = await evaluated(parseCase(name), seed, BATCH);
        expectClose(logits, float32(logits.shape, theirsOf('logits')), 1e-5, 'logits');
        const own = await trained(parseCase(name), seed, BATCH);
        const longest = Math.max(...[...own.gradients.keys()].map((key) => normOf(theirsOf(key))));
        for (const [key, array] of own.gradients) {
          const theirs = theirsOf(key);
          const difference = numbers(array).map((value, i) => value - theirs[i]!);
          const bound = allowed(normOf(theirs), longest, Math.max(1e-4, 3 * noise));
          expect(normOf(difference), key).to.be.at.most(bound);
        }
        for (const [key, value] of own.statistics) expectClose(value, float32(value.shape, theirsOf(key)), 1e-5, key);
      });
    }
  },
);
