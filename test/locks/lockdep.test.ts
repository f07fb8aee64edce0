/** The rules of kernel/locking/lockdep.c, one by one, on locks taken by hand. */
import { describe, expect, it } from 'vitest';
import { LOCK, type LockId } from '../../src/locks/lock.ts';
import { type Hold, LockOrder, lockCycles } from '../../src/locks/lockdep.ts';
import { lockdepSplats } from '../../src/report/lockdep.ts';

interface How {
  readonly read?: 0 | 1 | 2;
  readonly trylock?: true;
  readonly instance?: string;
  readonly stack?: readonly string[];
}

const hold = (
  lock: LockId,
  { read = 0, trylock, instance = '12', stack = ['line', 'verb', 'f'] }: How = {},
): Hold => ({
  task: 'CPU0',
  pid: 1,
  stack,
  lock,
  key: LOCK[lock].name,
  instance,
  read,
  trylock: trylock === true,
});

/** Takes locks one after another, and gives everything back. */
function take(order: LockOrder, ...holds: readonly Hold[]): void {
  let held: readonly Hold[] = [];
  for (const each of holds) held = order.acquire(held, each);
  for (const each of [...holds].reverse()) held = order.release(held, each);
  expect(held).toEqual([]);
}

const edgesOf = (order: LockOrder): string[] =>
  order.data.edges.map(({ from, to }) => `${id(from)} ${id(to)}`);
const id = (key: string): string => Object.entries(LOCK).find(([, { name }]) => name === key)?.[0] ?? key;
const cyclesOf = (order: LockOrder): string[] =>
  lockCycles(order.data).map(({ edge, path, lockdep }) =>
    [lockdep ? 'lockdep' : 'wait', id(edge.from), id(edge.to), ...path.map(({ to }) => id(to))].join(' '),
  );

describe('an edge', () => {
  it('leads from the nearest lock that is held: the others follow from it', () => {
    const order = new LockOrder();
    take(order, hold('i_rwsem'), hold('mmap_lock'), hold('xattr_sem'));
    expect(edgesOf(order)).toEqual(['i_rwsem mmap_lock', 'mmap_lock xattr_sem']);
  });

  it('does not lead to a lock that is only tried, but past it', () => {
    const order = new LockOrder();
    take(order, hold('i_rwsem'), hold('mmap_lock', { trylock: true }), hold('xattr_sem'));
    expect(edgesOf(order)).toEqual(['mmap_lock xattr_sem', 'i_rwsem xattr_sem']);
  });

  it('is made again when a lock between two is given back first', () => {
    const order = new LockOrder();
    let held = order.acquire([], hold('i_rwsem'));
    held = order.acquire(held, hold('mmap_lock'));
    held = order.acquire(held, hold('xattr_sem'));
    held = order.release(held, hold('mmap_lock'));
    expect(held.map((each) => each.lock)).toEqual(['i_rwsem', 'xattr_sem']);
    expect(edgesOf(order)).toContain('i_rwsem xattr_sem');
  });

  it('does not lead into a commit or the end of I/O from what the task holds that stands in for their threads', () => {
    const order = new LockOrder();
    take(order, hold('i_rwsem'), hold('commit', { instance: '0' }), hold('folio'));
    take(order, hold('i_rwsem'), hold('xattr_sem', { stack: ['line', 'verb', 'ext4_io_submit'] }));
    expect(edgesOf(order)).toEqual(['commit folio']);
  });
});

describe('reclaim', () => {
  const inside = ['line', 'verb', 'alloc_pages', 'shrink_folio_list', 'evict'];

  it('holds fs_reclaim, between what the allocation was under and what it takes itself', () => {
    const order = new LockOrder();
    take(
      order,
      hold('i_rwsem'),
      hold('jbd2_handle', { read: 1, stack: inside }),
      hold('xattr_sem', { stack: inside }),
    );
    expect(edgesOf(order)).toEqual(['fs_reclaim jbd2_handle', 'jbd2_handle xattr_sem']);
  });

  it('makes a lock unsafe that is held over an allocation elsewhere', () => {
    const order = new LockOrder();
    take(order, hold('i_rwsem'), hold('fs_reclaim', { instance: '0' }));
    expect(cyclesOf(order)).toEqual([]);
    take(order, hold('i_rwsem', { stack: inside }));
    expect(cyclesOf(order)).toEqual(['lockdep fs_reclaim i_rwsem fs_reclaim']);
  });
});

describe('a frozen file system', () => {
  it('keeps its levels in user space, and another task thaws it', () => {
    const order = new LockOrder();
    expect(order.leave(order.acquire([], hold('sb_writers', { instance: '0' })), hold('sb_writers'))).toEqual(
      [],
    );
    order.release([], hold('sb_writers', { instance: '0' }));
    order.leave(order.acquire([], hold('sb_writers', { instance: '0', read: 1 })), hold('sb_writers'));
    expect(order.data.events.map(({ kind }) => kind)).toEqual(['user-space']);
  });
});

describe('a cycle', () => {
  it('is two orders, whoever saw them and however far apart', () => {
    const order = new LockOrder();
    take(order, hold('i_rwsem'), hold('invalidate_lock'));
    take(order, hold('invalidate_lock'), hold('xattr_sem'));
    take(order, hold('xattr_sem'), hold('i_rwsem'));
    expect(cyclesOf(order)).toEqual(['lockdep xattr_sem i_rwsem invalidate_lock xattr_sem']);
  });

  it('is one when graphs of several searches are put together', () => {
    const [a, b, both] = [new LockOrder(), new LockOrder(), new LockOrder()];
    take(a, hold('i_rwsem'), hold('mmap_lock'));
    take(b, hold('mmap_lock'), hold('i_rwsem'));
    expect([...cyclesOf(a), ...cyclesOf(b)]).toEqual([]);
    both.add(a.data);
    both.add(b.data);
    expect(cyclesOf(both)).toEqual(['lockdep mmap_lock i_rwsem mmap_lock']);
  });

  it('is one with shared holders too: a queued writer stands between them', () => {
    const order = new LockOrder();
    take(order, hold('i_rwsem', { read: 1 }), hold('mmap_lock', { read: 1 }));
    take(order, hold('mmap_lock', { read: 1 }), hold('i_rwsem', { read: 1 }));
    expect(cyclesOf(order)).toHaveLength(1);
  });

  it('is none when a recursive read meets a shared holder, and one when it meets an exclusive', () => {
    const read = new LockOrder();
    take(read, hold('i_rwsem', { read: 2 }), hold('mmap_lock', { read: 2 }));
    take(read, hold('mmap_lock', { read: 2 }), hold('i_rwsem', { read: 2 }));
    expect(cyclesOf(read)).toEqual([]);
    take(read, hold('i_rwsem'), hold('mmap_lock', { read: 2 }));
    take(read, hold('mmap_lock'), hold('i_rwsem', { read: 2 }));
    expect(cyclesOf(read)).toHaveLength(1);
  });

  it('is not lockdep’s when a folio lock is on it', () => {
    const order = new LockOrder();
    take(order, hold('folio'), hold('xattr_sem'));
    take(order, hold('xattr_sem'), hold('folio'));
    expect(cyclesOf(order)).toEqual(['wait xattr_sem folio xattr_sem']);
    const [splat] = lockdepSplats(order.data, 'test');
    expect(splat).toMatchObject({ kind: 'circular-wait' });
    expect(splat!.text).toContain('possible circular wait detected (lockdep does not follow all of these)');
    expect(splat!.text).not.toContain('WARNING');
  });

  it('is none for folios that are taken in the order of the file', () => {
    const order = new LockOrder();
    take(order, hold('folio', { instance: '12' }), hold('writeback', { instance: '12' }));
    take(order, hold('writeback', { instance: '12' }), hold('folio', { instance: '12:1' }));
    expect(cyclesOf(order)).toEqual([]);
    take(order, hold('writeback', { instance: '12:1' }), hold('folio', { instance: '12' }));
    expect(cyclesOf(order)).toHaveLength(1);
  });
});

describe('a finding without a cycle', () => {
  const kinds = (order: LockOrder): string[] =>
    lockdepSplats(order.data, 'test').map(({ summary }) => summary);

  it('is a class that is taken twice', () => {
    const order = new LockOrder();
    order.acquire(order.acquire([], hold('i_rwsem')), hold('i_rwsem', { instance: '13' }));
    expect(kinds(order)).toEqual(['possible recursive locking: &sb->s_type->i_mutex_key']);
  });

  it('is not the same lock in a subclass of its own', () => {
    const order = new LockOrder();
    order.acquire(order.acquire([], hold('i_rwsem')), {
      ...hold('i_rwsem'),
      key: '&sb->s_type->i_mutex_key/4',
    });
    expect(kinds(order)).toEqual([]);
  });

  it('is a sleep under a spinlock', () => {
    const order = new LockOrder();
    const held = order.acquire([], hold('i_lock'));
    order.acquire(held, hold('xattr_sem'));
    order.mayWait(held, 'folio_wait_writeback', hold('i_lock'));
    expect(kinds(order)).toEqual([
      'sleeping function called from invalid context: &ei->xattr_sem under &sb->s_type->i_lock_key',
      'sleeping function called from invalid context: folio_wait_writeback under &sb->s_type->i_lock_key',
    ]);
  });

  it('is an unlock by a task that does not hold it', () => {
    const order = new LockOrder();
    order.release(order.acquire([], hold('i_rwsem')), hold('i_rwsem', { instance: '13' }));
    expect(kinds(order)).toEqual(['bad unlock balance: &sb->s_type->i_mutex_key']);
  });

  it('is a lock that goes to user space, and is forgotten there', () => {
    const order = new LockOrder();
    const held = order.acquire(order.acquire([], hold('sb_writers', { read: 1 })), hold('folio'));
    expect(order.leave(held, hold('folio'))).toEqual([]);
    expect(kinds(order)).toEqual(['held when returning to user space: sb_writers, folio lock']);
  });
});

describe('the report', () => {
  it('has the layout of print_circular_bug', () => {
    const order = new LockOrder();
    const write = ['pwrite 0 9', 'pwrite', 'ext4_file_write_iter'];
    const fault = ['mwrite 0 4', 'mwrite', 'handle_mm_fault'];
    take(
      order,
      hold('i_rwsem', { stack: write }),
      hold('mmap_lock', { instance: '1', read: 1, stack: [...write, 'gup_fast_fallback'] }),
      hold('invalidate_lock', { stack: [...write, 'filemap_fault'] }),
    );
    take(
      order,
      hold('invalidate_lock', { read: 1, stack: fault }),
      hold('i_rwsem', { stack: [...fault, 'ext4_page_mkwrite'] }),
    );
    expect(lockdepSplats(order.data, 'design x')[0]!.text).toBe(`
======================================================
WARNING: possible circular locking dependency detected
EMULATED: ext4lab, Linux 6.12, design x
------------------------------------------------------
CPU0/1 is trying to acquire lock:
000000000000000c (&sb->s_type->i_mutex_key){+.+.}-{3:3}, at: ext4_page_mkwrite

but task is already holding lock:
000000000000000c (mapping.invalidate_lock){++++}-{3:3}, at: handle_mm_fault

which lock already depends on the new lock.


the existing dependency chain (in reverse order) is:

-> #2 (mapping.invalidate_lock){++++}-{3:3}:
       filemap_invalidate_lock
       filemap_fault
       ext4_file_write_iter
       CPU0: pwrite 0 9

-> #1 (&mm->mmap_lock){.+.+}-{3:3}:
       mmap_lock
       gup_fast_fallback
       ext4_file_write_iter
       CPU0: pwrite 0 9

-> #0 (&sb->s_type->i_mutex_key){+.+.}-{3:3}:
       inode_lock
       ext4_page_mkwrite
       handle_mm_fault
       CPU0: mwrite 0 4

other info that might help us debug this:

Chain exists of:
  &sb->s_type->i_mutex_key --> &mm->mmap_lock --> mapping.invalidate_lock

 Possible unsafe locking scenario:

       CPU0                    CPU1
       ----                    ----
  rlock(mapping.invalidate_lock);
                               lock(&mm->mmap_lock);
                               lock(mapping.invalidate_lock);
  lock(&sb->s_type->i_mutex_key);

 *** DEADLOCK ***

1 lock held by CPU0/1:
 #0: 000000000000000c (mapping.invalidate_lock){++++}-{3:3}, at: handle_mm_fault

stack backtrace:
       inode_lock
       ext4_page_mkwrite
       handle_mm_fault
       CPU0: mwrite 0 4`);
  });
});
