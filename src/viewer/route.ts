/**
 * Where the page is, as the hash of its address: everything that it takes to come back, and nothing else.
 *
 *     #/matrix?q=falloc&broken=durability
 *     #/cell?scenario=mmap-store-then-fsync&mount=delalloc&of=mkwrite-convert&with=defer&broken=model&row=40
 *     #/edit?z=…&mount=delalloc&with=mkwrite-convert,defer
 *
 * `z` is a scenario that was edited: deflated, base64url. Unknown keys are ignored, unknown views are the matrix.
 */
import { VERDICT_FILTERS, type VerdictFilter } from './matrix.ts';

/** A bundled or raced scenario by name, or an edited one. */
export type ScenarioRef = { readonly scenario: string } | { readonly z: string };

export interface MatrixRoute {
  readonly view: 'matrix';
  /** Power failures instead of schedules. */
  readonly power: boolean;
  readonly q: string;
  readonly verdict: VerdictFilter;
  readonly invariant: string | null;
  /** Columns; null: all. */
  readonly designs: readonly string[] | null;
  /** Cells in words, or as signs and counts; null: words where they fit. */
  readonly words: boolean | null;
}

export interface CellRoute {
  readonly view: 'cell';
  readonly ref: ScenarioRef;
  /** Label; '': the first. */
  readonly mount: string;
  /** The design whose cell it is. */
  readonly of: string;
  /** Designs beside it; null: those that are worth it. */
  readonly beside: readonly string[] | null;
  readonly power: boolean;
  /** The violation; null: the worst. */
  readonly broken: string | null;
  /** Null: that of the violation. */
  readonly schedule: string | null;
  /** Power failures: which of the media; null: one that breaks it. */
  readonly medium: number | null;
  readonly row: number | null;
}

export interface EditRoute {
  readonly view: 'edit';
  readonly ref: ScenarioRef | null;
  readonly mount: string;
  readonly designs: readonly string[] | null;
  readonly preemptions: number | null;
  readonly seconds: number | null;
  readonly power: boolean;
}

export type Route =
  | MatrixRoute
  | CellRoute
  | EditRoute
  | { readonly view: 'designs'; readonly design: string | null }
  | { readonly view: 'findings' };

export const MATRIX: MatrixRoute = {
  view: 'matrix',
  power: false,
  q: '',
  verdict: 'any',
  invariant: null,
  designs: null,
  words: null,
};

export const EDIT: EditRoute = {
  view: 'edit',
  ref: null,
  mount: '',
  designs: null,
  preemptions: null,
  seconds: null,
  power: false,
};

/** With its `#/`. */
export function formatRoute(route: Route): string {
  const words: [string, string][] = [];
  const add = (key: string, value: string | number | null, absent: string | number | null = null): void => {
    if (value !== null && value !== absent) words.push([key, String(value)]);
  };
  const list = (key: string, value: readonly string[] | null): void => add(key, value?.join(',') ?? null);
  const ref = (value: ScenarioRef | null): void => {
    if (value !== null) add(...(Object.entries(value)[0] as [string, string]));
  };
  switch (route.view) {
    case 'matrix':
      add('power', route.power ? 1 : 0, 0);
      add('q', route.q, '');
      add('verdict', route.verdict, 'any');
      add('broken', route.invariant);
      list('designs', route.designs);
      add('words', route.words === null ? null : Number(route.words));
      break;
    case 'cell':
      ref(route.ref);
      add('mount', route.mount, '');
      add('of', route.of);
      list('with', route.beside);
      add('power', route.power ? 1 : 0, 0);
      add('broken', route.broken);
      add('schedule', route.schedule);
      add('medium', route.medium);
      add('row', route.row);
      break;
    case 'edit':
      ref(route.ref);
      add('mount', route.mount, '');
      list('designs', route.designs);
      add('preemptions', route.preemptions);
      add('seconds', route.seconds);
      add('power', route.power ? 1 : 0, 0);
      break;
    case 'designs':
      add('design', route.design);
      break;
    case 'findings':
      break;
  }
  const query = words.map(([key, value]) => `${key}=${encode(value)}`).join('&');
  return `#/${route.view}${query === '' ? '' : `?${query}`}`;
}

/** What a mail client may break is encoded, what a reader may want to read is not. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll('%2C', ',').replaceAll('%3D', '=').replaceAll('%40', '@');

export function parseRoute(hash: string): Route {
  const [, view = '', query = ''] = /^#?\/?([a-z]*)(?:\?(.*))?$/s.exec(hash) ?? [];
  const words = new Map(
    query
      .split('&')
      .filter((word) => word !== '')
      .map((word): [string, string] => {
        const at = word.indexOf('=');
        return at < 0 ? [word, ''] : [word.slice(0, at), decode(word.slice(at + 1))];
      }),
  );
  const text = (key: string): string | null => words.get(key) || null;
  const list = (key: string): string[] | null => text(key)?.split(',') ?? null;
  const count = (key: string): number | null =>
    /^\d{1,9}$/.test(text(key) ?? '') ? Number(text(key)) : null;
  const z = text('z');
  const scenario = text('scenario');
  const ref: ScenarioRef | null = z !== null ? { z } : scenario !== null ? { scenario } : null;
  const power = text('power') === '1';
  if (view === 'cell' && ref !== null && text('of') !== null)
    return {
      view,
      ref,
      mount: text('mount') ?? '',
      of: text('of')!,
      beside: list('with'),
      power,
      broken: text('broken'),
      schedule: text('schedule'),
      medium: count('medium'),
      row: count('row'),
    };
  if (view === 'edit')
    return {
      view,
      ref,
      mount: text('mount') ?? '',
      designs: list('designs'),
      preemptions: count('preemptions'),
      seconds: count('seconds'),
      power,
    };
  if (view === 'designs') return { view, design: text('design') };
  if (view === 'findings') return { view };
  const verdict = text('verdict') as VerdictFilter | null;
  return {
    view: 'matrix',
    power,
    q: text('q') ?? '',
    verdict: verdict !== null && VERDICT_FILTERS.includes(verdict) ? verdict : 'any',
    invariant: text('broken'),
    designs: list('designs'),
    words: text('words') === null ? null : text('words') === '1',
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** A token of `replay` as the cell that shows it; null: it is none. */
export function tokenRoute(token: string): CellRoute | null {
  const match = /^([^:]+):([^:@]+)@([^:]+):([^:!]+)(?:(!)(\d{0,6}))?$/.exec(token);
  if (match === null) return null;
  const [, scenario, of, mount, schedule, power, medium] = match;
  return {
    view: 'cell',
    ref: { scenario: scenario! },
    mount: mount!,
    of: of!,
    beside: null,
    power: power !== undefined,
    broken: null,
    schedule: schedule!,
    medium: power === undefined ? null : Number(medium),
    row: null,
  };
}
