import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { distillers } from '../../../model/distillers';
import { kinds, origins } from '../../../model/distillers/catalogue';
import { inWords } from '../../../model/experiment/describe';

describe('methods in words', () => {
  it('says where each method of the index is from, and its folder is its kind', () => {
    expect(Object.keys(origins)).to.have.members(Object.keys(distillers));
    const index = readFileSync(join(__dirname, '../../../model/distillers/index.ts'), 'utf8');
    const folders = new Map(
      [...index.matchAll(/^ {2}(?:(\w+): )?(\w+),$/gm)].map(([, key, value]) => {
        const path = new RegExp(`import \\{[^}]*\\b${value}\\b[^}]*\\} from '\\./([^']+)'`).exec(index)![1]!;
        return [key ?? value!, path.includes('/') ? path.split('/')[0]! : 'alone'];
      }),
    );
    for (const [name, { kind, year, venue }] of Object.entries(origins)) {
      expect(kind, name).to.equal(folders.get(name));
      if (name === 'nokd') continue;
      expect(year, name).to.be.within(2014, new Date().getFullYear());
      expect(venue, name).to.match(/^\w+$/);
    }
  });

  it('lists all methods, each once under its kind, with year and venue', () => {
    const paragraphs = inWords('all').split('\n\n');
    expect(paragraphs.map((text) => text.split(':')[0])).to.deep.equal(Object.keys(kinds));
    const rows = paragraphs.flatMap((text) => text.split('\n').slice(1));
    expect(rows).to.have.length(Object.keys(distillers).length);
    const features = paragraphs[Object.keys(kinds).indexOf('features')]!;
    expect(features).to.match(/^ {2}ickd +2021 +ICCV +Correlations of channels/m);
    expect(features).not.to.match(/^ {2}dkd /m);
  });

  it('says what frameworks call a method', () => {
    const text = inWords('reviewkd');
    expect(text).to.include('kind: features, 2021, CVPR');
    expect(text).to.include('elsewhere: HierarchicalContextLoss in torchdistill, REVIEWKD in mdistiller');
    expect(inWords('vkd')).not.to.include('elsewhere');
  });
});
