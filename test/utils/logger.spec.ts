import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { UserError } from '../../utils/errors';
import { deferredLog, formatMetrics, openLog, timestamp } from '../../utils/logger';

/** What `action` writes to stdout. */
function printedBy(action: () => void): string {
  const original = process.stdout.write.bind(process.stdout);
  let text = '';
  process.stdout.write = (chunk: string | Uint8Array) => {
    text += String(chunk);
    return true;
  };
  try {
    action();
  } finally {
    process.stdout.write = original;
  }
  return text;
}

describe('log', () => {
  let directory: string;
  before(() => (directory = mkdtempSync(join(tmpdir(), 'log-'))));
  after(() => rmSync(directory, { recursive: true }));

  it('appends time, level and message to the file and prints the message alone', () => {
    const path = join(directory, 'train.log');
    writeFileSync(path, 'of an earlier run\n');
    const printed = printedBy(() => {
      const log = openLog(path);
      log.info('- Train metrics: accuracy: 0.453 ; loss: 1.503');
      log.warn('two\nlines');
      log.error('100 % wrong');
    });
    expect(printed).to.equal('- Train metrics: accuracy: 0.453 ; loss: 1.503\ntwo\nlines\n100 % wrong\n');
    const [earlier, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(earlier).to.equal('of an earlier run');
    const time = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}:/;
    for (const line of lines) expect(line).to.match(time);
    expect(lines.map((line) => line.replace(time, ''))).to.deep.equal([
      'INFO: - Train metrics: accuracy: 0.453 ; loss: 1.503',
      'WARNING: two',
      'WARNING: lines',
      'ERROR: 100 % wrong',
    ]);
  });

  it('begins a line of its own where the last one was cut off', () => {
    const path = join(directory, 'cut.log');
    writeFileSync(path, 'whole\n2018-03-04 05:0');
    printedBy(() => openLog(path).info('next'));
    expect(readFileSync(path, 'utf8')).to.match(/^whole\n2018-03-04 05:0\n\d{4}-[^\n]*:INFO: next\n$/);
  });

  it('fails at once where it cannot write', () => {
    const path = join(directory, 'missing', 'train.log');
    expect(() => openLog(path)).to.throw(UserError, `${path}: cannot be written`);
  });

  it('stamps local time with leading zeros', () => {
    expect(timestamp(new Date(2018, 2, 4, 5, 6, 7, 8))).to.equal('2018-03-04 05:06:07,008');
    expect(timestamp(new Date(2018, 11, 31, 23, 59, 59, 999))).to.equal('2018-12-31 23:59:59,999');
  });

  it('writes metrics with three decimals', () => {
    expect(formatMetrics({ accuracy: 0.453, loss: 1.503 })).to.equal('accuracy: 0.453 ; loss: 1.503');
    expect(formatMetrics({ accuracy: 1, loss: 12.34567 })).to.equal('accuracy: 1.000 ; loss: 12.346');
    expect(formatMetrics({ loss: NaN })).to.equal('loss:   NaN');
    expect(formatMetrics({})).to.equal('');
  });
});

describe('deferredLog', () => {
  it('keeps lines until there is a log, which then gets later ones directly', () => {
    const written: string[] = [];
    const write = (level: string) => (message: string) => void written.push(`${level} ${message}`);
    const { lines, say, open } = deferredLog();
    say('warn', 'early');
    expect([written, lines]).to.deep.equal([[], [['warn', 'early']]]);
    open({ info: write('info'), warn: write('warn'), error: write('error') });
    say('info', 'late');
    expect(written).to.deep.equal(['info late']);
    expect(lines).to.have.length(1);
  });
});
