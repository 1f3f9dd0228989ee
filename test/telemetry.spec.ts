/** Tests engine/onnx_runtime.ts. A training tells nobody of itself: ONNX Runtime's telemetry is off. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { experiment } from './helpers/train';

const root = join(__dirname, '..');

describe('a training', function () {
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'telemetry-'));
  after(() => rmSync(scratch, { recursive: true }));

  it('writes nothing into the folders of the user and for temporary files, where telemetry keeps what it sends', () => {
    const folders = ['home', 'temporary'].map((name) => join(scratch, name));
    for (const folder of folders) mkdirSync(folder);
    const run = experiment(join(scratch, 'run'), { model_version: 'mlp', hidden_sizes: [8] });
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: folders[0], TMPDIR: folders[1] };
    // Where CI is set ONNX Runtime keeps quiet by itself.
    for (const name of ['CI', 'ORT_DISABLE_TELEMETRY', 'XDG_CACHE_HOME']) delete env[name];
    const { status, stderr } = spawnSync(
      process.execPath,
      [require.resolve('ts-node/dist/bin'), join(root, 'train.ts'), '--model_dir', run],
      { cwd: root, env, encoding: 'utf8' },
    );
    expect([status, stderr]).to.deep.equal([0, '']);
    const written = folders.flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }));
    // Node's compiler and that of TypeScript keep copies there.
    expect(written.filter((path) => /Microsoft|mat-debug|\.ses/.test(path))).to.deep.equal([]);
  });
});
