/** The section on what runs predict for the test images: two of them side by side. */
import { reliabilityChart } from '../charts/reliability';
import { softTargetsChart, softTargetsTitle } from '../charts/soft_targets';
import type { Example } from '../difference';
import { comparedRuns } from '../model';
import type { PagePredictions, PredictedRun } from '../predictions';
import { choice, counted, h, section } from './dom';
import { Figure } from './figure';
import type { State } from './state';

type Pair = readonly [first: PredictedRun, second: PredictedRun | undefined];

export function predictionsSection(state: State): HTMLElement | undefined {
  const { predictions } = state.data;
  if (!predictions) return undefined;
  const { runs, had } = predictions;
  const pair = (): Pair => comparedRuns(predictions, [state.nameOf('first'), state.nameOf('second')]);
  const body = h('div');
  const draw = () => {
    Figure.forgetIn(body);
    body.replaceChildren(...calibrationPart(pair()), ...classesPart(predictions, pair()), ...teacherPart(pair()));
  };
  draw();
  const names = runs.map(({ directory }) => directory);
  const select = (label: string, purpose: string, run: PredictedRun | undefined) =>
    choice(label, names, run?.directory ?? '', (name) => {
      state.choose(purpose, name);
      draw();
    });
  const [first, second] = pair();
  const tools = second
    ? [h('div', { class: 'tools' }, select('First run', 'first', first), select('Second run', 'second', second))]
    : [];
  const limit = runs.length < had ? ` These are the best ${runs.length} of ${counted(had, 'run')}.` : '';
  const remark = `Predictions of the best weights for the test images.${limit}`;
  const parts = [h('p', { class: 'remark' }, remark), ...tools, body, ...imagesPart(predictions)];
  return section('predictions', 'Predictions', ...parts);
}

function calibrationPart(pair: Pair): HTMLElement[] {
  const figures = pair.flatMap((run, i) => {
    if (!run) return [];
    const title = `${run.directory}: calibration error ${run.calibrationError.toFixed(4)}`;
    const name = `reliability_${i + 1}`;
    return [new Figure({ name, title, captioned: true, empty: '', chart: (style) => reliabilityChart(run, style) })];
  });
  const remark =
    'Bars are the accuracy of the images by confidence, with their number above; the gap to the mean confidence is drawn ' +
    'in the second color. On the dashed line each confidence would be the probability of being right. The expected ' +
    'calibration error is the mean gap, weighted by images.';
  return [
    h('h3', {}, 'Reliability'),
    h('p', { class: 'remark' }, remark),
    h('div', { class: 'figures' }, ...figures.map(({ element }) => element)),
  ];
}

/** The accuracy by class of both runs, the largest gain of the second first. */
function classesPart({ sets }: PagePredictions, [first, second]: Pair): HTMLElement[] {
  const heading = h('h3', {}, 'Accuracy by class');
  if (second && second.set !== first.set)
    return [heading, h('p', { class: 'remark' }, 'The two runs have different test images.')];
  const { classes, images } = sets[first.set]!;
  const rows = classes.map((name, k) => {
    const [before, after] = [first.classAccuracies[k] ?? null, second?.classAccuracies[k] ?? null];
    const difference = before === null || after === null ? null : after - before;
    return { name, images: images[k]!, before, after, difference };
  });
  if (second) rows.sort((a, b) => (b.difference ?? -Infinity) - (a.difference ?? -Infinity));
  const number = (value: number | null, text = (one: number) => one.toFixed(4)) =>
    h('td', { class: 'number' }, value === null ? '' : text(value));
  const lines = rows.map(({ name, images, before, after, difference }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      number(images, (count) => count.toLocaleString('en-US')),
      number(before),
      ...(second ? [number(after), number(difference, signed)] : []),
    ),
  );
  const names = ['images', first.directory, ...(second ? [second.directory, 'difference'] : [])];
  const head = [
    h('th', { scope: 'col', class: 'text' }, 'class'),
    ...names.map((name) => h('th', { scope: 'col', class: 'number' }, name)),
  ];
  const table = h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...lines));
  return [
    heading,
    h('div', { class: 'scroll fit', role: 'region', 'aria-label': 'Accuracy by class', tabindex: 0 }, table),
  ];
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}

/** The soft targets of the second run's teacher, or else of the first run's. */
function teacherPart(pair: Pair): HTMLElement[] {
  const run = [...pair].reverse().find((one) => one?.teacher !== undefined);
  const teacher = run?.teacher;
  if (!teacher) return [];
  const figures = (['confidence', 'entropy'] as const).map(
    (kind) =>
      new Figure({
        name: `soft_targets_${kind}`,
        title: softTargetsTitle(teacher, kind),
        captioned: true,
        empty: '',
        chart: (style) => softTargetsChart(teacher, kind, style),
      }),
  );
  const remark =
    `The teacher of ${run.directory} on ${counted(teacher.images, 'test image')}, of which it gets ` +
    `${(100 * teacher.accuracy).toFixed(1)} % right.`;
  return [
    h('h3', {}, 'Soft targets of the teacher'),
    h('p', { class: 'remark' }, remark),
    h('div', { class: 'figures' }, ...figures.map(({ element }) => element)),
  ];
}

function imagesPart({ difference }: PagePredictions): HTMLElement[] {
  if (!difference) return [];
  const { alone, distilled, gained, lost, images, known, differing, examples, errors } = difference;
  const number = (count: number) => count.toLocaleString('en-US');
  const named = (name: string) => h('strong', {}, name);
  const students =
    alone === undefined
      ? [named(distilled), ', the best run with a teacher, ']
      : [named(alone), ', the best run without a teacher, ', named(distilled), ', the best one with a teacher, '];
  const shown = examples.length > 0 ? `, of which ${examples.length} are shown` : '';
  const counts =
    alone === undefined
      ? ''
      : `Of all ${counted(images, 'test image')}, only the distilled student gets ${number(gained)} right, and only the ` +
        `other one ${number(lost)}. `;
  const missing =
    differing > 0 && shown === '' ? 'These runs have kept no images of them, as earlier versions did not.' : '';
  const found = `and its teacher differ on ${number(differing)} of ${counted(known, 'test image')}${shown}. `;
  return [
    h('h3', {}, 'Images on which they differ'),
    h('p', { class: 'remark' }, ...students, found, counts, missing),
    ...errors.map((error) => h('p', { class: 'remark' }, error)),
    ...(examples.length > 0 ? [h('ul', { class: 'examples' }, ...examples.map(exampleItem))] : []),
  ];
}

function exampleItem({ index, label, uri, predictions }: Example): HTMLElement {
  const lines = predictions.flatMap(({ who, label: guess, confidence, isRight }) => [
    h('dt', {}, who),
    h(
      'dd',
      { class: isRight ? 'right' : 'wrong' },
      h('span', { 'aria-hidden': 'true' }, isRight ? '✓ ' : '✗ '),
      h('span', { class: 'unseen' }, isRight ? 'right: ' : 'wrong: '),
      `${guess} ${Math.round(100 * confidence)}\u00a0%`,
    ),
  ]);
  const picture = h('img', { src: uri, alt: `Test image ${index}` });
  return h('li', {}, picture, h('div', {}, h('strong', {}, label), h('dl', {}, ...lines)));
}
