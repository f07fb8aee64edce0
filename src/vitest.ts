/**
 * Matchers for vitest: `import 'ext4lab/vitest'` in a test file or a setup file.
 *
 *   expect(lab).toHaveNoDirtyFolioOnInlineInode();          // now
 *   expect(race).toHaveNoDirtyFolioOnInlineInode();         // at any step of any schedule, under every design raced
 *   expect(cell).toHold('durability');                      // never said of a search that was cut short
 *   expect(cell).toViolate('strict');
 *   expect(race).toBeQuietUnderLockdep();
 *
 * A matcher that fails on a race says which design, with the diagram of the shortest schedule.
 */
import { expect } from 'vitest';
import { INVARIANTS } from './invariants/index.ts';
import { Lab } from './lab/lab.ts';
import type { Race, RaceCell } from './lab/race.ts';

/** "No dirty folio ever exists on an inline inode", by how strictly it is meant. */
export type Strength = 'strict' | 'settled' | 'pending' | 'bug-on';

interface Answer {
  readonly pass: boolean;
  message(): string;
}

const NO_DEADLOCK = 'no-deadlock';

/** @throws RangeError for an id that no invariant has */
function known(id: string): string {
  if (id !== NO_DEADLOCK && !INVARIANTS.some((each) => each.id === id)) {
    const ids = [...INVARIANTS.map((each) => each.id), NO_DEADLOCK];
    throw new RangeError(`no invariant '${id}': there are ${ids.join(', ')}`);
  }
  return id;
}

/** @throws TypeError for what is neither a race nor a cell of one */
function cellsOf(received: unknown, matcher: string): readonly RaceCell[] {
  if (typeof received === 'object' && received !== null) {
    if ('cells' in received && Array.isArray((received as Race).cells)) return (received as Race).cells;
    if ('verdict' in received && 'violations' in received) return [received as RaceCell];
  }
  throw new TypeError(`${matcher}: expected what lab.race() gives, or one of its cells`);
}

/** Does this cell keep the invariant, or all of them, in every schedule? */
const keeps = (cell: RaceCell, id: string | null): boolean =>
  id === null ? cell.verdict === 'holds' : cell.reach.complete && !cell.violates.includes(id);

const breaks = (cell: RaceCell, id: string | null): boolean =>
  id === null ? cell.verdict === 'violates' : cell.violates.includes(id);

/** What a cell broke, with the story; or how far it was looked at. */
function told(cell: RaceCell, id: string | null): string {
  const violation = cell.violations.find(({ invariant }) => id === null || invariant === id);
  const line = `${cell.design} ${cell.text}`;
  return violation === undefined ? line : `${line}\n\n${violation.story()}`;
}

function raceHolds(cells: readonly RaceCell[], id: string | null): Answer {
  const name = id ?? 'every invariant';
  const bad = cells.find((cell) => !keeps(cell, id));
  return {
    pass: bad === undefined,
    message: () =>
      bad === undefined
        ? `expected a schedule that breaks ${name}, and there is none:\n${cells.map(({ design, text }) => `${design} ${text}`).join('\n')}`
        : `expected ${name} to hold in every schedule:\n\n${told(bad, id)}`,
  };
}

function labHolds(lab: Lab, id: string | null): Answer {
  const broken = lab.check().filter(({ invariant }) => id === null || invariant === id);
  const name = id ?? 'every invariant';
  return {
    pass: broken.length === 0,
    message: () =>
      broken.length === 0
        ? `expected the lab to break ${name}, and it does not`
        : `expected ${name} to hold under ${lab.design.id}:\n${broken.map(({ invariant, message }) => `${invariant}: ${message}`).join('\n')}`,
  };
}

const holds = (received: unknown, id: string | null, matcher: string): Answer =>
  received instanceof Lab ? labHolds(received, id) : raceHolds(cellsOf(received, matcher), id);

/** The matchers, for `expect.extend`; importing `ext4lab/vitest` does that already. */
export const matchers = {
  /** On a lab: now. On a race or a cell: at every step of every schedule. */
  toHaveNoDirtyFolioOnInlineInode(received: unknown, strength: Strength = 'strict'): Answer {
    return holds(received, known(strength), 'toHaveNoDirtyFolioOnInlineInode');
  },

  /** The invariant, or all of them when none is named. */
  toHold(received: unknown, invariant?: string): Answer {
    return holds(received, invariant === undefined ? null : known(invariant), 'toHold');
  },

  /** Some schedule breaks the invariant, or any when none is named; of a race: under every design. */
  toViolate(received: unknown, invariant?: string): Answer {
    const id = invariant === undefined ? null : known(invariant);
    if (received instanceof Lab) {
      const { pass, message } = labHolds(received, id);
      return { pass: !pass, message };
    }
    const cells = cellsOf(received, 'toViolate');
    const good = cells.find((cell) => !breaks(cell, id));
    return {
      pass: good === undefined,
      message: () =>
        good === undefined
          ? `expected no schedule to break ${id ?? 'an invariant'}:\n\n${told(cells[0]!, id)}`
          : `expected a schedule that breaks ${id ?? 'an invariant'}, and there is none: ${good.design} ${good.text}`,
    };
  },

  /** The kernel's lockdep would say nothing of the locks of these schedules. */
  toBeQuietUnderLockdep(received: unknown): Answer {
    const splats = cellsOf(received, 'toBeQuietUnderLockdep')
      .flatMap(({ lockdep }) => lockdep)
      .filter(({ kind }) => kind !== 'circular-wait');
    return {
      pass: splats.length === 0,
      message: () =>
        splats.length === 0
          ? 'expected a report of lockdep, and there is none'
          : `expected lockdep to say nothing:\n${splats.map(({ text }) => text).join('\n')}`,
    };
  },
};

expect.extend(matchers);

/** What `expect` gets. */
export interface Ext4labMatchers<R> {
  /** No dirty folio ever exists on an inline inode; default strength `strict`. */
  toHaveNoDirtyFolioOnInlineInode(strength?: Strength): R;
  toHold(invariant?: string): R;
  toViolate(invariant?: string): R;
  toBeQuietUnderLockdep(): R;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: the declaration that this one joins says so
  interface Matchers<T = any> extends Ext4labMatchers<T> {}
}
