/**
 * The emulated lockdep against what patched kernels said: a patched 6.12 under user-mode-linux with PROVE_LOCKING, one
 * row per design that was built and run there. A row's lockdep answer, its BUG, SIGBUS and hang must be ours too.
 */
import { describe, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { exploreOptions, raceCell } from '../../src/compare/race.ts';
import { type Design, defineDesign } from '../../src/designs/design.ts';
import { mkwriteConvert } from '../../src/designs/mkwrite-convert.ts';
import { mkwriteInodeLock } from '../../src/designs/mkwrite-inode-lock.ts';
import { mmapConvert } from '../../src/designs/mmap-convert.ts';
import { noConversion } from '../../src/designs/no-conversion.ts';
import { pageCacheConvert } from '../../src/designs/page-cache-convert.ts';
import { err, isErr } from '../../src/errno.ts';
import { explore } from '../../src/explore/explore.ts';
import { invalidateLock, iRwsem, lock, tryLock, unlock } from '../../src/locks/lock.ts';
import { LockOrder, type LockOrderData } from '../../src/locks/lockdep.ts';
import { isLockdep, lockdepSplats } from '../../src/report/lockdep.ts';
import type { MountOption } from '../../src/scenario/image.ts';
import { runSession } from '../../src/scenario/run.ts';
import type { Scenario } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';
import { lockOrderOfTrace } from '../../src/trace/lockOrder.ts';
import { convert, pageMkwrite } from '../../src/vfs/aops.ts';
import { SCENARIOS } from '../support/scenarios.ts';

const KEY = '&sb->s_type->i_mutex_key';
const MMAP = '&mm->mmap_lock';
const INVALIDATE = 'mapping.invalidate_lock';

/** Each search is cut short where it is large: the places of a lane are met early. */
const BUDGET = 8_000;

/** The locks that the schedules of a scenario take. No invariant is asked, so there is no story to look for. */
function searched(scenario: Scenario, design: Design, mount: readonly MountOption[], budget?: number) {
  const { k, world, specs } = startSession(scenario, imageOf(scenario), design, mount);
  const limits = budget === undefined ? {} : { budget, reduce: false };
  const asked = { ...exploreOptions(scenario, limits), lockdep: true };
  return explore({ k, world, specs, invariants: [] }, asked).lockOrder!;
}

const orders = new Map<string, LockOrderData>();

/** Those of every scenario under all its mounts. */
function orderOf(design: Design, scenarios: readonly Scenario[] = SCENARIOS): LockOrderData {
  const known = orders.get(design.id);
  if (known !== undefined) return known;
  const order = new LockOrder();
  for (const scenario of scenarios) {
    for (const mount of scenario.mounts) order.add(searched(scenario, design, mount, BUDGET));
  }
  orders.set(design.id, order.data);
  return order.data;
}

/** A design that differs from a bundled one in what mmap(2) and a store do has the others in common with it. */
const MAPPING = SCENARIOS.filter(({ setup, lanes, after }) =>
  [setup, ...lanes.map(({ lines }) => lines), after].flat().some(({ command }) => command.verb === 'mmap'),
);

const variant = (id: string, hooks: Design['hooks'] extends infer H ? Partial<H> : never): Design =>
  defineDesign(noConversion, {
    id,
    summary: id,
    source: 'a patched 6.12',
    promises: [],
    locks: [],
    unmodelled: [],
    hooks,
  });

/** Conversion in ->mmap, none in page_mkwrite, without the inode lock. */
const bare = variant('mmap-convert-bare', {
  *mmap(k, { shared, mayWrite, ino }) {
    if (shared && mayWrite) return yield* convert(k, ino);
  },
});
const tried = variant('mmap-convert-trylock', {
  *mmap(k, { shared, mayWrite, ino }) {
    if (!shared || !mayWrite) return;
    if (!(yield* tryLock(k, iRwsem(ino)))) return err('EAGAIN');
    const ret = yield* convert(k, ino);
    yield* unlock(k, iRwsem(ino));
    return ret;
  },
});
const exclusive = variant('mmap-convert-invalidate-lock', {
  *mmap(k, { shared, mayWrite, ino }) {
    if (!shared || !mayWrite) return;
    yield* lock(k, invalidateLock(ino));
    const ret = yield* convert(k, ino);
    yield* unlock(k, invalidateLock(ino));
    return ret;
  },
});
const mkwriteExclusive = variant('mkwrite-convert-invalidate-lock', {
  *pageMkwrite(k, vma, index) {
    yield* lock(k, invalidateLock(vma.ino));
    const ret = yield* convert(k, vma.ino);
    yield* unlock(k, invalidateLock(vma.ino));
    return isErr(ret) ? 'sigbus' : yield* pageMkwrite(k, vma, index, function* () {});
  },
});
/** Conversion in ->mmap under the inode lock, and still in page_mkwrite. */
const both = defineDesign(mkwriteConvert, {
  id: 'mmap-and-mkwrite-convert',
  summary: 'both',
  source: 'a patched 6.12',
  promises: [],
  locks: [],
  unmodelled: [],
  hooks: { mmap: mmapConvert.hooks.mmap },
});

interface Row {
  readonly what: string;
  readonly design: Design;
  /** The two classes of "possible circular locking dependency"; null: no complaint. */
  readonly circular: readonly [string, string] | null;
  /** A store that was synced is gone after a remount (findings 1). */
  readonly storeLost: boolean;
}

const ROWS: readonly Row[] = [
  { what: 'convert in ->mmap under inode_lock', design: both, circular: [KEY, MMAP], storeLost: true },
  {
    what: 'that, and no conversion in page_mkwrite',
    design: mmapConvert,
    circular: [KEY, MMAP],
    storeLost: true,
  },
  { what: 'convert in ->mmap without the inode lock', design: bare, circular: null, storeLost: true },
  { what: 'the inode lock only tried, else EAGAIN', design: tried, circular: null, storeLost: true },
  { what: 'invalidate_lock exclusive in ->mmap', design: exclusive, circular: null, storeLost: true },
  {
    what: 'invalidate_lock exclusive in page_mkwrite',
    design: mkwriteExclusive,
    circular: null,
    storeLost: true,
  },
  {
    what: 'inode_lock in page_mkwrite',
    design: mkwriteInodeLock,
    circular: [KEY, INVALIDATE],
    storeLost: true,
  },
  { what: 'convert through the page cache', design: pageCacheConvert, circular: null, storeLost: false },
  { what: 'the unmodified kernel', design: mkwriteConvert, circular: null, storeLost: true },
];

const cellOf = (name: string, design: Design, mount = 0) => {
  const scenario = SCENARIOS.find((each) => each.name === name)!;
  return raceCell(scenario, imageOf(scenario), design, scenario.mounts[mount]!).cell;
};

describe('a patched 6.12 under user-mode-linux with PROVE_LOCKING', () => {
  it.each(ROWS)('$what: $design.id', ({ design, circular, storeLost }) => {
    const cycles = lockdepSplats(
      orderOf(design, design === pageCacheConvert ? SCENARIOS : MAPPING),
      design.id,
    ).filter(({ kind }) => kind === 'circular' || kind === 'recursive');
    if (circular === null) expect(cycles.map(({ summary }) => summary)).toEqual([]);
    else {
      // lockdep stops at its first complaint; what comes after it (a fault that takes the lock of its own write) is ours.
      expect(cycles.filter(({ kind }) => kind === 'circular')).toHaveLength(1);
      expect(cycles[0]!.classes).toEqual(expect.arrayContaining([...circular]));
    }
    const { violates } = cellOf('mmap-store-then-fsync', design);
    expect(violates.includes('durability')).toBe(storeLost);
  });

  it('no conversion anywhere: BUG_ON in ext4_do_writepages with delalloc, SIGBUS without', () => {
    expect(cellOf('mmap-store-then-fsync', noConversion).violates).toContain('bug-on');
    const scenario = SCENARIOS.find(
      ({ name, mounts }) => name === 'evict-inline-on-mmap-write' && mounts.length > 1,
    )!;
    const nodelalloc = scenario.mounts.find((mount) => mount.includes('nodelalloc'))!;
    const { tasks } = runSession(startSession(scenario, imageOf(scenario), noConversion, nodelalloc));
    const stores = Object.values(tasks)
      .flat()
      .filter(({ line }) => line.startsWith('mwrite'));
    expect(stores.map(({ errno }) => errno)).toContain('SIGBUS');
  });

  it('inode_lock in page_mkwrite: tasks hang for real', () => {
    expect(cellOf('store-beside-truncate-down', mkwriteInodeLock).violates).toContain('no-deadlock');
  });
});

describe('the unmodified kernel', () => {
  const order = orderOf(mkwriteConvert);
  const has = (from: string, to: string): boolean =>
    order.edges.some((edge) => edge.from === from && edge.to === to);

  it('takes locks in the order that lockdep recorded', () => {
    const chain = [
      ...['sb_writers', KEY, MMAP, 'sb_pagefaults', INVALIDATE, '&sbi->s_writepages_rwsem'],
      ...['jbd2_handle', '&ei->xattr_sem', '&ei->i_data_sem'],
    ];
    const direct = [
      [MMAP, INVALIDATE],
      ...[INVALIDATE, 'jbd2_handle', '&ei->xattr_sem'].map((to) => [KEY, to]),
      ...['jbd2_handle', '&ei->xattr_sem'].map((to) => [INVALIDATE, to]),
    ] as [string, string][];
    const pairs = [...chain.slice(1).map((to, i) => [chain[i]!, to] as const), ...direct];
    expect(pairs.filter(([from, to]) => !has(from, to))).toEqual([]);
  });

  it('gives lockdep one thing to say, and that is the handle which findings tell of', () => {
    const splats = lockdepSplats(order, 'test').filter(isLockdep);
    expect(splats.map(({ summary }) => summary)).toEqual(['held when returning to user space: jbd2_handle']);
  });
});

describe('the report that came to the list against conversion in ->mmap (2023-06-03)', () => {
  const order = orderOf(mmapConvert);

  it('has write(2) fault under the inode lock, and mmap(2) take it under mmap_lock', () => {
    const edge = (from: string, to: string) =>
      order.edges.find((each) => each.from === from && each.to === to)?.next.stack.slice(2);
    expect(edge(KEY, MMAP)).toEqual([
      'write',
      'ext4_buffered_write_iter',
      'generic_perform_write',
      'fault_in_iov_iter_readable',
    ]);
    expect(edge(MMAP, KEY)).toEqual(['mmap', 'ext4_file_mmap']);
  });
});

describe('one run and all runs', () => {
  it('what one schedule takes, the fold over all schedules takes', () => {
    for (const scenario of SCENARIOS.slice(0, 12)) {
      const mount = scenario.mounts[0]!;
      const { edges } = searched(scenario, mkwriteConvert, mount);
      const all = new Set(edges.map(({ from, to }) => `${from} -> ${to}`));
      const { trace } = runSession(startSession(scenario, imageOf(scenario), mkwriteConvert, mount));
      const once = lockOrderOfTrace(trace).edges.map(({ from, to }) => `${from} -> ${to}`);
      expect(once.filter((edge) => !all.has(edge))).toEqual([]);
    }
  });
});
