/** Readers of other tools, where this machine has them: each test that needs one is skipped without it. */
import { spawnSync } from 'node:child_process';

/** A Python that can import a module: that of $PYTHON, or python3; undefined if neither can. */
export function pythonWith(module: string): string | undefined {
  return [process.env.PYTHON, 'python3'].find(
    (name) => name && spawnSync(name, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0,
  );
}

/** What a script prints, as JSON; its arguments are `sys.argv[1:]`. */
export function runPython(python: string, script: string, args: readonly string[]): unknown {
  const { stdout, stderr, status } = spawnSync(python, ['-c', script, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
