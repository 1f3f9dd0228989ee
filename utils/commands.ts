/** The scripts of a checkout and, in the package, the commands of the program `distillery`: one is called as the other. */
import { extname, join } from 'node:path';

/** The scripts by the names of the package's commands. */
export const scripts = {
  train: 'train.ts',
  search: 'search_hyperparams.ts',
  report: 'synthesize_results.ts',
  evaluate: 'evaluate.ts',
  export: 'export.ts',
  logits: 'generate_logits.ts',
  inspect: 'inspect.ts',
  profile: 'profile.ts',
  quickstart: 'quickstart.ts',
} as const;

export type CommandName = keyof typeof scripts;

/** Whether this is the compiled code of the package rather than a checkout. */
const isPackage = extname(__filename) === '.js';

/** What a user types to start a command, such as `npx ts-node train.ts`. */
export function commandLine(name: CommandName): string {
  return isPackage ? `npx distillery ${name}` : `npx ts-node ${scripts[name]}`;
}

/** How usage and records name a script: in the package, `distillery train` for `train.ts`. */
export function titleOf(script: string): string {
  const name =
    Object.keys(scripts).find((one) => scripts[one as CommandName] === script) ?? script.replace(/\.ts$/, '');
  return isPackage ? `distillery ${name}` : script;
}

/** What a user types to get the libraries of optional devices. */
export const setup = isPackage
  ? {
      cuda: 'npm explore onnxruntime-node -- node script/install.js --onnxruntime-node-install',
      tensorflow: 'npm install @tensorflow/tfjs-node-gpu@4.22.0',
      nativeTensorflow: 'npm rebuild @tensorflow/tfjs-node-gpu',
    }
  : {
      cuda: 'npm run setup:cuda',
      tensorflow: 'npm install --include=optional',
      nativeTensorflow: 'npm run setup:tensorflow',
    };

/** The path of a script. */
export function scriptPath(script: string): string {
  return join(__dirname, '..', isPackage ? script.replace(/\.ts$/, '.js') : script);
}

/** A program with its arguments that runs a command in a process of its own. */
export function programOf(name: CommandName): string[] {
  const tsNode = isPackage ? [] : [require.resolve('ts-node/dist/bin')];
  return [process.execPath, ...tsNode, scriptPath(scripts[name])];
}
