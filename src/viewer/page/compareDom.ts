/** Making elements: a tag with its classes, attributes, listeners, children. */

type Child = Node | string | null;

export interface Attributes {
  readonly class?: string;
  /** Text instead of children. */
  readonly text?: string;
  readonly on?: { readonly [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
  readonly [attribute: string]: unknown;
}

/** `el('button.big', { type: 'button', on: { click } }, 'Go')`. An attribute that is null, undefined or false is left out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  name: K | `${K}.${string}`,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const [tag, ...classes] = name.split('.') as [K, ...string[]];
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'text') element.textContent = String(value);
    else if (key === 'class') element.className = `${element.className} ${value}`.trim();
    else if (key === 'on') {
      for (const [type, listener] of Object.entries(value as object))
        element.addEventListener(type, listener);
    } else element.setAttribute(key, value === true ? '' : String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

export function button(text: string, click: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return el('button', { type: 'button', text, on: { click }, ...attributes });
}

/** An element of a picture. */
export function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly (Node | string)[]
): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** Only for who listens to the page. */
export const unseen = (text: string): HTMLElement => el('span.cmp-unseen', { text });
