/** Files of tests run beside each other: one for each core, up to four. */
const { availableParallelism } = require('node:os');

module.exports = {
  require: ['ts-node/register'],
  extension: ['ts'],
  timeout: 20_000,
  parallel: true,
  jobs: Math.min(availableParallelism(), 4),
};
