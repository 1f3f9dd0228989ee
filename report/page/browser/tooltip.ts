/** The box that tells what is under the pointer. */
import { h } from './dom';

const tooltip = h('div', { id: 'tooltip', role: 'status', hidden: true });
document.body.append(tooltip);

/** `value` is an object of texts by their titles; anything else hides the box. */
export function showTooltip(event: MouseEvent, value: unknown): void {
  if (typeof value !== 'object' || value === null) return hideTooltip();
  const lines = Object.entries(value).filter(([, text]) => text !== '');
  tooltip.replaceChildren(
    h('dl', {}, ...lines.flatMap(([name, text]) => [h('dt', {}, name), h('dd', {}, String(text))])),
  );
  tooltip.hidden = false;
  const { clientX: x, clientY: y } = event;
  const { offsetWidth: width, offsetHeight: height } = tooltip;
  const left = x + 14 + width > innerWidth ? Math.max(4, x - 14 - width) : x + 14;
  const top = y + 14 + height > innerHeight ? Math.max(4, y - 14 - height) : y + 14;
  tooltip.style.transform = `translate(${left}px, ${top}px)`;
}

export function hideTooltip(): void {
  tooltip.hidden = true;
}
