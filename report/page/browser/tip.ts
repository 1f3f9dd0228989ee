/** The box that tells what is under the pointer. */
import { h } from './dom';

const tip = h('div', { id: 'tip', role: 'status', hidden: true });
document.body.append(tip);

/** `value` is an object of texts by their titles; anything else hides the box. */
export function showTip(event: MouseEvent, value: unknown): void {
  if (typeof value !== 'object' || value === null) return hideTip();
  const lines = Object.entries(value).filter(([, text]) => text !== '');
  tip.replaceChildren(h('dl', {}, ...lines.flatMap(([name, text]) => [h('dt', {}, name), h('dd', {}, String(text))])));
  tip.hidden = false;
  const { clientX: x, clientY: y } = event;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = x + 14 + width > innerWidth ? Math.max(4, x - 14 - width) : x + 14;
  const top = y + 14 + height > innerHeight ? Math.max(4, y - 14 - height) : y + 14;
  tip.style.transform = `translate(${left}px, ${top}px)`;
}

export function hideTip(): void {
  tip.hidden = true;
}
