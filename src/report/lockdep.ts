/**
 * What lockdep says, in the kernel's own layout. Where the kernel prints an address stands the number of the inode
 * or mm, where it prints a return address the kernel function; the line with the kernel's version says EMULATED.
 *
 * Waits that the kernel's lockdep does not follow are told in the same layout under a heading of their own.
 *
 * @source kernel/locking/lockdep.c print_circular_bug, print_circular_lock_scenario, print_deadlock_bug,
 *   print_unlock_imbalance_bug, lockdep_sys_exit; kernel/sched/core.c __might_resched
 */
import { LOCK, type LockKind } from '../locks/lock.ts';
import {
  type Hold,
  type LockCycle,
  type LockEvent,
  type LockOrderData,
  type LockSite,
  lockCycles,
} from '../locks/lockdep.ts';

/** One report of lockdep, as the kernel words it. */
export interface Splat {
  /** `circular-wait`: not seen by the kernel's lockdep. */
  readonly kind: 'circular' | 'recursive' | 'sleep' | 'unlock' | 'user-space' | 'circular-wait';
  /** The classes on the cycle, the first again at the end; or those that are held. */
  readonly classes: readonly string[];
  /** One line. */
  readonly summary: string;
  readonly text: string;
}

/**
 * Everything that is wrong in the order of locks, lockdep's own first.
 * @param who  stands in the line of the kernel's version: `design mmap-convert`
 */
export function lockdepSplats(order: LockOrderData, who: string): Splat[] {
  const printer = new Printer(order, who);
  const cycles = lockCycles(order);
  return [
    ...cycles.filter((cycle) => cycle.lockdep).map((cycle) => printer.circular(cycle)),
    ...order.events.map((event) => printer.event(event)),
    ...cycles.filter((cycle) => !cycle.lockdep).map((cycle) => printer.circular(cycle)),
  ];
}

/** Does the kernel's lockdep see it? */
export const isLockdep = (splat: Splat): boolean => splat.kind !== 'circular-wait';

const HEADS = {
  circular: 'WARNING: possible circular locking dependency detected',
  'circular-wait': 'possible circular wait detected (lockdep does not follow all of these)',
  recursive: 'WARNING: possible recursive locking detected',
  unlock: 'WARNING: bad unlock balance detected!',
  'user-space': 'WARNING: lock held when returning to user space!',
} as const;

/** Inner and outer wait type as lockdep prints them; a map, and a percpu-rwsem, have none. */
const WAIT_TYPE: Readonly<Record<LockKind, string>> = {
  rwsem: '3:3',
  spinlock: '2:2',
  percpu: '0:0',
  map: '0:0',
  bit: '-',
};

class Printer {
  readonly #who: string;
  readonly #names = new Map<string, string>();

  constructor({ classes }: LockOrderData, who: string) {
    this.#who = who;
    for (const { key, lock, modes } of classes) {
      const [write, read] = [(modes & 1) !== 0 ? '+' : '.', (modes & 2) !== 0 ? '+' : '.'];
      const type = WAIT_TYPE[LOCK[lock].kind];
      this.#names.set(
        key,
        type === '-' ? ` (${key})` : ` (${key}){${write}${read}${write}${read}}-{${type}}`,
      );
    }
  }

  circular({ edge, path, lockdep }: LockCycle): Splat {
    const { next, held } = edge;
    const kind = lockdep ? 'circular' : 'circular-wait';
    const prev = held.find((each) => each.key === edge.from)!;
    const chain = path.map((step, i) => ({ depth: i + 1, ...step })).reverse();
    const middle = path.at(-1)!.from;
    const lines = [
      ...this.#head(kind),
      `${comm(next)} is trying to acquire lock:`,
      this.#lock(next),
      '',
      'but task is already holding lock:',
      this.#lock(prev),
      '',
      'which lock already depends on the new lock.',
      '',
      '',
      'the existing dependency chain (in reverse order) is:',
      ...chain.flatMap(({ depth, to, next: taken }) => [
        '',
        `-> #${depth}${this.#names.get(to)}:`,
        ...trace(taken),
      ]),
      '',
      `-> #0${this.#names.get(edge.to)}:`,
      ...trace(next),
      '',
      'other info that might help us debug this:',
      '',
      ...(middle === edge.to ? [] : ['Chain exists of:', `  ${edge.to} --> ${middle} --> ${edge.from}`, '']),
      ' Possible unsafe locking scenario:',
      '',
      '       CPU0                    CPU1',
      '       ----                    ----',
      `  ${prev.read !== 0 ? 'rlock' : 'lock'}(${edge.from});`,
      `                               lock(${middle});`,
      `                               lock(${edge.from});`,
      `  ${next.read !== 0 ? 'rlock' : 'lock'}(${edge.to});`,
      '',
      ' *** DEADLOCK ***',
      '',
      ...this.#held(next, held),
      '',
      'stack backtrace:',
      ...trace(next),
    ];
    const classes = [edge.from, edge.to, ...path.map((step) => step.to)];
    const noun = lockdep ? 'possible circular locking dependency' : 'possible circular wait';
    return { kind, classes, summary: `${noun}: ${classes.join(' -> ')}`, text: lines.join('\n') };
  }

  event({ kind, held, next, what, site }: LockEvent): Splat {
    const classes = held.map((each) => each.key);
    const text = (lines: readonly string[]): string => lines.join('\n');
    const back = ['', 'stack backtrace:', ...trace(next ?? site)];
    switch (kind) {
      case 'recursive':
        return {
          kind,
          classes: [what],
          summary: `possible recursive locking: ${what}`,
          text: text([
            ...this.#head(kind),
            `${comm(site)} is trying to acquire lock:`,
            this.#lock(next!),
            '',
            'but task is already holding lock:',
            this.#lock(held.find((each) => each.key === what)!),
            '',
            'other info that might help us debug this:',
            ' Possible unsafe locking scenario:',
            '',
            '       CPU0',
            '       ----',
            `  lock(${what});`,
            `  lock(${what});`,
            '',
            ' *** DEADLOCK ***',
            '',
            ' May be due to missing lock nesting notation',
            '',
            ...this.#held(site, held),
            ...back,
          ]),
        };
      case 'unlock':
        return {
          kind,
          classes: [what],
          summary: `bad unlock balance: ${what}`,
          text: text([
            ...this.#head(kind),
            `${comm(site)} is trying to release lock (${what}) at:`,
            functions(site)[0] ?? site.stack[0] ?? '',
            'but there are no more locks to release!',
            '',
            'other info that might help us debug this:',
            ...this.#held(site, held),
            ...back,
          ]),
        };
      case 'user-space':
        return {
          kind,
          classes,
          summary: `held when returning to user space: ${classes.join(', ')}`,
          text: text([
            ...this.#head(kind),
            `${comm(site)} is leaving the kernel with locks still held!`,
            ...this.#held(site, held),
          ]),
        };
      case 'sleep':
        return {
          kind,
          classes,
          summary: `sleeping function called from invalid context: ${what} under ${classes.join(', ')}`,
          text: text([
            `BUG: sleeping function called from invalid context at ${functions(site)[0] ?? what}`,
            this.#ident(),
            `in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: ${site.pid}, name: ${site.task}`,
            'preempt_count: 1, expected: 0',
            ...this.#held(site, held),
            ...back,
          ]),
        };
    }
  }

  #ident(): string {
    return `EMULATED: ext4lab, Linux 6.12, ${this.#who}`;
  }

  #head(kind: keyof typeof HEADS): string[] {
    const head = HEADS[kind];
    return ['', '='.repeat(head.length), head, this.#ident(), '-'.repeat(head.length)];
  }

  /** @source kernel/locking/lockdep.c print_lock */
  #lock(hold: Hold): string {
    const [instance = '0', index] = hold.instance.split(':');
    const place = Number(instance).toString(16).padStart(16, '0') + (index === undefined ? '' : `:${index}`);
    return `${place}${this.#names.get(hold.key)}, at: ${functions(hold)[0] ?? hold.stack[0] ?? ''}`;
  }

  /** @source kernel/locking/lockdep.c lockdep_print_held_locks */
  #held(site: LockSite, held: readonly Hold[]): string[] {
    if (held.length === 0) return [`no locks held by ${comm(site)}.`];
    const count = `${held.length} lock${held.length === 1 ? '' : 's'} held by ${comm(site)}:`;
    return [count, ...held.map((each, i) => ` #${i}: ${this.#lock(each)}`)];
  }
}

const comm = ({ task, pid }: LockSite): string => `${task}/${pid}`;

/** The kernel functions, innermost first: below the line and its verb. */
const functions = ({ stack }: LockSite): string[] => stack.slice(2).reverse();

function trace(site: LockSite & Partial<Hold>): string[] {
  const take =
    site.lock === undefined ? [] : [LOCK[site.lock].take[site.read === 0 ? 'exclusive' : 'shared']];
  return [...take, ...functions(site), `${site.task}: ${site.stack[0] ?? ''}`].map(
    (name) => `       ${name}`,
  );
}
