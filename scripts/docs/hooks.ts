/**
 * The hooks as somebody who writes a design needs them: what each is given, what it answers, and which locks its task
 * holds then. The locks are seen, not said: every scenario is run once, lane after lane, under the current kernel.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageOf } from '../../src/cli/images.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { defineDesign, type Hooks, type Kernel, mkwriteConvert, step } from '../../src/designs/index.ts';
import { runSession } from '../../src/scenario/run.ts';
import { startSession } from '../../src/scenario/session.ts';
import type { Trace } from '../../src/trace/transaction.ts';
import type { Block } from './markers.ts';
import { ROOT } from './source.ts';

interface Hook {
  readonly name: string;
  /** Its arguments after `k`. */
  readonly given: string;
  /** What it returns; `Op<…>` for one that may take steps. */
  readonly answers: string;
}

function hooksOf(): Hook[] {
  const text = readFileSync(join(ROOT, 'src/hooks.ts'), 'utf8').replaceAll(/\/\*\*[\s\S]*?\*\//g, '');
  const [, body] = /export interface Hooks \{([\s\S]*?)\n\}/.exec(text)!;
  return [...body!.matchAll(/(\w+)\(([\s\S]*?)\): ([^;]+);/g)].map(([, name, args, answers]) => ({
    name: name!,
    given: args!
      .split(',')
      .map((arg) => arg.trim())
      .filter((arg) => arg !== '' && !arg.startsWith('k:'))
      .join(', '),
    answers: answers!,
  }));
}

const MARK = 'hook ';

/** mkwrite-convert, every hook of which says that it is asked. */
function probed() {
  const { hooks } = mkwriteConvert;
  const wrap = (name: string, hook: (...args: never[]) => unknown) =>
    hook.constructor.name === 'GeneratorFunction'
      ? function* (k: Kernel, ...args: unknown[]) {
          yield* step(k, MARK, () => k.reach(MARK + name));
          return yield* hook(...([k, ...args] as never[])) as Generator;
        }
      : (k: Kernel, ...args: unknown[]) => {
          k.reach(MARK + name);
          return hook(...([k, ...args] as never[]));
        };
  const all = Object.entries(hooks).map(([name, hook]) => [name, wrap(name, hook)]);
  return defineDesign(mkwriteConvert, {
    ...mkwriteConvert,
    id: 'probed',
    hooks: Object.fromEntries(all) as unknown as Hooks,
  });
}

/** Adds the sets of locks under which each hook was asked in a trace. */
function collect({ steps }: Trace, seen: Map<string, ReadonlySet<string>[]>): void {
  const held = new Map<string, string[]>();
  for (const { lane, effects } of steps) {
    const mine = held.get(lane) ?? [];
    held.set(lane, mine);
    for (const effect of effects) {
      if (effect.type === 'acquire') mine.push(effect.lock + (effect.mode === 'shared' ? ' (shared)' : ''));
      else if (effect.type === 'release') {
        const at = mine.findLastIndex((each) => each.replace(' (shared)', '') === effect.lock);
        if (at >= 0) mine.splice(at, 1);
      } else if (effect.type === 'reach' && effect.name.startsWith(MARK)) {
        const name = effect.name.slice(MARK.length);
        seen.set(name, [...(seen.get(name) ?? []), new Set(mine)]);
      }
    }
  }
}

/** Hook → the locks held whenever it is asked, outermost first. */
export function locksAtHooks(): Map<string, readonly string[]> {
  const design = probed();
  const seen = new Map<string, ReadonlySet<string>[]>();
  for (const scenario of loadScenarios([])) {
    const image = imageOf(scenario);
    for (const mount of scenario.mounts)
      collect(runSession(startSession(scenario, image, design, mount)).trace, seen);
  }
  return new Map(
    [...seen].map(([name, sets]) => [
      name,
      [...sets[0]!].filter((lock) => sets.every((set) => set.has(lock))),
    ]),
  );
}

const code = (text: string): string => (text === '' ? '–' : `\`${text.replaceAll('|', '\\|')}\``);

const hookTable: Block = () => {
  const locks = locksAtHooks();
  const rows = hooksOf().map(({ name, given, answers }) => [
    code(name),
    code(given),
    code(answers),
    locks.has(name) ? locks.get(name)!.join(' ▸ ') || 'none for sure' : 'never asked',
  ]);
  return [
    ['hook', 'given, after `k`', 'answers', 'held whenever it is asked'],
    ['---', '---', '---', '---'],
    ...rows,
  ]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
};

export const HOOK_BLOCKS: Readonly<Record<string, Block>> = { 'hook-table': hookTable };
