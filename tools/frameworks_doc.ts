/** docs/frameworks.md: the methods here beside those of other frameworks. `npm run docs` writes it. */
import { kinds, origins } from '../model/distillers/catalogue';
import { absent, countedIn, frameworks, namesIn, type Framework } from '../model/distillers/frameworks';

const all = Object.entries(frameworks);

export function frameworksPage(): string {
  const methods = Object.keys(origins).filter((name) => name !== 'nokd');
  const only = methods.filter((name) => all.every(([, framework]) => namesIn(framework, name).length === 0));
  return [
    '# Methods of other frameworks',
    'Eight collections of distillation methods for image classifiers, counted from their files at the commit that is linked. `npx ts-node train.ts --describe NAME`\n' +
      'prints the same for one method.',
    counts(),
    `${methods.length} methods are here. ${only.length} of them are in none of the eight: ${only.map(code).join(', ')}.\n` +
      'mdistiller also has the optimizer DOT, which is `"optimizer": "dot"` here.',
    '## Methods that are here',
    'Names are those in the files of each framework. What it builds in configs from general losses is not counted: torchdistill has hints (`fitnet`) and Tf-KD\nlike that.',
    ...Object.keys(kinds)
      .filter((kind) => kind !== 'alone')
      .map(matrix),
    '## Methods that are not here',
    'The last ones are from papers with code of their own.',
    missing(),
    '## Other tasks',
    'Distillery trains image classifiers. It has no losses, networks or data for',
    [
      '- **detection**: mmrazor has it through MMDetection, torchdistill has configs for COCO, mdistiller has a folder `detection`',
      '- **segmentation**: mmrazor has it through MMSegmentation, torchdistill has configs for PASCAL VOC',
      '- **language**: torchdistill has configs for GLUE, KD_Lib has BERT to LSTM',
      '- **pruning and architecture search**: mmrazor has both, KD_Lib has pruning and training for quantization',
    ].join('\n'),
  ]
    .join('\n\n')
    .concat('\n');
}

/** A row for each framework: what was read, and how many of its methods are here. */
function counts(): string {
  const rows = all.map(([name, framework]) => {
    const { repository, commit, files } = framework;
    const { here, missing: rest } = countedIn(framework);
    const link = `[${name}](https://github.com/${repository}/tree/${commit})`;
    return [link, files, here.length + rest.length, here.length, rest.map(code).join(', ')];
  });
  return table(['framework', 'read', 'methods', 'here', 'not here'], rows);
}

/** The methods of one kind: a column for each framework that has one of them. */
function matrix(kind: string): string {
  const methods = Object.entries(origins).filter(([, origin]) => origin.kind === kind);
  const having = all.filter(([, framework]) => methods.some(([name]) => namesIn(framework, name).length > 0));
  const rows = methods.map(([name, { year, venue }]) => [
    code(name),
    `${venue} ${year}`,
    ...having.map(([, framework]) => cell(framework, name)),
  ]);
  const title = kind.replace('_', '-');
  return `### ${title[0]!.toUpperCase()}${title.slice(1)}\n\n${table(['method', 'from', ...having.map(([name]) => name)], rows)}`;
}

function cell(framework: Framework, method: string): string {
  const names = namesIn(framework, method);
  return names.map(({ name, option }) => (option ? `${code(name)} (${code(option)})` : code(name))).join(', ');
}

function missing(): string {
  const rows = Object.entries(absent).map(([name, { title, venue, reason }]) => {
    const where = all.filter(([, framework]) => namesIn(framework, name).length > 0);
    return [name, title, venue, where.map(([own]) => own).join(', '), reason];
  });
  return table(['method', '', 'from', 'in', 'why'], rows);
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((name) => (name === 'methods' || name === 'here' ? '---:' : '---'));
  return [head, rule, ...rows].map(line).join('\n');
}

function code(name: string): string {
  return `\`${name}\``;
}
