/**
 * Tests formats/checkpoints.ts. Every kind of checkpoint that people have, read with the numbers of torch.load or refused with
 * the line that helps.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { matchStateDict, readWeights } from '../../formats/checkpoints';
import type { DType, NamedArrays } from '../../formats/ndarray';
import { UserError } from '../../utils/errors';
import { matches } from '../../utils/glob';
import list from '../fixtures/checkpoints/list.json';

interface Entry {
  readonly file: string;
  readonly what: string;
  readonly key?: string;
  readonly rename?: Record<string, string>;
  readonly skip?: string[];
  /** Part of the one line that is told. */
  readonly log?: string;
  /** Number of the state that is read, or a part of the line of the error. */
  readonly read?: number;
  readonly refused?: string;
}

type Row = [dtype: string, shape: number[], sum: number, first: number[]];

const folder = 'test/fixtures/checkpoints';
const files = list.files as Entry[];
const states = list.states as unknown as Record<string, Row>[];

/** The network that all of them are, or should be, of. */
const network = new Map(
  Object.entries(states[0]!).map(([name, [dtype, shape]]) => [name, { dtype: dtype as DType, shape }]),
);

async function weightsOf({ file, key, ...options }: Entry, log: (line: string) => void): Promise<NamedArrays> {
  const path = join(folder, file);
  return matchStateDict(path, await readWeights(path, { key, log }), network, { ...options, log });
}

function expectRow(array: NamedArrays extends Map<string, infer A> ? A : never, [dtype, shape, sum, first]: Row): void {
  expect([array.dtype, [...array.shape]]).to.deep.equal([dtype, shape]);
  const values = Array.from(array.data as ArrayLike<number | bigint>, Number);
  expect(values.reduce((total, value) => total + value, 0)).to.be.closeTo(sum, 1e-9 * Math.max(1, Math.abs(sum)));
  expect(values.slice(0, 3)).to.deep.equal(first);
}

describe('checkpoints of others', () => {
  // What two of them would make, if anything in them was executed.
  after(() => expect(existsSync('torch-fixture-was-executed')).to.equal(false));

  for (const entry of files) {
    const { file, what, read, refused, log, skip = [] } = entry;
    const given = (['key', 'rename', 'skip'] as const).flatMap((name) => (entry[name] ? [`"${name}"`] : []));
    const how = given.length > 0 ? ` with ${given.join(' and ')}` : '';

    if (read === undefined) {
      it(`${file}: ${what}: refused${how}`, async () => {
        const error: unknown = await weightsOf(entry, () => {}).catch((thrown: unknown) => thrown);
        expect(error).to.be.instanceOf(UserError);
        const { message } = error as UserError;
        expect(message.startsWith(`${join(folder, file)}: `), message).to.equal(true);
        expect(message).to.include(refused!).and.not.include('\n');
      });
      continue;
    }

    it(`${file}: ${what}: read${how}`, async () => {
      const lines: string[] = [];
      const weights = await weightsOf(entry, (line) => lines.push(line));
      const names = [...network.keys()].filter((name) => !skip.some((pattern) => matches(pattern, name)));
      expect([...weights.keys()]).to.deep.equal(names);
      for (const name of names) expectRow(weights.get(name)!, states[read]![name]!);
      if (log === undefined) expect(lines).to.deep.equal([]);
      else {
        expect(lines).to.have.lengthOf(1);
        expect(lines[0]).to.include(join(folder, file)).and.include(log);
      }
    });
  }

  it('are those of the table in docs/teachers.md', () => {
    const rows = files.map(({ what, read }) => `| ${what} | ${read === undefined ? 'refused, with advice' : 'read'} |`);
    const page = readFileSync('docs/teachers.md', 'utf8');
    const [, table = ''] = /<!-- checkpoints -->\n([^]*?)<!-- \/checkpoints -->/.exec(page) ?? [];
    expect(table.trim().split('\n').slice(2)).to.deep.equal(rows);
  });
});
