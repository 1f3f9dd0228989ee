/**
 * Tests model/nets/cross_entropy.ts and model/distillers/logits/kd.ts. Cross-entropy and distillation losses with their
 * gradients, against PyTorch in float64 (make_losses.py).
 */
import { join } from 'node:path';
import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { Graph } from '../../../engine/graph';
import { add, oneHot } from '../../../engine/ops/index';
import { Session } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import type { NdArray } from '../../../formats/ndarray';
import { readSafetensors } from '../../../formats/safetensors';
import type { DistillContext } from '../../../model/distillers/index';
import { kd, kdLoss, type KdOptions } from '../../../model/distillers/logits/kd';
import { crossEntropy } from '../../../model/nets/cross_entropy';
import { FeatureMaps } from '../../../model/nets/feature_maps';
import { expectClose } from '../../helpers/engine';

interface Case {
  readonly reduction: 'batchmean' | 'mean';
  readonly temperature: number;
  readonly alpha: number;
}

const TOLERANCE = 1e-5;

const { tensors, metadata } = readSafetensors(join(__dirname, '../../fixtures/losses.safetensors'));

function at(key: string): NdArray {
  const array = tensors.get(key);
  if (!array) throw new Error(`the fixture has no ${key}`);
  return array;
}

function logitsAlone(logits: Tensor): FeatureMaps {
  return new FeatureMaps('network', new Map([['logits', () => logits]]));
}

describe('losses agree with PyTorch', () => {
  const sets = [...tensors.keys()].filter((key) => key.endsWith('/labels')).map((key) => key.replace('/labels', ''));

  it('has sets of ordinary and of extreme logits', () => {
    expect(sets).to.have.members(['c10', 'c100', 'c10_extreme', 'c100_extreme']);
    expect(Object.keys(metadata)).to.have.length(2 * (64 + 12));
  });

  for (const set of sets) {
    const cases = Object.keys(metadata).filter((key) => key.startsWith(`${set}/`));
    let results: Record<string, NdArray>;

    /** One graph for all cases of the set: its outputs have the fixture's names. */
    before(async () => {
      const graph = new Graph();
      const feeds = { student: at(`${set}/student`), teacher: at(`${set}/teacher`), labels: at(`${set}/labels`) };
      const student = graph.input('student', 'float32', feeds.student.shape);
      const teacher = graph.input('teacher', 'float32', feeds.teacher.shape);
      const labels = graph.input('labels', 'int32', feeds.labels.shape);
      const [, classes = 0] = student.shape;
      const output = (name: string, loss: Tensor) => {
        graph.output(`${name}/loss`, loss);
        graph.output(`${name}/grad`, gradients(loss, [student])[0]!);
      };
      const targets = oneHot(labels, classes);
      output(`${set}/ce`, crossEntropy(student, targets));
      for (const name of cases) {
        const { reduction, temperature, alpha } = JSON.parse(metadata[name]!) as Case;
        const losses = kd.losses!({
          student: logitsAlone(student),
          teacher: logitsAlone(teacher),
          crossEntropy: (logits) => crossEntropy(logits, targets),
          alpha,
          temperature,
          klReduction: reduction,
          options: { weight: 1, standardize: false, focal: false },
        } as DistillContext<KdOptions>);
        output(name, Object.values(losses).reduce(add));
        graph.output(`${name}/ce`, losses.ce!);
        graph.output(`${name}/kd`, losses.kd!);
        graph.output(`${name}/kdLoss`, kdLoss(student, teacher, temperature, reduction));
      }
      const session = await Session.create(graph, { threads: 1 });
      results = await session.run(feeds);
      await session.release();
    });

    it(`cross-entropy of ${set}`, () => {
      for (const key of ['loss', 'grad'])
        expectClose(results[`${set}/ce/${key}`]!, at(`${set}/ce/${key}`), TOLERANCE, key);
    });

    for (const name of cases) {
      it(name, () => {
        const { alpha, temperature } = JSON.parse(metadata[name]!) as Case;
        const kl = Number(at(`${name.slice(0, name.lastIndexOf('/'))}/kl`).data[0]);
        const ce = Number(at(`${set}/ce/loss`).data[0]);
        const value = (key: string) => Number(results[`${name}/${key}`]!.data[0]);
        const close = (key: string, expected: number) =>
          expect(value(key), key).to.be.closeTo(expected, TOLERANCE * Math.abs(expected) + 1e-30);
        close('kdLoss', temperature ** 2 * kl);
        close('kd', alpha * temperature ** 2 * kl);
        close('ce', (1 - alpha) * ce);
        expectClose(results[`${name}/loss`]!, at(`${name}/loss`), TOLERANCE, 'loss');
        expectClose(results[`${name}/grad`]!, at(`${name}/grad`), TOLERANCE, 'grad');
      });
    }
  }
});
