import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ndarray, type NdArray } from '../../formats/ndarray';
import { writeSafetensors } from '../../formats/safetensors';
import { readTestImages, writeTestImages } from '../../runs/test_images';
import { UserError } from '../../utils/errors';

describe('test images', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'test-images-'));
  const path = join(scratch, 'images_test.safetensors');
  after(() => rmSync(scratch, { recursive: true }));

  it('are read as they were written, none of them too', () => {
    const two = {
      indices: Int32Array.of(7, 70_000),
      shape: [3, 1, 2] as const,
      pixels: Uint8Array.from({ length: 12 }, (_, i) => 20 * i),
    };
    const none = { indices: new Int32Array(0), shape: [1, 4, 4] as const, pixels: new Uint8Array(0) };
    for (const images of [two, none]) {
      writeTestImages(path, images);
      expect(readTestImages(path)).to.deep.equal(images);
    }
  });

  it('are refused, with the name of the file, where it holds something else', () => {
    const indices = ndarray('int32', [2]);
    const cases: Record<string, NdArray>[] = [
      { indices },
      { images: ndarray('uint8', [2, 3, 4, 4]) },
      { indices, images: ndarray('uint8', [1, 3, 4, 4]) },
      { indices, images: ndarray('uint8', [2, 2, 4, 4]) },
      { indices, images: ndarray('uint8', [2, 48]) },
      { indices, images: ndarray('uint8', [2, 1, 4, 65]) },
      { indices, images: ndarray('uint8', [2, 1, 0, 4]) },
      { indices, images: ndarray('float32', [2, 3, 4, 4]) },
      { indices: ndarray('float32', [2]), images: ndarray('uint8', [2, 3, 4, 4]) },
    ];
    for (const tensors of cases) {
      writeSafetensors(path, new Map(Object.entries(tensors)));
      expect(() => readTestImages(path)).to.throw(UserError, `${path}: not the test images of a run: `);
    }
  });
});
