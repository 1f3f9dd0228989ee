/** The heads of networks: the map before the classifier, and the classifier, found by how logits were made. */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { globalAvgPool } from '../../../engine/ops/index';
import { Session, State } from '../../../engine/session';
import { ndarray } from '../../../formats/ndarray';
import { FeatureMaps } from '../../../model/nets/feature_maps';
import { studentHead, teacherHead, type Head } from '../../../model/nets/heads';
import { nets } from '../../../model/nets/index';
import { Layers } from '../../../model/nets/layers';
import { evaluationGraph, outputsOf, type Model } from '../../../model/nets/model';
import { UserError } from '../../../utils/errors';
import { expectClose } from '../../helpers/engine';

const modelOf = (name: string): Model => ({
  net: nets[name]!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0.5 },
  normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  input: [3, 32, 32],
});
const images = ndarray(
  'uint8',
  [1, 3, 32, 32],
  Uint8Array.from({ length: 3072 }, (_, i) => (i * 37) % 256),
);

describe('heads', () => {
  it('are there for every network, and nearly all have a map', () => {
    const without = Object.keys(nets).filter((name) => {
      const outputs = outputsOf(modelOf(name), new Layers(new Graph(), { mode: 'eval', seed: 0 }));
      const head = studentHead(FeatureMaps.of('student', outputs));
      expect(head.classify(outputs.pooled).shape, name).to.deep.equal(outputs.logits.shape);
      try {
        expect(head.map.shape.slice(0, 2), name).to.deep.equal(outputs.pooled.shape);
        return false;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        expect(error.message).to.match(/^the student has no feature map whose mean its classifier sees/);
        return true;
      }
    });
    expect(without).to.include.members(['cnn', 'mlp']).and.not.include.members(['resnet8', 'preact_resnet18']);
    expect(without.length).to.be.below(Object.keys(nets).length / 3);
  });

  for (const name of ['resnet8', 'preact_resnet18', 'mobilenetv2']) {
    it(`of a ${name} give its logits for the mean of its map, as student and as teacher`, async () => {
      const model = modelOf(name);
      const weights = State.initial(evaluationGraph(model)).arrays();
      const graph = new Graph();
      const outputs = outputsOf(model, new Layers(graph, { mode: 'eval', seed: 0 }));
      const taps = FeatureMaps.of('student', outputs);
      const logitsOf = ({ map, classify }: Head) => classify(globalAvgPool(map));
      graph.output('logits', outputs.logits);
      graph.output('student', logitsOf(studentHead(taps)));
      graph.output('teacher', logitsOf(teacherHead(taps, { model, weights }, graph)));
      const session = await Session.create(graph, { threads: 1 });
      const found = await session.run({ images }, State.initial(graph));
      await session.release();
      expectClose(found.student!, found.logits!, 1e-5, 'student');
      expectClose(found.teacher!, found.logits!, 1e-5, 'teacher');
    });
  }
});
