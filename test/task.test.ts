/** Requests and locks: what a forgotten `yield*` says, what a queued writer does to readers. */
import { describe, expect, it } from 'vitest';
import { designById } from '../src/designs/index.ts';
import type { Kernel } from '../src/kernel.ts';
import { iRwsem, lock, lockEnabled, tryLock, unlock, xattrSem } from '../src/locks/lock.ts';
import { makeKernel, mountOptions } from '../src/scenario/session.ts';
import { Machine, type TaskSpec } from '../src/sched/machine.ts';
import { FlatWorld } from '../src/state/flat.ts';
import { RecordingWorld } from '../src/state/recording.ts';
import { call, ForgottenYield, type Op, step } from '../src/task.ts';
import { mkfsImage } from '../src/volume/mkfs.ts';

const image = mkfsImage({});
const kernel = (world = new FlatWorld()): Kernel =>
  makeKernel(world, image, mountOptions([], true), designById('mkwrite-convert')!);
const spec = (name: string, program: (k: Kernel) => Op<void>, mm = 0): TaskSpec => ({
  name,
  mm,
  last: false,
  program,
});

describe('a forgotten yield*', () => {
  it('is an error that names the label and the line', () => {
    const k = kernel();
    k.tracker.sites = true;
    const machine = () =>
      new Machine(k, [
        spec('CPU0', function* (task) {
          step(task, 'never run', () => {}); // the mistake
          yield* step(task, 'next', () => {});
        }),
      ]);
    expect(machine).toThrow(ForgottenYield);
    expect(machine).toThrow(/'never run'.*task\.test\.ts:\d+/);
  });

  it('is found at the end of an op, too', () => {
    const k = kernel();
    const machine = new Machine(k, [
      spec('CPU0', function* (task) {
        yield* step(task, 'first', () => {});
        lock(task, iRwsem(12)); // the mistake
      }),
    ]);
    expect(() => machine.resume(0)).toThrow(ForgottenYield);
  });

  it('is found for a call', () => {
    const k = kernel();
    function* inner(): Op<void> {}
    const machine = new Machine(k, [
      spec('CPU0', function* (task) {
        yield* step(task, 'first', () => {});
        call(task, 'ext4_truncate', () => inner()); // the mistake
        yield* step(task, 'second', () => {});
      }),
    ]);
    expect(() => machine.resume(0)).toThrow(/'ext4_truncate'/);
  });
});

describe('locks', () => {
  it('a queued writer keeps new readers out, and gets the lock when the readers are gone', () => {
    const record = { owner: 0, readers: 0b1, waiters: 0 };
    expect(lockEnabled(record, 'rwsem', 'exclusive', 1)).toBe('queue');
    record.waiters = 0b10;
    expect(lockEnabled(record, 'rwsem', 'exclusive', 1)).toBe('blocked');
    expect(lockEnabled(record, 'rwsem', 'shared', 2)).toBe('blocked');
    record.readers = 0;
    expect(lockEnabled(record, 'rwsem', 'exclusive', 1)).toBe('now');
    expect(lockEnabled(record, 'spinlock', 'exclusive', 1)).toBe('now');
  });

  it('a recursive reader behind a queued writer deadlocks', () => {
    const k = kernel();
    const sem = xattrSem(12);
    const machine = new Machine(k, [
      spec('reader', function* (task) {
        yield* lock(task, sem, 'shared');
        yield* lock(task, sem, 'shared');
      }),
      spec('writer', function* (task) {
        yield* lock(task, sem);
      }),
    ]);
    machine.resume(0);
    machine.resume(1);
    expect(machine.runnable()).toEqual([]);
    expect(machine.allFinished).toBe(false);
  });

  it('trylock fails where lock would wait; releasing what one does not hold is a finding', () => {
    const k = kernel();
    const seen: boolean[] = [];
    const machine = new Machine(k, [
      spec('holder', function* (task) {
        yield* lock(task, iRwsem(12));
      }),
      spec('other', function* (task) {
        seen.push(yield* tryLock(task, iRwsem(12)));
        yield* unlock(task, iRwsem(12));
      }),
    ]);
    machine.resume(0);
    machine.resume(1);
    machine.resume(1);
    expect(seen).toEqual([false]);
    expect(k.finding('unlock-not-held').hit).toBe(true);
  });
});

describe('the recording world', () => {
  it('refuses a write outside a step, and typed arrays', () => {
    const world = new RecordingWorld();
    const k = kernel(world as unknown as FlatWorld);
    expect(() => {
      k.sb.errors = 1;
    }).toThrow(/outside a step/);
    expect(() =>
      world.step(() => {
        (k.medium(1) as { data: unknown }).data = new Uint8Array(4);
      }),
    ).toThrow(/Bytes/);
  });

  it('gives patches and inverse patches that lead there and back', () => {
    const world = new RecordingWorld();
    const k = kernel(world as unknown as FlatWorld);
    const { before, after, changes } = world.step(() => {
      k.inode(12).size = 5_000_000_000;
    });
    expect(changes).toEqual([{ table: 'inode', key: '12', field: 'size', before: 0, after: 5_000_000_000 }]);
    world.jump(before);
    expect(k.inode(12).size).toBe(0);
    world.jump(after);
    expect(k.inode(12).size).toBe(5_000_000_000);
    expect(Object.isFrozen(after.inode)).toBe(true);
  });
});
