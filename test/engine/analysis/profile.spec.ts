import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  byLayer,
  byOperator,
  operatorTime,
  parseProfile,
  placeOf,
  runTime,
  type Run,
} from '../../../engine/analysis/profile';
import { Graph } from '../../../engine/graph';
import { conv2d, mean, relu, square } from '../../../engine/ops/index';
import { adam, averageWeights, minimize } from '../../../engine/optimizers/index';
import { Session, State } from '../../../engine/session';
import { float32 } from '../../helpers/engine';

describe('placeOf', () => {
  const places: Readonly<Record<string, ReturnType<typeof placeOf>>> = {
    'conv1/Conv#7': { layer: 'conv1', pass: 'forward' },
    'layer1.0.bn1/Reshape#41': { layer: 'layer1.0.bn1', pass: 'forward' },
    'Relu#38': { layer: '(Relu)', pass: 'forward' },
    'fused conv1/Conv#7': { layer: 'conv1', pass: 'forward' },
    'conv1/Conv#7_nchwc': { layer: 'conv1', pass: 'forward' },
    'fc/MatMul#3/MatMulAddFusion': { layer: 'fc', pass: 'forward' },
    'grad/conv1/Conv#7/Gather#30': { layer: 'conv1', pass: 'backward' },
    'grad/Relu#38/Cast#252': { layer: '(Relu)', pass: 'backward' },
    'update/layer1.0.bn1.weight/Mul#9': { layer: 'layer1.0.bn1', pass: 'update' },
    'update/Sqrt#12': { layer: '(Sqrt)', pass: 'update' },
    "output/conv1.weight'": { layer: '(results)', pass: 'update' },
    Transpose_token_1: { layer: '(added by ONNX Runtime)' },
  };
  for (const [node, place] of Object.entries(places)) {
    it(`of ${node}`, () => expect(placeOf(node)).to.deep.equal(place));
  }
});

describe('a profile', () => {
  /** Three runs of three nodes, in microseconds. */
  const events = [
    { cat: 'Session', name: 'session_initialization', dur: 9e6 },
    ...[
      [100, 1000, 20],
      [300, 3000, 10],
      [200, 8000, 30],
    ].flatMap(([conv, gather, update]) => [
      { cat: 'Node', name: 'conv1/Conv#7_kernel_time', dur: conv, args: { op_name: 'Conv' } },
      { cat: 'Node', name: 'conv1/Conv#7_fence_before', dur: 77, args: { op_name: 'Conv' } },
      { cat: 'Node', name: 'grad/conv1/Conv#7/Gather#30_kernel_time', dur: gather, args: { op_name: 'Gather' } },
      { cat: 'Node', name: 'update/conv1.weight/Mul#9_kernel_time', dur: update, args: { op_name: 'Mul' } },
      { cat: 'Node', name: 'update/conv1.bias/Mul#10_kernel_time', dur: update, args: { op_name: 'Mul' } },
      { cat: 'Node', name: 'Transpose_token_1_kernel_time', dur: 5, args: { op_name: 'Transpose' } },
      { cat: 'Session', name: 'SequentialExecutor::Execute', dur: 1 },
      { cat: 'Session', name: 'model_run', dur: 2 * (conv! + gather! + update!) },
    ]),
  ];
  const runs = parseProfile(JSON.stringify(events));

  it('is divided into runs', () => {
    expect(runs.map(({ ms }) => ms)).to.deep.equal([2.24, 6.62, 16.46]);
    for (const { calls } of runs) expect(calls).to.have.lengthOf(5);
    expect(runs[1]!.calls[0]).to.deep.equal({ node: 'conv1/Conv#7', operator: 'Conv', ms: 0.3 });
    expect(runTime(runs)).to.equal(6.62);
    expect(operatorTime(runs)).to.be.closeTo(0.3 + 3 + 0.02 + 0.005, 1e-9);
  });

  it('is summed by operator, the longest first, as medians over runs', () => {
    expect(byOperator(runs)).to.deep.equal([
      { operator: 'Gather', calls: 1, ms: 3 },
      { operator: 'Conv', calls: 1, ms: 0.2 },
      { operator: 'Mul', calls: 2, ms: 0.04 },
      { operator: 'Transpose', calls: 1, ms: 0.005 },
    ]);
  });

  it('is summed by layer and pass', () => {
    const [conv, added, ...others] = byLayer(runs);
    expect(others).to.deep.equal([]);
    expect(conv).to.deep.include({ layer: 'conv1', forward: 0.2, backward: 3, update: 0.04 });
    expect(conv!.ms).to.be.closeTo(0.3 + 3 + 0.02, 1e-9);
    expect(added).to.deep.equal({ layer: '(added by ONNX Runtime)', forward: 0, backward: 0, update: 0, ms: 0.005 });
  });
});

describe('what ONNX Runtime writes of a step', () => {
  const folder = mkdtempSync(join(tmpdir(), 'profile-spec-'));
  after(() => rmSync(folder, { recursive: true }));
  let runs: Run[];

  before(async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [2, 3, 8, 8]);
    const weight = graph.parameter('conv1.weight', [4, 3, 3, 3], () => float32([4, 3, 3, 3], Array(108).fill(0.1)));
    const convolved = () => relu(graph.scope('conv1', () => conv2d(x, weight, undefined, { padding: 1 })));
    const loss = mean(square(convolved()));
    // The weight is used twice, so that its gradients are added up.
    const other = mean(square(convolved()));
    const total = graph.emit('Add', [loss, other], []);
    graph.vjp(total, [loss, other], (grad) => [grad, grad]);
    minimize(total, adam(), undefined, { clipNorm: 1 });
    averageWeights(graph, 0.9, () => true);
    graph.output('loss', total);
    const session = await Session.create(graph, { threads: 1, profile: join(folder, 'step') });
    const state = State.initial(graph);
    const feed = float32([2, 3, 8, 8], Array.from({ length: 384 }, Math.cos));
    for (let step = 1; step <= 3; step++) {
      const context = { seed: 0, step, epoch: 1, epochs: 1, learningRate: 0.1 };
      await session.run({ x: feed, ...graph.feeds(context) }, state);
    }
    await session.release();
    const [file, ...others] = readdirSync(folder);
    expect(others).to.deep.equal([]);
    runs = parseProfile(readFileSync(join(folder, file!), 'utf8'));
  });

  it('has all runs, whose operators take no longer than they do', () => {
    expect(runs).to.have.lengthOf(3);
    for (const { ms, calls } of runs) {
      expect(calls.reduce((sum, call) => sum + call.ms, 0)).to.be.within(0, ms);
      expect(calls.map(({ operator }) => operator)).to.include.members(['ReduceSumSquare', 'Mul', 'Sqrt']);
    }
  });

  it('names the layer of all that a layer made', () => {
    const times = new Map(byLayer(runs).map((row) => [row.layer, row]));
    const conv = times.get('conv1')!;
    for (const pass of ['forward', 'backward', 'update'] as const) expect(conv[pass], pass).to.be.above(0);
    const sum = byOperator(runs).reduce((total, { calls }) => total + calls, 0);
    expect(sum).to.equal(runs[0]!.calls.length);
    // Sums of gradients are of the backward pass, clipping and averages of the update.
    const passes = runs[0]!.calls.map(({ node }) => [placeOf(node).pass, node] as const);
    const forward = passes.filter(([pass]) => pass === 'forward').map(([, node]) => node);
    for (const node of forward) expect(node).to.match(/^(conv1\/Conv|Relu|Mul|ReduceMean|Reshape|Add)#/);
  });
});
