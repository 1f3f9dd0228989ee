/** The sections without charts: runs that did not come to their end, and where the runs come from. */
import type { PageData } from '../data';
import { counted, h, section } from './dom';

export function troublesSection({ troubles }: PageData): HTMLElement | undefined {
  if (troubles.length === 0) return undefined;
  const lines = troubles.map(({ directory, status, reason }) =>
    h(
      'tr',
      { 'data-status': status },
      h('th', { scope: 'row' }, directory),
      h('td', { class: 'text' }, h('span', { class: 'dot' }), status),
      h('td', { class: 'reason' }, reason),
    ),
  );
  const head = ['directory', 'status', 'what its files say'].map((name) =>
    h('th', { scope: 'col', class: 'text' }, name),
  );
  const table = h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...lines));
  const region = h('div', { class: 'scroll', role: 'region', 'aria-label': 'Unfinished runs', tabindex: 0 }, table);
  return section('troubles', 'Unfinished', h('p', { class: 'remark' }, `${counted(troubles.length, 'run')}.`), region);
}

export function environmentSection({ shared, environment }: PageData): HTMLElement | undefined {
  if (shared.length + environment.length === 0) return undefined;
  const params = shared.flatMap(({ name, text }) => [h('dt', {}, name), h('dd', {}, text)]);
  const facts = environment.flatMap(({ name, values, more }) => [
    h('dt', {}, name),
    h(
      'dd',
      {},
      ...values.map(({ text, runs }) => h('span', {}, text, values.length > 1 ? ` (${counted(runs, 'run')})` : '')),
      ...(more > 0 ? [h('span', {}, `and ${more.toLocaleString('en-US')} more`)] : []),
    ),
  ]);
  const part = (title: string, entries: readonly HTMLElement[]) =>
    entries.length > 0 ? [h('div', {}, h('h3', {}, title), h('dl', { class: 'facts' }, ...entries))] : [];
  return section(
    'environment',
    'Environment',
    h('div', { class: 'columns' }, ...part('Parameters of all runs', params), ...part('Code and machine', facts)),
  );
}
