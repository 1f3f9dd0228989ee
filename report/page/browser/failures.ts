/** The section of runs that did not finish. */
import type { PageData } from '../data';
import { counted, h, section } from './dom';

export function failuresSection({ failures }: PageData): HTMLElement | undefined {
  if (failures.length === 0) return undefined;
  const lines = failures.map(({ directory, status, reason }) =>
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
  return section('failures', 'Unfinished', h('p', { class: 'remark' }, `${counted(failures.length, 'run')}.`), region);
}
