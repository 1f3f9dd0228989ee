/** Tests model/nets/ on images of one channel. */
import { expect } from 'chai';
import { nets } from '../../../model/nets/index';
import { evaluationGraph } from '../../../model/nets/model';

describe('every network', () => {
  for (const [name, { build }] of Object.entries(nets)) {
    it(`${name} takes images of one channel, with nothing but its first layer of another shape`, () => {
      const shapes = (channels: number) => {
        const graph = evaluationGraph({
          net: build,
          options: { classes: 10, numChannels: 8, dropoutRate: 0 },
          normalize: { mean: Array<number>(channels).fill(0.5), std: Array<number>(channels).fill(0.5) },
          input: [channels, 32, 32],
        });
        return [...graph.states].map(([key, { tensor }]) => [key, tensor.shape.join()] as const);
      };
      const color = new Map(shapes(3));
      const changed = shapes(1).filter(([key, shape]) => color.get(key) !== shape);
      expect(changed.map(([key]) => key)).to.have.length(1);
    });
  }
});
