/** lockdep of one run: its lock effects, in the order in which they happened. */
import { type Hold, holdOf, LockOrder, type LockOrderData, RETURN_TO_USER } from '../locks/lockdep.ts';
import type { Trace } from './transaction.ts';

export function lockOrderOfTrace({ lanes, steps }: Pick<Trace, 'lanes' | 'steps'>): LockOrderData {
  const order = new LockOrder();
  const held: (readonly Hold[])[] = lanes.map(() => []);
  for (const { task, lane, stack, kind, label, effects } of steps) {
    const site = { task: lane, pid: task + 1, stack };
    if (label === RETURN_TO_USER) held[task] = order.leave(held[task]!, site);
    if (kind === 'wait') order.mayWait(held[task]!, label, site);
    for (const effect of effects) {
      if (effect.type === 'acquire') held[task] = order.acquire(held[task]!, holdOf(effect, site));
      else if (effect.type === 'release') held[task] = order.release(held[task]!, holdOf(effect, site));
    }
  }
  return order.data;
}
