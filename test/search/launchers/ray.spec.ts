/** Trials as jobs of Ray: with a stand-in for its head, which runs them as Ray does. The soak test takes a real one. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { LauncherFault } from '../../../search/launchers/launcher';
import { rayLauncher } from '../../../search/launchers/ray';
import { rayAddress, RayCluster, requireRay } from '../../../search/launchers/ray_cluster';
import { endingOf } from '../../../search/launchers/ray_job';
import { prefixOf, rayRequest } from '../../../search/launchers/ray_options';
import { mostAtATime } from '../../../search/parallelism';
import { parseSettings, type RaySettings } from '../../../search/settings/settings';
import { UserError } from '../../../utils/errors';
import { PlayedRay } from '../../helpers/ray';
import { itSearchesOn } from '../../helpers/ray_searches';

const id = 'distillery-1';

describe('a search on a Ray that is played', function () {
  this.timeout(60_000);
  const ray = new PlayedRay(2);
  let address: string;
  before(async () => (address = await ray.start()));
  after(() => ray.stop());
  itSearchesOn(() => address);
});

describe('a job of Ray', function () {
  this.timeout(20_000);
  let scratch: string;
  let directory: string;
  let ray: PlayedRay;
  let address: string;
  let lines: string[];
  let isInterrupted = false;
  beforeEach(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'ray-'));
    directory = join(scratch, "it's $(one)");
    mkdirSync(directory);
    ray = new PlayedRay(1);
    address = await ray.start();
    [lines, isInterrupted] = [[], false];
  });
  afterEach(async () => {
    await ray.stop();
    rmSync(scratch, { recursive: true });
  });
  const say = (line: string) => void lines.push(line);
  const cluster = (patience = { away: 10_000, interrupted: 100 }) =>
    new RayCluster(address, { info: say, warn: say, error: say }, () => isInterrupted, 20, patience);
  /** A trainer that writes its arguments, then does what `code` says. */
  const trainer = (code: string) => [
    process.execPath,
    '-e',
    `require('node:fs').writeFileSync(process.argv.at(-1) + '/argv', process.argv.slice(1).join() + process.env.DISTILLERY_JOB + process.env.KEY); ${code}`,
    'a "b"',
  ];
  const launcher = (code: string, settings: RaySettings = {}, over = cluster()) =>
    rayLauncher(trainer(code), settings, 1, over);
  const written = () => readFileSync(join(directory, 'argv'), 'utf8');

  it('asks for what search.json says', () => {
    const settings = { cpus: 2, gpus: 0.5, memory: '8G', resources: { a100: 1 }, env: { KEY: 'value' } };
    const { ray: parsed, threads_per_trial: threads } = parseSettings(
      { space: { alpha: [1, 2] }, launcher: 'ray', ray: settings },
      'search.json',
    );
    expect(threads).to.equal(2);
    const { entrypoint, ...request } = rayRequest(id, directory, ['node', 'train.ts'], parsed, threads);
    expect(request).to.deep.equal({
      submission_id: id,
      runtime_env: { env_vars: { RAY_JOB_STOP_WAIT_TIME_S: '300', KEY: 'value', DISTILLERY_JOB: id } },
      metadata: { directory: resolve(directory) },
      entrypoint_num_cpus: 2,
      entrypoint_num_gpus: 0.5,
      entrypoint_memory: 8 * 2 ** 30,
      entrypoint_resources: { a100: 1 },
    });
    expect(entrypoint).to.match(
      /^cd '.*' && \[ .* \] && exec 'node' 'train\.ts' '--model_dir' .* 2>>'.*launcher\.log'$/,
    );
    expect(rayRequest(id, directory, [], {}, 3)).to.include({ entrypoint_num_cpus: 3 });
    for (const wrong of [
      { memory: '8' },
      { address: 'head:8265' },
      { gpus: -1 },
      { resources: { a: 0 } },
      { env: { 'A B': '' } },
    ]) {
      const content = { space: { alpha: [1] }, launcher: 'ray', ray: wrong };
      expect(() => parseSettings(content, 'search.json'), JSON.stringify(wrong)).to.throw(
        UserError,
        /^search\.json: "ray\./,
      );
    }
  });

  it('gets its words as they are, whatever is in them, and its environment', async () => {
    const job = await launcher('', { env: { KEY: "$HOME `'" } }).launch(directory);
    expect((await job.ended).how).to.match(/^Ray job \S+: SUCCEEDED$/);
    const own = readFileSync(join(directory, 'ray.job'), 'utf8');
    expect(written()).to.equal(`a "b",--model_dir,${directory}${own}$HOME \`'`);
    expect(own.startsWith(prefixOf(directory))).to.equal(true);
    expect(job.status().id).to.equal(own);
  });

  it('is submitted once if the answer gets lost, and again if Ray finds no place for it', async () => {
    ray.losesAnswer = true;
    const first = await launcher('').launch(directory);
    expect(ray.jobs).to.have.lengthOf(1);
    await first.ended;
    const busy = await launcher('setTimeout(() => {}, 1500)').launch(directory);
    const other = join(scratch, 'other');
    mkdirSync(other);
    const late = await launcher('').launch(other);
    const before = late.status();
    expect(before.waiting).to.equal('pending');
    ray.giveUp(before.id!);
    expect((await late.ended).how).to.include('SUCCEEDED');
    expect(late.status().id).not.to.equal(before.id);
    expect(lines.join()).to.match(/other: Ray job \S+ has found no place so far: it is submitted again$/);
    await busy.ended;
  });

  it('is a failure of its trial if Ray refuses it, and waited for if the head is away', async () => {
    ray.trouble = { status: 400, text: 'Traceback …\nTypeError: entrypoint_memory must be an integer' };
    let refusal: unknown;
    await launcher('')
      .launch(directory)
      .catch((error: unknown) => (refusal = error));
    expect(refusal).to.be.instanceOf(UserError).and.not.instanceOf(LauncherFault);
    expect((refusal as Error).message).to.equal('Ray: TypeError: entrypoint_memory must be an integer');
    ray.trouble = undefined;
    const job = await launcher('setTimeout(() => {}, 300)').launch(directory);
    await wait(100);
    const port = Number(new URL(address).port);
    await ray.pause();
    await wait(700);
    await ray.start(port);
    expect((await job.ended).how).to.include('SUCCEEDED');
    expect(lines[0]).to.match(/^Ray does not respond \(ECONN\w+\); waiting up to 00:10 while jobs keep training$/);
    expect(lines[1]).to.match(/^Ray responds again after /);
    isInterrupted = true;
    const lost = await launcher('').launch(directory);
    ray.trouble = { status: 503, text: 'restarting' };
    let fault: unknown;
    await lost.ended.catch((error: unknown) => (fault = error));
    expect(fault).to.be.instanceOf(LauncherFault);
    expect((fault as Error).message).to.match(/^Ray has not responded for .* \(restarting\); jobs keep training/);
  });

  it('is unseen if Ray has forgotten it', async () => {
    const job = await launcher('setTimeout(() => {}, 300)').launch(directory);
    ray.jobs.clear();
    expect(await job.ended).to.deep.include({ isUnseen: true });
  });

  it('ends in words', () => {
    const ends = (status: string, more: object = {}) => endingOf(id, { status, message: '', ...more });
    const how = `Ray job ${id}:`;
    expect(ends('STOPPED')).to.deep.equal({ how: `${how} STOPPED`, isKilled: true });
    expect(ends('FAILED', { exitCode: 3 })).to.deep.equal({ how: `${how} FAILED, exit code 3` });
    expect(ends('FAILED', { exitCode: -9 })).to.deep.include({ isKilled: true });
    for (const exitCode of [143, -15]) {
      expect(ends('FAILED', { exitCode })).to.deep.include({
        how: `${how} FAILED, ended by SIGTERM`,
        isCutShort: true,
      });
    }
    const message = 'Job failed:\nthe node is gone';
    expect(ends('FAILED', { errorType: 'JOB_SUPERVISOR_ACTOR_DIED', message })).to.deep.equal({
      how: `${how} FAILED, JOB_SUPERVISOR_ACTOR_DIED: the node is gone`,
      isCutShort: true,
      isKilled: true,
    });
    expect(ends('FAILED', { errorType: 'RUNTIME_ENV_SETUP_FAILURE' }).isCutShort).to.equal(false);
  });

  it('needs a Ray, which has an address', async () => {
    const refusal = (at: string) => requireRay(at).then(String, (error: Error) => error.message);
    await requireRay(address);
    ray.trouble = { status: 401, text: 'Unauthorized' };
    expect(await refusal(address)).to.equal(`${address}: Ray refuses access (HTTP 401); set RAY_AUTH_TOKEN`);
    ray.trouble = { status: 200, text: 'hello' };
    const needs = '; "launcher": "ray" needs the address of the dashboard of a Ray head';
    expect(await refusal(address)).to.equal(`${address}: no Ray (HTTP 200)${needs}`);
    expect(await refusal(address.replace('//', '//me:secret@'))).to.equal(`${address}: no Ray (HTTP 200)${needs}`);
    await ray.pause();
    expect((await refusal(address)).replace(/ECONN\w+/, 'ECONN')).to.equal(`${address}: no Ray (ECONN)${needs}`);
    await ray.start();
    expect(rayAddress('http://head:8265//')).to.equal('http://head:8265');
    const given = process.env.RAY_API_SERVER_ADDRESS;
    process.env.RAY_API_SERVER_ADDRESS = '';
    expect(rayAddress()).to.equal('http://127.0.0.1:8265');
    if (given === undefined) delete process.env.RAY_API_SERVER_ADDRESS;
    else process.env.RAY_API_SERVER_ADDRESS = given;
    const learning = parseSettings(
      { space: { a: [1, 2, 3, 4, 5, 6] }, n_trials: 6, sampler: 'tpe', launcher: 'ray' },
      's',
    );
    expect(mostAtATime(learning, 2).why).to.include('set "n_jobs" to change this');
  });
});
