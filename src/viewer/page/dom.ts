/** Elements in one expression: `h('button', { class: 'x', onclick: f }, 'text', child)`. Text is never taken for HTML. */

export type Child = Node | string | null | false | readonly Child[];

type Value = string | number | boolean | null | undefined | ((event: never) => void);

/**
 * @param props  attributes; a function under `on…` listens, true is an empty attribute, null and false are left out
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Readonly<Record<string, Value>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key.slice(2), value as EventListener);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  add(element, children);
  return element;
}

export function add(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === false) continue;
    if (Array.isArray(child)) add(element, child as readonly Child[]);
    else element.append(child as Node | string);
  }
}

/** Puts other children in the place of those that are there. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  add(element, children);
}

/** A labelled choice of one. */
export function select(
  label: string,
  options: readonly (readonly [value: string, text: string])[],
  value: string,
  onChange: (value: string) => void,
): HTMLLabelElement {
  const box = h(
    'select',
    { onchange: () => onChange(box.value) },
    options.map(([each, text]) => h('option', { value: each, selected: each === value }, text)),
  );
  return h('label', { class: 'field' }, h('span', {}, label), box);
}

/** A labelled check box. */
export function check(label: Child, on: boolean, onChange: (on: boolean) => void): HTMLLabelElement {
  const box = h('input', { type: 'checkbox', checked: on, onchange: () => onChange(box.checked) });
  return h('label', { class: 'check' }, box, h('span', {}, label));
}

/** Says something to who does not see the page, and for a moment to who does. */
export function announce(text: string): void {
  const status = document.getElementById('status');
  if (status === null) return;
  status.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => status.replaceChildren(), ANNOUNCED_MS);
}

const ANNOUNCED_MS = 6000;
let silence: ReturnType<typeof setTimeout> | undefined;

/** Says something that stays until something else is said: it has a button. */
export function announceFirmly(...children: Child[]): void {
  announce('');
  clearTimeout(silence);
  const status = document.getElementById('status');
  if (status !== null) fill(status, ...children);
}

/** Copies text; where the browser refuses (a file that is not trusted) by selecting it. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h('textarea', { class: 'offscreen', 'aria-hidden': 'true', tabindex: -1 });
    const focused = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
    if (!copied) {
      announce(`${what} could not be copied: the browser does not allow it`);
      return;
    }
  }
  announce(`${what} copied`);
}

/** Offers text as a file. */
export function download(name: string, text: string, type = 'application/json'): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  URL.revokeObjectURL(url);
}
