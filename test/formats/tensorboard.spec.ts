import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { EventWriter } from '../../formats/tensorboard';
import { flatten } from '../../utils/flatten';
import { eventOf, fieldsOf, recordsOf } from '../helpers/events';

describe('EventWriter', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'events-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  const eventsOf = (name: string) => recordsOf(readFileSync(join(directory, name))).map(eventOf);

  it('writes scalars that a reader of the format finds, each at once', () => {
    const before = Date.now() / 1000;
    const writer = new EventWriter(directory, 0);
    writer.scalars(1, { 'train/loss': 1.5, 'train/accuracy': 0.25, 'train/nothing': 0 });
    writer.scalars(2 ** 40, { 'validation/loss': -0.1, größe: Infinity });
    const [name] = readdirSync(directory);
    expect(name).to.match(/^events\.out\.tfevents\.\d{10}\./);
    const events = eventsOf(name!);
    writer.close();
    expect(events).to.have.lengthOf(4);
    expect(events[0]).to.include({ step: 0, version: 'brain.Event:2', scalars: undefined, session: undefined });
    expect(events[2]).to.deep.include({
      step: 1,
      version: undefined,
      scalars: [
        ['train/loss', 1.5],
        ['train/accuracy', 0.25],
        ['train/nothing', 0],
      ],
    });
    expect(events[3]).to.deep.include({
      step: 2 ** 40,
      scalars: [
        ['validation/loss', Math.fround(-0.1)],
        ['größe', Infinity],
      ],
    });
    for (const { wallTime } of events) expect(wallTime).to.be.within(before, Date.now() / 1000);
  });

  it('begins a resumed session with a start at its first step, in a file that sorts last', () => {
    const nested = join(directory, 'run', 'events');
    new EventWriter(nested, 0).close();
    const writer = new EventWriter(nested, 782);
    writer.close();
    const names = readdirSync(nested).sort();
    expect(names).to.have.lengthOf(2);
    const [, start] = eventsOf(join('run', 'events', names[1]!));
    expect(start).to.deep.include({ step: 782, session: [[1, 1]], scalars: undefined });
  });

  describe('records of the HParams plugin', () => {
    /** The content of a record: a message's fields by number, below it those of a nested message. */
    const tree = (message: Buffer, ...path: number[]): (number | Buffer)[] => {
      const [first, ...rest] = path;
      const values = fieldsOf(message).flatMap(([field, value]) => (field === first ? [value] : []));
      return rest.length === 0 ? values : values.flatMap((value) => tree(value as Buffer, ...rest));
    };
    const text = (value: number | Buffer | undefined) => value?.toString();

    /** What is written after the two records that begin a file. */
    function recordsAfter(write: (writer: EventWriter) => void): Buffer[] {
      const writer = new EventWriter(directory, 0);
      write(writer);
      writer.close();
      const name = readdirSync(directory).sort().at(-1)!;
      return recordsOf(readFileSync(join(directory, name))).slice(2);
    }

    const groupOf = (params: object) =>
      text(tree(recordsAfter((writer) => writer.hparams(0, flatten(params)))[0]!, 5, 1, 9, 1, 2, 3, 4)[0]);

    it('hold the params with their kinds, as session_start_info', () => {
      const before = Date.now() / 1000;
      const params = { model_version: 'cnn', alpha: 0, nesterov: false, schedule: { gamma: 0.1 }, teacher: null };
      const [event] = recordsAfter((writer) => writer.hparams(7, flatten(params)));
      expect(tree(event!, 2)).to.deep.equal([7]);
      const value = tree(event!, 5, 1)[0] as Buffer;
      expect(text(tree(value, 1)[0])).to.equal('_hparams_/session_start_info');
      expect(tree(value, 2)).to.deep.equal([]);
      // The value is a tensor of floats (dtype 1) with one axis of length 0.
      expect(tree(value, 8, 1)).to.deep.equal([1]);
      expect(tree(value, 8, 2, 2)).to.deep.equal([Buffer.alloc(0)]);
      expect(text(tree(value, 9, 1, 1)[0])).to.equal('hparams');
      const start = tree(value, 9, 1, 2, 3)[0] as Buffer;
      const hparams = tree(start, 1).map((entry) => {
        const [name, content] = fieldsOf(entry as Buffer).map(([, field]) => field);
        return [
          text(name),
          fieldsOf(content as Buffer).map(([kind, plain]) => [kind, kind === 3 ? text(plain) : plain]),
        ];
      });
      expect(hparams).to.deep.equal([
        ['model_version', [[3, 'cnn']]],
        ['alpha', [[2, 0]]],
        ['nesterov', [[4, 0]]],
        ['schedule.gamma', [[2, 0.1]]],
        ['teacher', []],
      ]);
      expect(tree(start, 5)[0]).to.be.within(before, Date.now() / 1000);
    });

    it('put runs into one group that differ in the seed alone', () => {
      const group = groupOf({ alpha: 0.5, seed: 1, temperature: 4 });
      expect(group).to.match(/^[0-9a-f]{12}$/);
      expect(groupOf({ seed: 2, temperature: 4, alpha: 0.5 })).to.equal(group);
      expect(groupOf({ alpha: 0.5, temperature: 4 })).to.equal(group);
      expect(groupOf({ alpha: 0.5, seed: 1, temperature: 5 })).not.to.equal(group);
      expect(groupOf({ alpha: '0.5', seed: 1, temperature: 4 })).not.to.equal(group);
    });

    it('end with success, as session_end_info', () => {
      const before = Date.now() / 1000;
      const [event] = recordsAfter((writer) => writer.finished(9));
      expect(tree(event!, 2)).to.deep.equal([9]);
      expect(text(tree(event!, 5, 1, 1)[0])).to.equal('_hparams_/session_end_info');
      const end = tree(event!, 5, 1, 9, 1, 2, 4)[0] as Buffer;
      expect(tree(end, 1)).to.deep.equal([1]);
      expect(tree(end, 2)[0]).to.be.within(before, Date.now() / 1000);
    });
  });
});
