/**
 * Tests docs/. What pages show of params.json and search.json is accepted; blocks may have a few keys only, or a key in
 * several forms.
 */
import { expect } from 'chai';
import { parseParams } from '../../model/experiment/params';
import { parseSettings } from '../../search/settings/settings';
import { blocksOf, pages, textOf } from '../helpers/pages';

const base = { model_version: 'cnn_distill', teacher: 'resnet20', learning_rate: 0.1, num_epochs: 30 };

/** A block as one file, or as one for each line that is a key of its own. */
function filesIn(block: string): unknown[] {
  const text = block.trim().startsWith('{') ? block : `{${block}}`;
  try {
    return [JSON.parse(text)];
  } catch {
    return block
      .trim()
      .split('\n')
      .map((line) => JSON.parse(`{${line}}`) as unknown);
  }
}

describe('JSON in the pages', () => {
  const blocks = pages.flatMap((page) => blocksOf(textOf(page), 'json').map((block) => ({ page, block })));

  it('is there for experiments and for searches', () => {
    expect(blocks.map(({ page }) => page)).to.include.members(['README.md', 'docs/data.md', 'docs/search.md']);
  });

  for (const [i, { page, block }] of blocks.entries()) {
    it(`is accepted: ${page}, block ${i + 1}`, () => {
      for (const file of filesIn(block)) {
        if ('space' in (file as object)) parseSettings(file, page);
        else {
          const params = { ...base, ...(file as object) };
          parseParams(params, page);
        }
      }
    });
  }
});
