/** A scenario as its author would write it: what fits on a line stands on one, lanes a line each. */

const WIDTH = 78;

/** @param json  anything that JSON can carry */
export function formatScenario(json: unknown): string {
  return `${formatted(json, '', 0)}\n`;
}

function formatted(value: unknown, indent: string, used: number): string {
  const inline = spaced(value);
  const isTop = indent === '' && used === 0;
  if (typeof value !== 'object' || value === null) return inline;
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((each): [string, unknown] => ['', each])
    : Object.entries(value).map(([key, each]): [string, unknown] => [`${JSON.stringify(key)}: `, each]);
  // Lines of a lane are read one under the other.
  const isLane = Array.isArray(value) && value.length > 1 && value.some((each) => / /.test(String(each)));
  const fits = indent.length + used + inline.length <= WIDTH;
  if (entries.length === 0 || (fits && !isTop && !isLane)) return inline;
  const inner = `${indent}  `;
  const lines = entries.map(([key, each]) => `${inner}${key}${formatted(each, inner, key.length)}`);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return '{}';
  return `{ ${entries.map(([key, each]) => `${JSON.stringify(key)}: ${spaced(each)}`).join(', ')} }`;
}

/** For a link: as short as JSON gets. Text that is no JSON stays as it is. */
export function shortScenario(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
