/** Tests utils/live_lines.ts and utils/interrupt.ts: what a terminal shows at last. */
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { finishLiveLines, LiveLines } from '../../utils/live_lines';
import { progressBar } from '../../utils/progress';
import { screenOf } from '../helpers/screen';

function terminal(columns = 30) {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => (stream.read() as string | null) ?? '' };
}

describe('LiveLines', () => {
  it('draws in place, also where the screen scrolls', () => {
    const { stream, text } = terminal();
    stream.write('1\n2\n3\n');
    const lines = LiveLines.on(stream);
    for (const count of [1, 2, 3]) lines.show([`a ${count}`, 'b', 'c']);
    lines.show(['a 4', 'b']);
    lines.finish();
    stream.write('$ ');
    expect(screenOf(text(), 4)).to.deep.equal(['1', '2', '3', 'a 4', 'b', '$ ']);
  });

  it('keeps printed lines above, and leaves nothing where it is cleared', () => {
    const { stream, text } = terminal();
    const lines = LiveLines.on(stream);
    lines.show(['a', 'b']);
    lines.print('a warning that is longer than the lines');
    lines.show(['a', 'b']);
    lines.clear();
    lines.show(['never']);
    expect(screenOf(text())).to.deep.equal(['a warning that is longer than the lines']);
  });

  it('cuts a line to the width', () => {
    const { stream, text } = terminal(10);
    LiveLines.on(stream).show(['0123456789abc']);
    expect(screenOf(text())).to.deep.equal(['012345678']);
    finishLiveLines();
  });

  it('ends before what an interrupt says, without the ^C of the terminal, and the bar stays away', () => {
    const { stream, text } = terminal(100);
    const bar = progressBar(100, 'images', { stream, now: () => 0 });
    stream.write('^C');
    expect(finishLiveLines()).to.equal(true);
    stream.write('Saving\n');
    bar.update(50, { loss: 1 });
    bar.stop();
    stream.write('Interrupted\n$ ');
    const [first, ...rest] = screenOf(text());
    expect(first).to.match(/^ {2}0%\| +\| 0\/100 \[00:00<\?, 0 images\/s\]$/);
    expect(rest).to.deep.equal(['Saving', 'Interrupted', '$ ']);
    expect(finishLiveLines()).to.equal(false);
  });
});
