/**
 * What an invariant is: a name, a reason, and a look at the state. It reads through the kernel facade, writes
 * nothing and remembers nothing, so that the explorer may ask it at every state of every schedule.
 */
import type { Kernel } from '../kernel.ts';

/** Something that must hold, with its reason. */
export interface Invariant {
  readonly id: string;
  /** One sentence for the listing. */
  readonly summary: string;
  /** Why it should hold, and who says so. */
  readonly why: string;
  /** `always`: after every step. `end`: when every task has finished. */
  readonly when: 'always' | 'end';
  /** What is broken, in one line; null when it holds. Runs outside a step: reads only. */
  readonly check: (k: Kernel) => string | null;
}
