import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { formatDuration, formatProgress, progressBar } from '../../utils/progress';

const root = join(__dirname, '..', '..');

/** A stream that keeps what is written to it, a terminal of 100 columns where `isTTY`. */
function output(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 }) as unknown as NodeJS.WriteStream;
  // One read gives all that was written, or a single piece of it: that depends on the version of Node.
  const written = () => {
    let text = '';
    for (let piece; (piece = (stream as unknown as PassThrough).read() as Buffer | null);) text += piece.toString();
    return text;
  };
  return { stream, written };
}

/** Blocks the event loop, as a training step does. */
const block = (milliseconds: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

describe('progress line', () => {
  const progress = {
    done: 22500,
    total: 50000,
    unit: 'images',
    seconds: 22.5,
    values: { loss: 1.5034, accuracy: 0.453 },
  };

  it('shows percent, count, elapsed and remaining time, rate and values', () => {
    expect(formatProgress(progress)).to.equal(
      ' 45% 22500/50000 [00:22<00:27, 1000 images/s, loss=1.503, accuracy=0.453]',
    );
  });

  it('fits the bar into the width, less the last column', () => {
    const line = formatProgress({ ...progress, width: 100 });
    expect(line).to.have.lengthOf(99);
    const [, bar] = line.split('|');
    expect(bar).to.match(/^█+ +$/);
    expect([...bar!].filter((cell) => cell === '█').length).to.equal(Math.floor(0.45 * bar!.length));
    expect(formatProgress({ ...progress, width: 1000 }).split('|')[1]).to.have.lengthOf(40);
  });

  it('drops what says least where the terminal is narrow', () => {
    const values = { accuracy: 0.45312, loss: 16.224, 'loss/ce': 0.238, 'loss/kd': 15.986 };
    const at = (width: number) => formatProgress({ ...progress, values, width });
    expect(at(120)).to.include('accuracy=0.453, loss=16.224, loss/ce=0.238, loss/kd=15.986]');
    expect(at(90)).to.match(
      /^ 45%\|█+ +\| 22500\/50000 \[00:22<00:27, 1000 images\/s, accuracy=0\.453, loss=16\.224\]$/,
    );
    expect(at(80)).to.equal(' 45% 22500/50000 [00:22<00:27, 1000 images/s, accuracy=0.453, loss=16.224]');
    expect(at(72)).to.equal(' 45% 22500/50000 [00:22<00:27, 1000 images/s, loss=16.224]');
    expect(at(48)).to.equal(' 45% 00:22<00:27, 1000 images/s, loss=16.224');
    expect(at(40)).to.equal(' 45% 00:27 left, 1000/s, loss=16.224');
    expect(at(30)).to.equal(' 45% 00:27 left loss=16.224');
    for (let width = 1; width < 130; width++) expect(at(width).length, String(width)).to.be.below(Math.max(width, 1));
  });

  it('counts bytes in megabytes', () => {
    const line = formatProgress({ done: 81.49e6, total: 162.98e6, unit: 'bytes', seconds: 10, values: {} });
    expect(line).to.equal(' 50% 81.5/163.0 [00:10<00:10, 8.1 MB/s]');
  });

  it('has no figure that is not a number at either end', () => {
    const ends = { ...progress, values: {} };
    expect(formatProgress({ ...ends, done: 0, seconds: 0 })).to.equal('  0% 0/50000 [00:00<?, 0 images/s]');
    expect(formatProgress({ ...ends, done: 0, total: 0 })).to.equal('100% 0/0 [00:22<?, 0 images/s]');
    expect(formatProgress({ ...ends, done: 60, total: 50, seconds: 60 })).to.equal(
      '100% 60/50 [01:00<00:00, 1 images/s]',
    );
  });

  it('writes hours only where there are any', () => {
    expect([0, 59.9, 60, 3599, 3600, 36061].map(formatDuration)).to.deep.equal([
      '00:00',
      '00:59',
      '01:00',
      '59:59',
      '1:00:00',
      '10:01:01',
    ]);
  });
});

describe('progress bar', () => {
  it('draws on a terminal while the event loop is blocked, and stays on its line', () => {
    const { stream, written } = output(true);
    const bar = progressBar(100, 'images', { stream });
    expect(written()).to.contain('  0%|');
    for (const done of [50, 75]) {
      block(250);
      bar.update(done, { loss: 1 });
      expect(written()).to.match(new RegExp(` ${done}%\\|█+ +\\| ${done}/100 \\[.*images/s, loss=1\\.000\\]`));
    }
    bar.update(100, { loss: 0.5 });
    bar.stop();
    const last = written();
    expect(last).to.match(/100%\|█+\| 100\/100 \[.*loss=0\.500\]/);
    expect(last.endsWith('\n')).to.equal(true);
    expect(last.slice(last.indexOf('100/100'))).not.to.contain('\x1b[2K');
  });

  it('uses no colors', () => {
    const { stream, written } = output(true);
    const bar = progressBar(10, 'images', { stream });
    bar.update(10, { loss: 1, accuracy: 1 });
    bar.stop();
    expect(written()).not.to.match(/\x1b\[[\d;]*m/);
  });

  it('prints a plain line every 30 seconds where there is no terminal, and nothing else', () => {
    const { stream, written } = output(false);
    let seconds = 1000;
    const bar = progressBar(100, 'images', { stream, now: () => 1000 * seconds });
    const at = (second: number, done: number) => {
      seconds = 1000 + second;
      bar.update(done, { loss: 2 });
      return written();
    };
    expect(at(0, 0)).to.equal('');
    expect(at(29.9, 10)).to.equal('');
    expect(at(31, 31)).to.equal(' 31% 31/100 [00:31<01:09, 1 images/s, loss=2.000]\n');
    expect(at(32, 32)).to.equal('');
    expect(at(60.9, 60)).to.equal('');
    expect(at(61, 61)).to.equal(' 61% 61/100 [01:01<00:39, 1 images/s, loss=2.000]\n');
    bar.stop();
    expect(written()).to.equal('');
  });

  it('does not keep a process alive that fails before the end', () => {
    const script = `
      require('ts-node/register');
      const { progressBar } = require('./utils/progress');
      Object.defineProperty(process.stderr, 'isTTY', { value: true });
      progressBar(10, 'images').update(1);
    `;
    const { status, stderr } = spawnSync(process.execPath, ['-e', script], {
      cwd: root,
      timeout: 8000,
      encoding: 'utf8',
    });
    expect(status).to.equal(0);
    expect(stderr).to.contain('0/10');
  });
});
