#!/usr/bin/env bash
# onnxruntime-node 1.30.0: outputs that are written into tensors of the caller.
#
# Expected: run(feeds, { y }) with a tensor y writes the output into y and returns y, so that a loop whose outputs have their
# tensors allocates nothing.
# Seen (1.30.0, linux-x64, Node.js 20.20): the output is written into y, and then copied into a new ArrayBuffer, which is the tensor
# that run returns: every run leaves as much garbage as without y. A loop that feeds what run returned to the next run keeps each copy
# alive for some runs, long enough for V8 to move it among the old objects, so that only full collections free it: in training a network of
# 357,514 parameters with Adam, 4.3 MB of state a step, that was one sixth of the processor time. Where the loop goes on with its own y,
# V8 still starts full collections because of the memory outside of its heap, until the copies are detached. (microsoft/onnxruntime pull request 32346 proposes to return y itself.)
# Fails if run returns y, shares its memory, no longer writes into it, or allocates nothing. Needs node, npm and the npm registry.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts onnxruntime-node@1.30.0

# IR version 8, opset 13, y = x + x, float32 of shape [1000000].
cat >run.cjs <<'JS'
const { InferenceSession, Tensor } = require('onnxruntime-node');
const LENGTH = 1_000_000;
const varint = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]);
const message = (field, ...parts) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(body.length)]), body]);
};
const number = (field, value) => Buffer.from([field << 3, ...varint(value)]);
const shape = message(2, message(1, number(1, LENGTH)));
const value = (field, name) => message(field, message(1, name), message(2, message(1, number(1, 1), shape)));
const node = message(1, message(1, 'x'), message(1, 'x'), message(2, 'y'), message(4, 'Add'));
const graph = message(7, node, message(2, 'graph'), value(11, 'x'), value(12, 'y'));
const model = Buffer.concat([number(1, 8), graph, message(8, number(2, 13))]);

(async () => {
  const session = await InferenceSession.create(model);
  const x = new Tensor('float32', new Float32Array(LENGTH).fill(1), [LENGTH]);
  const y = new Tensor('float32', new Float32Array(LENGTH), [LENGTH]);
  const returned = (await session.run({ x }, { y })).y;
  const kept = [];
  const before = process.memoryUsage().arrayBuffers;
  for (let run = 0; run < 5; run++) kept.push((await session.run({ x }, { y })).y);
  const grown = (process.memoryUsage().arrayBuffers - before) / 5e6;
  console.log(`y[0] ${y.data[0]}, returned[0] ${returned.data[0]}`);
  console.log(`returned is y: ${returned === y}, shares its memory: ${returned.data.buffer === y.data.buffer}`);
  console.log(`each run allocates ${grown.toFixed(1)} MB`);
  const asSeen = y.data[0] === 2 && returned !== y && returned.data.buffer !== y.data.buffer && Math.abs(grown - 4) < 0.1;
  if (!asSeen) process.exitCode = 1;
})();
JS
node run.cjs
