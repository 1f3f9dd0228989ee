/** Every network of the index as it is deployed: nothing is left to fold, and the logits stay. */
import { expect } from 'chai';
import type { Graph } from '../../../engine/graph';
import { quantize } from '../../../engine/onnx/quantize';
import { activationRanges } from '../../../engine/onnx/ranges';
import { soleReaders, valuesOf } from '../../../engine/onnx/rewrite';
import { Session, State } from '../../../engine/session';
import type { NdArray } from '../../../formats/ndarray';
import { Evaluator } from '../../../model/evaluation/evaluator';
import { deploymentGraph, pixelFeeds } from '../../../model/evaluation/exported_model';
import { nets } from '../../../model/nets/index';
import { evaluationGraph, parameterCount, type Model } from '../../../model/nets/model';
import { expectClose } from '../../helpers/engine';
import { draw, drawWeights } from '../../helpers/nets';

// Larger networks are only built, unless SOAK=1 is in the environment.
const LARGEST = process.env.SOAK ? { parameters: 40e6, nodes: 1000 } : { parameters: 1.3e6, nodes: 330 };

const SIZE = 3;
const pixels = Uint8Array.from(draw(0, 'pixels', [SIZE, 3, 32, 32], 0, 256).data);

/** A layer whose BatchNorm could still be folded. */
function unfolded(graph: Graph): string[] {
  const soleReader = soleReaders(graph);
  return graph.nodes
    .filter(({ opType }) => opType === 'Conv' || opType === 'Gemm')
    .filter(({ outputs }) => soleReader(outputs[0]!)?.opType === 'BatchNormalization')
    .map(({ name }) => name);
}

async function logitsOf(graph: Graph): Promise<NdArray> {
  const options = { threads: 1, frozen: valuesOf(graph), dynamicBatch: true, opset: 17 };
  const session = await Session.create(graph, options);
  const { logits } = await session.run(pixelFeeds(pixels, [3, 32, 32]));
  await session.release();
  return logits!;
}

describe('every deployed network', function () {
  this.timeout(process.env.SOAK ? 300_000 : 30_000);
  for (const [name, { build }] of Object.entries(nets)) {
    it(name, async () => {
      const model: Model = {
        net: build,
        options: { classes: 7, numChannels: 8, dropoutRate: 0.5 },
        normalize: { mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.3] },
        input: [3, 32, 32],
      };
      const evaluation = evaluationGraph(model);
      const weights = new Map<string, NdArray>();
      const graph = deploymentGraph(model, weights);

      const layers = ({ nodes }: Graph) => nodes.filter(({ opType }) => opType === 'Conv' || opType === 'Gemm').length;
      expect(unfolded(graph)).to.deep.equal([]);
      expect(layers(graph)).to.equal(layers(evaluation));
      expect(graph.nodes.filter(({ domain }) => domain !== '')).to.deep.equal([]);
      if (parameterCount(evaluation) > LARGEST.parameters || graph.nodes.length > LARGEST.nodes) return;

      const state = State.initial(evaluation);
      drawWeights(state, 1, 3);
      for (const [key, array] of state.arrays()) weights.set(key, array);
      const evaluator = await Evaluator.create(model, weights, 1);
      const expected = await evaluator.logits({ images: pixels, labels: new Int32Array(SIZE), size: SIZE });
      await evaluator.release();
      expectClose(await logitsOf(graph), expected, 1e-4, 'float32');

      const ranges = await activationRanges(graph, [pixelFeeds(pixels, [3, 32, 32])], 1);
      expectClose(await logitsOf(quantize(graph, ranges)), expected, 0.2, 'int8');
    });
  }
});
