/** The page: the data that stand in it, and all sections made of them. */
import type { PageData } from '../data';
import { finishedRows, metricsOf, ranked } from '../model';
import { analysisSections } from './analysis';
import { CurvesSection } from './curves';
import { choice, counted, h, section } from './dom';
import { environmentSection } from './environment';
import { failuresSection } from './failures';
import { Figure } from './figure';
import { followData } from './live';
import { predictionsSection } from './predictions';
import { State } from './state';
import { TableView } from './table';

const state = new State(JSON.parse(document.getElementById('data')!.textContent) as PageData);
const table = new TableView(state, { onFilter: update, onView: arrange, onPick: () => curves.update(rows) });
const curves = new CurvesSection(state, () => {
  state.picked.clear();
  table.untick();
  curves.update(rows);
});

const header = h('header');
const analysis = h('div');
const details = h('div');
const liveness = h('span', { class: 'live', role: 'status' });
document.body.prepend(
  h('main', {}, header, section('results', 'Results', table.element), curves.element, analysis, details),
);

let rows: readonly number[] = [];
build();
if (document.documentElement.hasAttribute('data-live')) {
  liveness.textContent = 'live';
  void followData(
    (data) => {
      // A list of choices that the reader has open must not vanish.
      if (document.activeElement instanceof HTMLSelectElement) return false;
      state.data = data;
      build();
      return true;
    },
    (text) => (liveness.textContent = text),
  );
}

/** Everything, after the data have changed. */
function build(): void {
  const { data } = state;
  rows = state.rows();
  Figure.forgetIn(analysis);
  const predictions = predictionsSection(state);
  analysis.replaceChildren(
    ...analysisSections(state, () => finishedRows(state.data, rows)),
    ...(predictions ? [predictions] : []),
  );
  details.replaceChildren(...[failuresSection(data), environmentSection(data)].filter((part) => part !== undefined));
  table.reset(rows);
  curves.update(rows);
  buildHeader();
}

function buildHeader(): void {
  const { data } = state;
  const metrics = metricsOf(data).map(({ name }) => name);
  const metric = choice('Metric', metrics, state.metric?.name ?? '', (name) => {
    state.choose('metric', name);
    update();
    buildHeader();
    header.querySelector('select')!.focus();
  });
  const all = data.rows.map((_, row) => row);
  const best = state.metric && ranked(state.metric, finishedRows(data, all))[0];
  const tell =
    best === undefined
      ? []
      : [
          'Best ',
          state.metric!.name,
          ' ',
          h('strong', {}, state.metric!.texts[best]!),
          ' of ',
          h('strong', {}, data.rows[best]!.id),
          '.',
        ];
  const links = [...document.querySelectorAll('section')]
    .filter((one) => !one.hidden)
    .map((one) => h('a', { href: `#${one.id}` }, one.querySelector('h2')!.textContent));
  header.replaceChildren(
    h('div', { class: 'top' }, h('h1', {}, data.title), liveness),
    h('p', { class: 'summary' }, `${counted(data.runs, 'run')} in ${counted(data.rows.length, 'row')}. `, ...tell),
    h(
      'div',
      { class: 'bar' },
      h('nav', { 'aria-label': 'Sections' }, ...links),
      ...(metrics.length > 0 ? [metric] : []),
    ),
  );
}

/** The table in another order. */
function arrange(): void {
  rows = state.rows();
  table.show(rows);
}

/** All that shows the rows that are left. */
function update(): void {
  arrange();
  curves.update(rows);
  Figure.redrawAll();
}
