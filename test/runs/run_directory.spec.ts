/** The files of a run, apart from what training writes into them. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ndarray } from '../../formats/ndarray';
import { writeSafetensors } from '../../formats/safetensors';
import type { Params } from '../../model/experiment/params';
import { START, type Position } from '../../runs/position';
import { RunDirectory } from '../../runs/run_directory';
import { UserError } from '../../utils/errors';
import { inject } from '../helpers/faults';
import { damage } from '../helpers/runs';

const params = { model_version: 'cnn' } as Params;
const tensors = new Map([['a', ndarray('float32', [3], Float32Array.of(1, 2, 3))]]);

describe('the directory of a run', () => {
  let path: string;
  let run: RunDirectory;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'run-directory-'));
    run = new RunDirectory(path);
  });
  afterEach(() => rmSync(path, { recursive: true }));

  const save = (...positions: Position[]) => {
    for (const position of positions) run.saveLast({ params, position, tensors });
  };
  const at = (epoch: number): Position => ({ ...START, epoch });

  describe('its last checkpoint', () => {
    const [last, previous] = ['last.safetensors', 'previous.safetensors'];

    it('keeps numbers that are not finite', () => {
      const sums = { loss: { sum: NaN, examples: 3 }, part: { sum: -Infinity, examples: 3 } };
      const history = [
        { epoch: 1, learning_rate: 0.1, train: { loss: Infinity }, val: { accuracy: 0.5, loss: NaN } },
        { epoch: 2, learning_rate: 0.1, train: { loss: 0.25 }, val: { accuracy: 0.5, loss: 1e-7 } },
      ];
      const position = { epoch: 2, step: 4, sums, history };
      save(position);
      expect(run.readLast()!.position).to.deep.equal(position);
    });

    it('reads null, by which earlier versions wrote them, as NaN', () => {
      const position = '{"epoch":0,"step":1,"sums":{"loss":{"sum":null,"examples":3}},"history":[]}';
      writeSafetensors(run.file(last), tensors, { params: '{}', position });
      expect(run.readLast()!.position.sums).to.deep.equal({ loss: { sum: NaN, examples: 3 } });
    });

    it('is the one before where it is damaged or gone, with a warning of one line', () => {
      save(at(1), at(2), at(3));
      expect(run.readLast()).to.deep.include({ position: at(3), path: run.file(last) });
      expect(run.readLast()).not.to.have.property('warning');
      damage(run.file(last));
      const found = run.readLast()!;
      expect(found).to.deep.include({ position: at(2), path: run.file(previous) });
      expect(found.warning).to.match(
        /^[^\n]*last\.safetensors: not a valid safetensors file: it is damaged: [^\n]*; resuming from previous\.safetensors$/,
      );
      rmSync(run.file(last));
      expect(run.readLast()!.warning).to.match(/last\.safetensors: no such file; resuming from previous\.safetensors$/);
    });

    it('does not take the place of the one before where it is damaged', () => {
      save(at(1), at(2));
      damage(run.file(last));
      run.putDamagedAside();
      expect(readdirSync(path).sort()).to.deep.equal(['last.damaged.safetensors', previous]);
      save(at(2));
      rmSync(run.file(last));
      expect(run.readLast()!.position).to.deep.equal(at(1));
    });

    it('is an error of one line where the one before is damaged too, or there is none', () => {
      save(at(1));
      damage(run.file(last));
      expect(() => run.readLast()).to.throw(UserError, /^[^\n]*last\.safetensors: [^\n]*damaged[^\n]*$/);
      save(at(2));
      damage(run.file(last));
      expect(() => run.readLast()).to.throw(
        UserError,
        /^[^\n]*last\.safetensors: [^\n]*; and [^\n]*previous\.safetensors: [^\n]*; --fresh starts over and keeps both files$/,
      );
    });

    it('is one of the last two, whole, wherever its process was killed', () => {
      save(at(1), at(2));
      const counted = inject(path);
      save(at(3));
      counted.restore();
      for (let operation = 0; operation < counted.operations.length; operation++) {
        for (const fault of ['killed before', 'killed within', 'full', 'failing'] as const) {
          for (const name of readdirSync(path)) rmSync(run.file(name));
          save(at(1), at(2));
          const faulty = inject(path, operation, fault);
          try {
            save(at(3));
          } catch (error) {
            expect(error).to.be.instanceOf(UserError);
          }
          faulty.restore();
          const found = run.readLast()!;
          expect(found).not.to.have.property('warning');
          expect(found.position.epoch, `${fault}: ${counted.operations[operation]}`).to.be.oneOf([2, 3]);
          if (!existsSync(run.file(previous))) continue;
          rmSync(run.file(last));
          expect(run.readLast()!.position.epoch).to.be.oneOf([1, 2]);
        }
      }
    });
  });

  it('has the weights of the best epoch, or says that they are of another', () => {
    const record = { epoch: 2, learning_rate: 0.1, train: {}, val: { accuracy: 0.5, loss: 1 } };
    run.saveBest(tensors, record);
    expect([...run.readBest(record)]).to.deep.equal([...tensors]);
    expect(() => run.readBest({ ...record, epoch: 3 })).to.throw(
      UserError,
      `${run.file('best.safetensors')}: holds the weights of epoch 2, but the best epoch is 3`,
    );
  });

  describe('putAside', () => {
    const results = ['best.safetensors', 'export.json', 'last.safetensors', 'previous.safetensors', 'train.log'];

    it('moves what came of a run, and leaves its stages and what the user put there', () => {
      const own = ['notes.txt', 'params.json', 'teacher.onnx'];
      const made = [...results, 'last.damaged.safetensors', 'student.int8.onnx', 'student.onnx'];
      for (const name of [...made, ...own]) writeFileSync(join(path, name), '');
      for (const name of ['evaluation', 'child', 'stages']) mkdirSync(join(path, name));
      expect(run.putAside()).to.equal(join(path, 'before_1'));
      expect(readdirSync(join(path, 'before_1')).sort()).to.deep.equal([...made, 'evaluation'].sort());
      expect(readdirSync(path).sort()).to.deep.equal([...own, 'before_1', 'child', 'stages'].sort());
      expect(run.putAside()).to.equal(undefined);
      expect(existsSync(join(path, 'before_2'))).to.equal(false);
    });

    it('goes on where it was killed: all is in one folder, and no run goes on from a part', () => {
      const prepare = () => {
        for (const name of readdirSync(path)) rmSync(run.file(name), { recursive: true });
        for (const name of results) writeFileSync(join(path, name), name);
      };
      prepare();
      const counted = inject(path);
      run.putAside();
      counted.restore();
      expect(counted.operations).to.have.lengthOf(results.length + 2);
      for (let operation = 0; operation < counted.operations.length; operation++) {
        for (const fault of ['killed before', 'killed after', 'failing'] as const) {
          prepare();
          const faulty = inject(path, operation, fault);
          expect(() => run.putAside()).to.throw(UserError);
          faulty.restore();
          const [hasLast, isPart] = ['last', 'best'].map((name) => existsSync(run.file(`${name}.safetensors`)));
          if (hasLast) expect(isPart, 'a last checkpoint without the best').to.equal(true);
          run.putAside();
          expect(readdirSync(path)).to.deep.equal(['before_1']);
          expect(readdirSync(join(path, 'before_1')).sort()).to.deep.equal(results);
        }
      }
    });
  });
});
