/**
 * Tests the readers of formats/, engine/onnx/ and model/data/. Mutants of every kind of file that is read; `npm run soak`
 * tries many more (test/soak/fuzz.soak.ts).
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { fuzz, targets } from './helpers/fuzz';
import { jsonMutants, mutants } from './helpers/mutants';

/** Those that take long have fewer. */
const runs: Readonly<Record<string, number>> = {
  'params.json': 25,
  'the files of a run, by the report': 60,
  'the index of an image cache': 15,
  locks: 50,
  'run.json, by --reproduce': 50,
  images: 60,
};

describe('mutants', function () {
  this.timeout(60_000);

  for (const [name, make] of Object.entries(targets)) {
    it(`of ${name} are read, or refused in so many words`, () => fuzz(make, runs[name] ?? 100, 230));
  }

  it('are told from what is sound: a reader that fails otherwise is found out', async () => {
    const broken = () => ({
      inputs: jsonMutants([{ a: 1 }]),
      read: (input: string | Uint8Array) => (JSON.parse(String(input)) as { a: number }).a.toFixed(1),
    });
    const failure = await fuzz(broken, 100, 230).then(
      () => 'no failure',
      (error: Error) => String(error.cause),
    );
    expect(failure).to.match(/TypeError|SyntaxError/);
  });

  it('leave the originals alone, and are the same for the same seed', () => {
    const original = { a: [1, { b: 'c' }], d: null };
    const bytes = Buffer.of(1, 2, 3, 4);
    const drawn = () => [
      ...fc.sample(jsonMutants([original]), { numRuns: 50, seed: 3 }),
      ...fc.sample(mutants([bytes]), { numRuns: 50, seed: 3 }).map((mutant) => Buffer.from(mutant).toString('hex')),
    ];
    const first = drawn();
    expect(drawn()).to.deep.equal(first);
    expect(new Set(first).size).to.be.above(60);
    expect(original).to.deep.equal({ a: [1, { b: 'c' }], d: null });
    expect(bytes).to.deep.equal(Buffer.of(1, 2, 3, 4));
  });
});
