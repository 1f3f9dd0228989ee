import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { distillers } from '../../../model/distillers';
import { kinds, origins } from '../../../model/distillers/catalogue';
import { costs, measuredOn } from '../../../model/distillers/costs';
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

  it('says what a method of the index costs beside the student alone', () => {
    expect(Object.keys(costs)).to.have.members(Object.keys(distillers).filter((name) => name !== 'nokd'));
    for (const [name, { time, withTeacher }] of Object.entries(costs)) {
      expect(time, name).to.be.above(0.8);
      expect(withTeacher, name).to.be.above(time - 0.2);
    }
    const { time, withTeacher, memory } = costs.uda!;
    expect(time).to.be.above(1.5);
    expect(inWords('uda')).to.include(
      `cost of a step, ${measuredOn}: ${time.toFixed(2)} times that of the student alone, ` +
        `${withTeacher.toFixed(2)} times with the teacher's pass; ${memory} MiB more memory`,
    );
    const alone = costs.cskd!.time.toFixed(2);
    expect(inWords('nokd')).not.to.include('cost of a step');
    expect(inWords('cskd')).to.include(`${alone} times that of the student alone; `);
  });
});
