/**
 * Tests model/teachers/onnx/ and model/nets/onnx_taps.ts. What methods look at inside ONNX teachers is what PyTorch's hooks see
 * at the same places, by both exporters, and so are the losses that come of it; names that fit nothing are refused.
 */
import { join } from 'node:path';
import { expect } from 'chai';
import { expectOracle } from '../../helpers/distillers';
import { casesOf, expectHooked, EXPORTERS, hooked, hookedTeacher } from '../../helpers/onnx_taps';
import { complaintOf } from '../../utils/rows';

const folder = 'test/fixtures/onnx_taps';
const file = (name: string, exporter: string) => join(folder, `${name}.${exporter}.onnx`);

describe('values inside ONNX teachers', function () {
  this.timeout(60_000);

  for (const name of ['tiny_resnet', 'tiny_vit']) {
    for (const exporter of EXPORTERS) {
      it(`are those of PyTorch's hooks, and so are losses: ${name}, ${exporter}`, async () => {
        const of = hooked(folder, name);
        const teacher = await hookedTeacher(file(name, exporter), of, { outputs: of.outputs });
        expect([...teacher.shapes.keys()]).to.have.members([...of.tensors.keys()].filter((key) => key !== 'images'));
        const found = await teacher.outputs(of.batch, [...teacher.shapes.keys()]);
        await teacher.release();
        expectHooked(found, of);
        const cases = casesOf(of, found);
        expect(Object.keys(cases)).to.have.members(Object.keys(of.oracle));
        for (const [method, one] of Object.entries(cases)) await expectOracle(one, of.oracle[method]!);
      });
    }
  }

  it('are found by themselves: the input of the last linear layer, and the last map of each resolution', async () => {
    const of = hooked(folder, 'tiny_resnet');
    for (const exporter of EXPORTERS) {
      const lines: string[] = [];
      const teacher = await hookedTeacher(file('tiny_resnet', exporter), of, {}, lines);
      const found = await teacher.outputs(of.batch, ['stage2', 'stage2.preact', 'stage4', 'pooled', 'logits']);
      await teacher.release();
      const names = { stage2: 'stage1', 'stage2.preact': 'stage1.preact', stage4: 'stage3' };
      for (const [own, hook] of Object.entries(names)) expectHooked({ [hook]: found[own]! }, of);
      expectHooked({ pooled: found.pooled!, logits: found.logits! }, of);
      expect(lines.join('\n')).to.match(
        /methods find stage1 \[16, 16, 16\] of ".*", stage2 \[16, 8, 8\] of ".*", stage3 \[20, 4, 4\] of ".*", stage4 \[24, 2, 2\] of ".*", pooled \[28\] of "/,
      );
    }
  });

  it('take part in what a cache knows a teacher by', async () => {
    const of = hooked(folder, 'tiny_vit');
    const path = file('tiny_vit', 'torchscript');
    const identities = await Promise.all(
      [{ tokens: 'class' }, { tokens: 'mean' }, { tokens: 'mean', prefix: 9 }].map(async (tokens) => {
        const teacher = await hookedTeacher(path, of, { outputs: { pooled: { value: 'norm', ...tokens } } });
        const known = [teacher.identity!(['pooled']), teacher.identity!(['logits'])];
        await teacher.release();
        return known;
      }),
    );
    expect(new Set(identities.map(([pooled]) => pooled)).size).to.equal(3);
    expect(new Set(identities.map(([, logits]) => logits)).size).to.equal(1);
  });

  it('of an encoder are its vector without logits, or its tokens as is said', async () => {
    const of = hooked(folder, 'tiny_vit');
    const path = file('tiny_vit', 'dynamo');
    const plain = await hookedTeacher(path, of, { output: 'embedding' });
    expect([...plain.shapes]).to.deep.include(['pooled', [10]]);
    expect(plain.shapes.has('logits')).to.equal(false);
    await plain.release();
    const teacher = await hookedTeacher(path, of, {
      output: 'embedding',
      outputs: { pooled: { value: 'norm', tokens: 'class' } },
    });
    const { pooled } = await teacher.outputs(of.batch, ['pooled']);
    await teacher.release();
    expectHooked({ cls: pooled! }, of);
  });

  describe('are refused in one line', () => {
    const refused: [what: string, name: string, params: object, says: string][] = [
      [
        'a name that nothing has',
        'tiny_resnet.torchscript',
        { outputs: { stage3: 'laye3' } },
        '"outputs.stage3" is "laye3", accepted are values, nodes and layers of the file, such as "layer3", "conv1", "act1", "maxpool", "layer1"',
      ],
      [
        'a name of a value in an object',
        'tiny_vit.dynamo',
        { outputs: { pooled: { value: 'nrm', tokens: 'class' } } },
        '"outputs.pooled.value" is "nrm", accepted are values, nodes and layers of the file, such as "norm", "patch_embed", "blocks", "head"',
      ],
      [
        'tokens without a word on them',
        'tiny_vit.torchscript',
        { outputs: { pooled: 'norm' } },
        '"outputs.pooled" is "norm", of the shape [N, 17, 12]: say what of its tokens, {"value": …, "tokens": "class"}, "mean" or "map"',
      ],
      [
        'tokens of a map',
        'tiny_resnet.dynamo',
        { outputs: { pooled: { value: 'layer4', tokens: 'mean' } } },
        '"outputs.pooled" is "layer4", of the shape [N, 28, 1, 1], accepted with "tokens" are sequences [N, tokens, width]',
      ],
      [
        'a vector as a stage',
        'tiny_resnet.torchscript',
        { outputs: { stage1: 'fc' } },
        '"outputs.stage1" is "fc", of the shape [N, 10], accepted are maps [N, channels, height, width]',
      ],
      [
        'a prefix that leaves no square',
        'tiny_vit.torchscript',
        { outputs: { stage1: { value: 'norm', tokens: 'map', prefix: 2 } } },
        '"outputs.stage1" is "norm", of the shape [N, 17, 12], whose patches are no square: set "prefix", the number of tokens before them',
      ],
    ];
    for (const [what, name, params, says] of refused) {
      it(what, async () => {
        const [network, exporter] = name.split('.') as [string, string];
        const path = file(network, exporter);
        const complaint = await complaintOf(path, () => hookedTeacher(path, hooked(folder, network), params));
        expect(complaint).to.equal(says);
      });
    }

    it('names that outputs cannot have', () => {
      const path = file('tiny_vit', 'dynamo');
      expect(() => hookedTeacher(path, hooked(folder, 'tiny_vit'), { outputs: { 'a.b': 'norm' } })).to.throw(
        'the test: "outputs" must be names such as "pooled" and "stage1"',
      );
      expect(() => hookedTeacher(path, hooked(folder, 'tiny_vit'), { outputs: { logits: 'head' } })).to.throw(
        '"outputs"',
      );
    });
  });
});
