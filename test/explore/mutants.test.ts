/** A few mutants that must be caught, and that mutating is nothing but that. All of them: `docs/mutations.md`. */
import { describe, expect, it } from 'vitest';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { startSession } from '../../src/scenario/session.ts';
import { type Baseline, baselineOf, fateOf, type Mutation, orderOf } from '../support/mutants.ts';
import { CASES, type Case, OTHER_CASES } from '../support/scenarios.ts';

const caseOf = (label: string): Case => [...CASES, ...OTHER_CASES].find((each) => each.label === label)!;

const lock = (what: string, frame: string): Mutation => ({ kind: 'lock', frame, what, answer: null });

const question = (what: string, answer: boolean, frame: string): Mutation => ({
  kind: 'question',
  frame,
  what,
  answer,
});

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
    ['two-direct-writes-in-one-block delalloc', lock('&sb->s_type->i_mutex_key', 'ext4_dio_write_iter')],
    ['append-behind-a-hole delalloc', question('i_disksize?', false, 'mpage_map_and_submit_extent')],
  ])('%s: $what in $frame is missed', (label, mutation) => {
    const baseline = baselineOf(caseOf(`${label} page-cache-convert`), 1_000_000)!;
    expect(fateOf(mutation, [baseline]).fate).toBe('caught');
  });

  const swap = (pair: string, frame: string): Mutation => ({ kind: 'swap', frame, what: pair, answer: null });
  const COPY = "'inline and MAY_INLINE_DATA? copy out'";

  it.each([
    ['mmap-store-then-fsync delalloc', lock('folio lock', 'ext4_do_writepages')],
    ['mmap-store-then-fsync delalloc', lock('&ei->xattr_sem', 'ext4_do_writepages')],
    ['store-write-store delalloc', lock('&ei->xattr_sem', 'ext4_write_end')],
    ['mmap-store-then-fsync delalloc', swap(`lock &ei->xattr_sem, ${COPY}`, 'ext4_do_writepages')],
    [
      'in-place-write-then-fdatasync delalloc',
      swap("'mark_inode_dirty', 'jbd2_journal_stop'", 'ext4_write_end'),
    ],
    [
      'store-beside-truncate-down delalloc',
      swap('lock mapping.invalidate_lock, lock folio lock', 'ext4_page_mkwrite'),
    ],
  ])('%s under defer-complete: $kind $what in $frame is missed', (label, mutation) => {
    const baseline = baselineOf(caseOf(`${label} defer-complete`), 1_000_000)!;
    expect(fateOf(mutation, [baseline]).fate).toBe('caught');
  });

  it('two locks that are taken the other way round are lockdep’s to find, where no schedule deadlocks', () => {
    const baseline = baselineOf(caseOf('mmap-without-space delalloc pre-mmap'), 1_000_000)!;
    const other = baselineOf(caseOf('small-write-beside-store delalloc pre-mmap'), 1_000_000)!;
    const mutation = swap('lock sb_writers, lock &sb->s_type->i_mutex_key', 'mmap');
    expect(fateOf(mutation, [baseline])).toMatchObject({ fate: 'same' });
    expect(fateOf(mutation, [baseline], orderOf([baseline, other]))).toMatchObject({ by: 'lockdep' });
  });
});
