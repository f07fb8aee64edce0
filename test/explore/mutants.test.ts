/** A few mutants that must be caught, and that mutating is nothing but that. All of them: `docs/mutations.md`. */
import { describe, expect, it } from 'vitest';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { startSession } from '../../src/scenario/session.ts';
import { type Baseline, baselineOf, fateOf, type Mutation } from '../support/mutants.ts';
import { CASES, type Case, OTHER_CASES } from '../support/scenarios.ts';

const caseOf = (label: string): Case => [...CASES, ...OTHER_CASES].find((each) => each.label === label)!;

const lock = (what: string, frame: string): Mutation => ({ kind: 'lock', frame, what, answer: null });

describe('mutants', () => {
  it('a design without a mutation is as it was, state for state', () => {
    const each = caseOf('two-growing-writes nodelalloc page-cache-convert');
    const { k, world, specs } = startSession(each.scenario, each.image, each.design, each.mount);
    const { states, endStates } = exhaustive({ k, world, specs, invariants: [] });
    expect(baselineOf(each, 1_000_000)).toMatchObject({
      states,
      endStates: endStates.join(),
    } satisfies Partial<Baseline>);
  });

  it.each([
    ['two-growing-writes nodelalloc', lock('&sb->s_type->i_mutex_key', 'ext4_buffered_write_iter')],
    ['growing-write-beside-truncate delalloc', lock('&sb->s_type->i_mutex_key', 'ftruncate')],
    ['store-beside-punch delalloc', lock('mapping.invalidate_lock', 'filemap_fault')],
    ['store-beside-punch delalloc', lock('mapping.invalidate_lock', 'vfs_fallocate')],
    ['writepages-beside-truncate-to-zero delalloc', lock('folio lock', 'truncate_pagecache')],
  ])('%s: $what in $frame is missed', (label, mutation) => {
    const baseline = baselineOf(caseOf(`${label} page-cache-convert`), 1_000_000)!;
    expect(fateOf(mutation, [baseline]).fate).toBe('caught');
  });
});
