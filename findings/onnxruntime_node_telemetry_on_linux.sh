#!/usr/bin/env bash
# onnxruntime-node 1.30.0 on Linux keeps records of every session outside of the program that uses it.
#
# Expected, as the README in the package has no word of telemetry: a session in Node.js reads its model and writes nothing.
# Seen (1.30.0, linux-x64, Node.js 20.20): the first session of a process makes
#   <cache folder>/Microsoft/DeveloperTools/.onnxruntime/deviceid        36 bytes, a UUID that stays
#   <cache folder>/Microsoft/DeveloperTools/.onnxruntime/onnxruntime.db  SQLite; a row for each event that could not be sent
#   <folder for temporary files>/.ses                                    a session id
#   <folder for temporary files>/mat-debug-<process>.log                 empty, one a process, never removed
# With ORT_DISABLE_TELEMETRY=1, or with CI set to anything, there is none of them. So a test in CI does not show it, and a
# home folder that many nodes share has one database that all of them write.
# Fails if any of this changes. Needs node, npm and the npm registry; the model is one Identity.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts onnxruntime-node@1.30.0
! grep -qi telemetry node_modules/onnxruntime-node/README.md || { echo 'changed: the README speaks of telemetry'; exit 1; }

# IR version 8, opset 13, y = Identity(x), float32 of shape [1].
cat >run.cjs <<'JS'
const { InferenceSession, Tensor } = require('onnxruntime-node');
const message = (field, ...parts) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([(field << 3) | 2, body.length]), body]);
};
const number = (field, value) => Buffer.from([field << 3, value]);
const shape = message(2, message(1, number(1, 1)));
const value = (field, name) => message(field, message(1, name), message(2, message(1, number(1, 1), shape)));
const node = message(1, message(1, 'x'), message(2, 'y'), message(4, 'Identity'));
const graph = message(7, node, message(2, 'g'), value(11, 'x'), value(12, 'y'));
const model = Buffer.concat([number(1, 8), graph, message(8, number(2, 13))]);
(async () => {
  const session = await InferenceSession.create(model);
  const { y } = await session.run({ x: new Tensor('float32', [7], [1]) });
  if (y.data[0] !== 7) throw new Error(`y is ${y.data[0]}`);
})();
JS

# Prints the files that a session leaves; the arguments are further variables of its environment.
left_by() {
  rm -rf home tmp && mkdir home tmp
  env -u CI -u XDG_CACHE_HOME -u ORT_DISABLE_TELEMETRY HOME="$work/home" TMPDIR="$work/tmp" "$@" node run.cjs
  find home tmp -type f | sed -E 's/[0-9]+\.log$/N.log/; s/-(wal|shm)$//' | sort -u
}

expected='home/.cache/Microsoft/DeveloperTools/.onnxruntime/deviceid
home/.cache/Microsoft/DeveloperTools/.onnxruntime/onnxruntime.db
tmp/.ses
tmp/mat-debug-N.log'
seen=$(left_by)
echo "a session leaves:"; echo "$seen"
[ "$seen" = "$expected" ] || { echo "changed: expected"; echo "$expected"; exit 1; }
for quiet in ORT_DISABLE_TELEMETRY=1 CI=1; do
  seen=$(left_by "$quiet")
  echo "with $quiet it leaves: ${seen:-nothing}"
  [ -z "$seen" ] || { echo 'changed: expected nothing'; exit 1; }
done
echo 'as described'
