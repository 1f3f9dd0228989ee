/** The table of all rows: sorted by its headers, filtered, a part of it on show; ticked rows have their curves drawn. */
import type { PageColumn } from '../data';
import { finishedRows, goalOf, ranked } from '../model';
import { counted, h } from './dom';
import type { State } from './state';

/** Rows on show at first, and how many more a press shows. */
const SHOWN = 100;
const MORE = 400;

/** Texts with more letters than this may take several lines. */
const LONG = 28;

export interface TableEvents {
  /** Another filter. */
  readonly onFilter: () => void;
  /** Another order, or other columns. */
  readonly onView: () => void;
  /** Other rows are ticked. */
  readonly onPick: () => void;
}

export class TableView {
  readonly element: HTMLElement;
  private readonly tools = h('div', { class: 'tools' });
  private readonly chips = h('div', { class: 'chips', role: 'group', 'aria-label': 'Statuses to show' });
  private readonly menu = h('div', { class: 'menu-items' });
  private readonly table = h('table');
  private readonly count = h('p', { class: 'count', role: 'status' });
  private readonly remark = h('p', {}, 'Gray values are defaults, which params.json leaves out.');
  private readonly notes = h('div', { class: 'notes' });
  private limit = SHOWN;

  constructor(
    private readonly state: State,
    private readonly events: TableEvents,
  ) {
    const filter = h('input', {
      type: 'search',
      id: 'filter',
      placeholder: 'Filter: resnet  alpha>=0.5  method=kd',
      'aria-label': 'Filter rows: words, or comparisons such as alpha>=0.5',
      spellcheck: 'false',
      autocomplete: 'off',
      oninput: () => {
        state.query = filter.value;
        this.limit = SHOWN;
        events.onFilter();
      },
    });
    const menu = h('details', { class: 'menu' }, h('summary', {}, 'Columns'), this.menu);
    document.addEventListener('click', ({ target }) => {
      if (!menu.contains(target as Node)) menu.open = false;
    });
    menu.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') menu.open = false;
    });
    this.tools.append(filter, this.chips, menu);
    const region = h(
      'div',
      { class: 'scroll', role: 'region', 'aria-label': 'Table of runs', tabindex: 0 },
      this.table,
    );
    this.element = h('div', {}, this.tools, region, this.count, this.notes);
  }

  /** Shows `rows`, after the data have changed. */
  reset(rows: readonly number[]): void {
    const { data, hidden, switched } = this.state;
    const counts = new Map<string, number>();
    for (const { status } of data.rows) counts.set(status, (counts.get(status) ?? 0) + 1);
    this.chips.replaceChildren(
      ...[...counts].map(([status, count]) => {
        const chip = h(
          'button',
          {
            type: 'button',
            class: 'chip',
            'data-status': status,
            'aria-pressed': String(!hidden.has(status)),
            onclick: () => {
              if (!hidden.delete(status)) hidden.add(status);
              chip.setAttribute('aria-pressed', String(!hidden.has(status)));
              this.events.onFilter();
            },
          },
          h('span', { class: 'dot' }),
          `${status} ${count.toLocaleString('en-US')}`,
        );
        return chip;
      }),
    );
    this.menu.replaceChildren(
      ...data.columns.map((column) => {
        const box = h('input', {
          type: 'checkbox',
          checked: switched.get(column.name) ?? column.shown,
          onchange: () => {
            switched.set(column.name, box.checked);
            this.events.onView();
          },
        });
        return h('label', {}, box, ` ${column.name}`);
      }),
    );
    this.notes.replaceChildren(this.remark, ...data.notes.map((note) => h('p', {}, note)));
    this.show(rows);
  }

  /** Shows `rows`, the first of them. */
  show(rows: readonly number[]): void {
    const { columns, metric, data } = this.state;
    const best = metric && ranked(metric, finishedRows(data, rows))[0];
    const shown = rows.slice(0, this.limit);
    const body = h('tbody', {}, ...shown.map((row) => this.line(row, columns, row === best)));
    this.table.replaceChildren(this.head(columns), body);
    this.table.hidden = columns.length === 0;
    this.remark.hidden = !columns.some(({ defaults }) => defaults !== undefined);
    if (data.rows.length === 0) {
      this.count.replaceChildren('No run has results yet.');
      return;
    }
    this.count.replaceChildren(
      rows.length === data.rows.length
        ? `${counted(rows.length, 'row')}, ${counted(data.runs, 'run')}. `
        : `${counted(rows.length, 'row')} of ${data.rows.length.toLocaleString('en-US')}. `,
    );
    if (shown.length === rows.length) return;
    const more = Math.min(MORE, rows.length - shown.length);
    const button = h('button', {
      type: 'button',
      onclick: () => {
        this.limit += MORE;
        this.show(rows);
      },
    });
    button.append(`Show ${more} more`);
    this.count.append(`Showing the first ${shown.length}. `, button);
  }

  private head(columns: readonly PageColumn[]): HTMLElement {
    const { sort } = this.state;
    const cells = columns.map(({ name, numeric, kind }) => {
      const direction = sort?.name !== name ? 'none' : sort.descending ? 'descending' : 'ascending';
      const arrow = { none: '', ascending: '▲', descending: '▼' }[direction];
      const button = h('button', {
        type: 'button',
        onclick: () => this.sortBy(name, kind === 'metric' && goalOf(name) === 'maximize'),
      });
      button.append(name, h('span', { class: 'arrow', 'aria-hidden': 'true' }, arrow));
      return h('th', { scope: 'col', 'aria-sort': direction, class: numeric ? 'number' : 'text' }, button);
    });
    return h('thead', {}, h('tr', {}, h('th', { scope: 'col', class: 'tick' }, 'plot'), ...cells));
  }

  /** By a column, metrics from the best; once more turns the order, and a third time it is that of the file. */
  private sortBy(name: string, largestFirst: boolean): void {
    const { sort } = this.state;
    if (sort?.name !== name) this.state.sort = { name, descending: largestFirst };
    else if (sort.descending === largestFirst) this.state.sort = { name, descending: !largestFirst };
    else this.state.sort = undefined;
    this.limit = SHOWN;
    this.events.onView();
    const place = this.state.columns.findIndex((column) => column.name === name);
    this.table.querySelectorAll<HTMLElement>('thead button')[place]?.focus();
  }

  private line(row: number, columns: readonly PageColumn[], isBest: boolean): HTMLElement {
    const { data, picked, metric } = this.state;
    const { id, curves, status } = data.rows[row]!;
    const box = h('input', {
      type: 'checkbox',
      'aria-label': `Draw the curves of ${id}`,
      checked: picked.has(id),
      disabled: curves === undefined,
      onchange: () => {
        if (!picked.delete(id)) picked.add(id);
        this.events.onPick();
      },
    });
    const cells = columns.map((column) => {
      const text = column.texts[row]!;
      if (column.name === 'directory') return h('th', { scope: 'row' }, text);
      const type = column.numeric ? 'number' : text.length > LONG ? 'text long' : 'text';
      const cell = h('td', { class: isBest && column === metric ? `${type} best` : type }, text);
      if (column.defaults?.includes(row)) {
        cell.classList.add('default');
        cell.append(h('span', { class: 'unseen' }, ' (default)'));
      }
      if (column.name === 'status') cell.prepend(h('span', { class: 'dot' }));
      return cell;
    });
    return h('tr', { 'data-status': status }, h('td', { class: 'tick' }, box), ...cells);
  }

  /** Shows which rows are ticked after that has changed elsewhere. */
  untick(): void {
    for (const box of this.table.querySelectorAll<HTMLInputElement>('td.tick input')) box.checked = false;
  }
}
