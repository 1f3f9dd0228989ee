/** Elements of the page. Texts become text nodes: nothing that comes from a file is ever read as markup. */

type Attributes = Readonly<Record<string, string | number | boolean | ((event: Event) => void)>>;

/** An element; `onclick` and the like are listeners, true is an attribute without a value, false none at all. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children);
  return element;
}

/** A labeled choice among texts. */
export function choice(
  label: string,
  options: readonly string[],
  chosen: string,
  onChoice: (option: string) => void,
): HTMLLabelElement {
  const select = h('select', { onchange: () => onChoice(select.value) });
  select.append(...options.map((option) => h('option', { value: option, selected: option === chosen }, option)));
  return h('label', { class: 'choice' }, `${label} `, select);
}

/** A section with a heading that links lead to. */
export function section(id: string, title: string, ...children: (Node | string)[]): HTMLElement {
  return h('section', { id, 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), ...children);
}

/** `3 rows`, `1 row`, `1,204 rows`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
