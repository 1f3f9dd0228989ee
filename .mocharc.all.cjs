/**
 * `npm test`: every spec. Those that take longest come first, so that none of them is alone at the end. There is one process more
 * than cores, as specs of searches and of runs in processes of their own wait much of their time, that of Slurm most of all.
 */
const { availableParallelism } = require('node:os');
const { globSync } = require('fast-glob');

const longest = [
  'test/search/launchers/slurm.spec.ts',
  'test/model/nets/conformance.spec.ts',
  'test/model/distillers/conformance.spec.ts',
  'test/train.matrix.spec.ts',
  'test/search/command.spec.ts',
  'test/train.kill.spec.ts',
  'test/search/scheduler.spec.ts',
  'test/report/page/browser.spec.ts',
  'test/model/nets/residual.spec.ts',
  'test/search/launchers/ray.spec.ts',
  'test/model/nets/other.spec.ts',
];
const all = globSync('test/**/*.spec.ts', { cwd: __dirname }).sort();
const missing = longest.filter((path) => !all.includes(path));
if (missing.length > 0) throw new Error(`.mocharc.all.cjs: no such spec: ${missing.join(', ')}`);

module.exports = {
  ...require('./.mocharc.cjs'),
  jobs: Math.min(availableParallelism() + 1, 4),
  spec: [...longest, ...all.filter((path) => !longest.includes(path))],
};
