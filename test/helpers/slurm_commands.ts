/** Stand-ins for Slurm's commands: what they print, and where they fail, is in files that a test writes. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type Command = 'sbatch' | 'squeue' | 'scancel' | 'sacct';

export class SlurmCommands {
  private readonly path = process.env.PATH;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    for (const name of ['sbatch', 'squeue', 'scancel', 'sacct'] as const) {
      const script = `#!/bin/sh
printf '%s\\n' "$*" >> '${folder}/${name}.calls'
n=$(wc -l < '${folder}/${name}.calls')
answer='${folder}/${name}.'$n
[ -e "$answer" ] || answer='${folder}/${name}.last'
. "$answer"
`;
      writeFileSync(join(folder, name), script);
      chmodSync(join(folder, name), 0o755);
      this.answer(name, '');
    }
    process.env.PATH = `${folder}${delimiter}${this.path}`;
  }

  /** What a command prints, in each call, or in the one of that number; with `fails` on stderr, and exit code 1. */
  answer(name: Command, text: string, { call, fails = false }: { call?: number; fails?: boolean } = {}): void {
    const content = `cat ${fails ? '>&2 ' : ''}<<'END'\n${text}\nEND\nexit ${fails ? 1 : 0}\n`;
    writeFileSync(join(this.folder, `${name}.${call ?? 'last'}`), content);
  }

  /** The arguments of each call. */
  calls(name: Command): string[] {
    const file = join(this.folder, `${name}.calls`);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  }

  restore(): void {
    process.env.PATH = this.path;
  }
}
