/** The section on where the runs come from: what is the same for all, code and machine. */
import type { PageData } from '../data';
import { counted, h, section } from './dom';

export function environmentSection({ shared, environment }: PageData): HTMLElement | undefined {
  if (shared.length + environment.length === 0) return undefined;
  const params = shared.flatMap(({ name, text }) => [h('dt', {}, name), h('dd', {}, text)]);
  const entries = environment.flatMap(({ name, values, more }) => [
    h('dt', {}, name),
    h(
      'dd',
      {},
      ...values.map(({ text, runs }) => h('span', {}, text, values.length > 1 ? ` (${counted(runs, 'run')})` : '')),
      ...(more > 0 ? [h('span', {}, `and ${more.toLocaleString('en-US')} more`)] : []),
    ),
  ]);
  const part = (title: string, entries: readonly HTMLElement[]) =>
    entries.length > 0 ? [h('div', {}, h('h3', {}, title), h('dl', { class: 'entries' }, ...entries))] : [];
  return section(
    'environment',
    'Environment',
    h('div', { class: 'columns' }, ...part('Parameters of all runs', params), ...part('Code and machine', entries)),
  );
}
