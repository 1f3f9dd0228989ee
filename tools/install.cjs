/**
 * Runs before the install script of onnxruntime-node, which downloads the libraries of CUDA on Linux and lets the whole
 * installation fail if it cannot. Here it may fail: empty files in the place of those libraries then keep it from trying again,
 * `distillery doctor` says how to get them, and the CPU and other devices need none.
 */
const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const scripts = join(dirname(require.resolve('onnxruntime-node/package.json')), 'script');
const { status } = spawnSync(process.execPath, [join(scripts, 'install.js')], { stdio: 'ignore', timeout: 600_000 });
if (status !== 0) {
  const { requirements, manifests } = require(join(scripts, 'install-metadata.js'));
  const machine = `${process.platform}/${process.arch}`;
  for (const name of requirements[machine] ?? []) {
    for (const file of Object.keys(manifests[`${machine}:${name}`] ?? {})) {
      const path = join(scripts, '..', 'bin', 'napi-v6', machine, file);
      mkdirSync(dirname(path), { recursive: true });
      if (!existsSync(path)) writeFileSync(path, '');
    }
  }
}
