/** docs/costs.md: what a step of each method costs beside the student alone. `npm run docs` writes it. */
import { kinds, origins } from '../model/distillers/catalogue';
import { costs, measuredOn } from '../model/distillers/costs';

export function costsPage(): string {
  const sections = Object.keys(kinds)
    .filter((kind) => kind !== 'alone')
    .map(section);
  return [
    '# What methods cost',
    `Of a step of ${measuredOn}: CPU time in multiples of that of the student alone, with the teacher's outputs at hand, as in a\n` +
      '[search](search.md#teacher-outputs-once), and with its pass; and the peak of memory in MiB beyond that of the student alone, the teacher included.\n' +
      'Measured once by `bench/methods.ts` on a busy machine; ratios vary by about 0.1.',
    ...sections,
  ]
    .join('\n\n')
    .concat('\n');
}

/** The methods of a kind, the cheapest first. */
function section(kind: string): string {
  const rows = Object.entries(costs)
    .filter(([name]) => origins[name]?.kind === kind)
    .sort(([, a], [, b]) => a.time - b.time)
    .map(
      ([name, { time, withTeacher, memory }]) =>
        `| \`${name}\` | ${time.toFixed(2)} | ${withTeacher.toFixed(2)} | ${memory} |`,
    );
  const title = kind.replace('_', '-');
  return [
    `## ${title[0]!.toUpperCase()}${title.slice(1)}`,
    '',
    '| method | step | with the teacher | memory |',
    '| --- | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}
