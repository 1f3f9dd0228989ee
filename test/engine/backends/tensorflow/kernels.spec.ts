/** That TensorFlow.js can run whatever graph there is: networks, methods, optimizers; and that both of its builds can. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openTensorflow } from '../../../../engine/backends/tensorflow';
import { kernels } from '../../../../engine/backends/tensorflow/kernels';
import { loadPackage } from '../../../../engine/backends/tensorflow/package';
import type { Graph } from '../../../../engine/graph';
import { optimizers, sgd } from '../../../../engine/optimizers';
import { State } from '../../../../engine/session';
import { distillers } from '../../../../model/distillers';
import { methodsOf } from '../../../../model/experiment/experiment';
import { plannedRuns } from '../../../../model/experiment/stages';
import { nets } from '../../../../model/nets';
import { evaluationGraph, outputShapes, type Model } from '../../../../model/nets/model';
import { phasesOf, trainingGraph } from '../../../../model/training/step_graph';
import { writeJson } from '../../../../utils/files';
import { operatorCases, resultsOf } from '../../../helpers/device_cases';
import { trainingOptions } from '../../../helpers/training';

const BATCH = 4;

function modelOf(name: string): Model {
  return {
    net: nets[name]!.build,
    options: { classes: 10, numChannels: 8, dropoutRate: 0.5 },
    normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    input: [3, 32, 32],
  };
}

function unknownOperators(graph: Graph): string[] {
  const names = graph.nodes.map(({ domain, opType }) => (domain === '' ? opType : `${domain}.${opType}`));
  return [...new Set(names)].filter((name) => !(name in kernels));
}

describe('the kernels of TensorFlow.js', function () {
  this.timeout(60_000);

  it('are there for every network, as trained and as evaluated', () => {
    for (const name of Object.keys(nets)) {
      const model = modelOf(name);
      expect(unknownOperators(evaluationGraph(model)), name).to.deep.equal([]);
      expect(unknownOperators(trainingGraph(model, trainingOptions(sgd(), BATCH))), name).to.deep.equal([]);
    }
  });

  it('are there for every method, with all that a step may have', () => {
    const model = modelOf('resnet8');
    const weights = State.initial(evaluationGraph(model)).arrays();
    const teacher = { shapes: outputShapes(model), network: { model, weights } };
    const folder = mkdtempSync(join(tmpdir(), 'kernels-'));
    try {
      for (const [name, { exampleStudent }] of Object.entries(distillers)) {
        const student = exampleStudent === undefined ? model : modelOf(exampleStudent);
        mkdirSync(join(folder, name));
        const params = {
          model_version: 'resnet8',
          method: name,
          learning_rate: 0.1,
          num_epochs: 2,
          teacher: 'resnet8',
        };
        writeJson(join(folder, name, 'params.json'), params);
        for (const run of plannedRuns(join(folder, name))) {
          const options = {
            ...trainingOptions(sgd(), BATCH, { methods: methodsOf(run.params), mixes: true, labelSmoothing: 0.1 }),
            ...{ teacher, clipNorm: 1, averageDecay: 0.9 },
          };
          for (const phase of phasesOf(options.methods)) {
            for (const part of ['add', 'apply'] as const) {
              expect(unknownOperators(trainingGraph(student, options, phase, part)), name).to.deep.equal([]);
            }
          }
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('use nothing that the native build lacks', async () => {
    await import('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js');
    const { tf } = await loadPackage();
    const { backend } = await openTensorflow();
    const { kernelNames } = await tf.profile(async () => {
      for (const one of Object.values(operatorCases)) await resultsOf(one, backend);
      return tf.scalar(0);
    });
    expect(kernelNames).to.include.members(['Conv2D', 'DepthwiseConv2dNative', 'ScatterNd']);
    expect(kernelNames.filter((name) => !tf.getKernel(name, 'tensorflow'))).to.deep.equal([]);
  });

  it('are there for every optimizer', () => {
    for (const [name, { make }] of Object.entries(optimizers)) {
      const optimizer = make({ learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 });
      const graph = trainingGraph(modelOf('cnn'), trainingOptions(optimizer, BATCH));
      expect(unknownOperators(graph), name).to.deep.equal([]);
    }
  });
});
