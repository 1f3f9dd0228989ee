/**
 * ResNet-50 and ViT-tiny, exported here by both exporters of PyTorch, as teachers: what methods look at is what PyTorch's hooks see
 * at the same places, and losses are PyTorch's. PYTHON names the Python with torch, torchvision, timm and onnx.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { expectOracle } from '../helpers/distillers';
import { casesOf, expectHooked, EXPORTERS, hooked, hookedTeacher } from '../helpers/onnx_taps';

describe('teachers that PyTorch exports here', function () {
  this.timeout(3_600_000);
  let folder: string;
  before(function () {
    const python = [process.env.PYTHON, 'python3'].find(
      (name) => name && spawnSync(name, ['-c', 'import torch, torchvision, timm, onnx, onnxscript']).status === 0,
    );
    if (python === undefined) return this.skip();
    folder = mkdtempSync(join(tmpdir(), 'taps-'));
    const { status, stderr } = spawnSync(python, ['test/fixtures/make_onnx_taps.py', folder], { encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  for (const name of ['resnet50', 'vit_tiny']) {
    for (const exporter of EXPORTERS) {
      it(`${name}, ${exporter}`, async () => {
        const of = hooked(folder, name);
        const teacher = await hookedTeacher(join(folder, `${name}.${exporter}.onnx`), of, { outputs: of.outputs });
        const found = await teacher.outputs(of.batch, [...teacher.shapes.keys()]);
        await teacher.release();
        expectHooked(found, of);
        for (const [method, one] of Object.entries(casesOf(of, found))) await expectOracle(one, of.oracle[method]!);
      });
    }
  }
});
