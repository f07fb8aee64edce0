/**
 * Measuring beside others: contenders take turns, round after round, and each keeps its best round. A machine that is
 * slow for a while is slow for all of them, so ratios of bests mean something where single times do not.
 *
 * Time is CPU time of this process where a contender runs in it, so that a busy neighbour costs little.
 */

/** One round of a contender: so much work in so many seconds. */
export interface Sample {
  readonly amount: number;
  readonly seconds: number;
}

export interface Contender {
  readonly name: string;
  readonly round: () => Sample | Promise<Sample>;
}

/** Work per second of the best round, by name. */
export type Rates = Readonly<Record<string, number>>;

/** Runs the contenders in turns. */
export async function race(contenders: readonly Contender[], rounds: number): Promise<Rates> {
  const best: Record<string, number> = {};
  for (let round = 0; round < rounds; round++) {
    for (const { name, round: run } of contenders) {
      const { amount, seconds } = await run();
      best[name] = Math.max(best[name] ?? 0, amount / seconds);
    }
  }
  return best;
}

/** CPU seconds, user and system, of everything that this process does meanwhile. */
export function cpuSeconds(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  };
}

/** @param work  does it, and says how much it was */
export function timed(work: () => number): Sample {
  const seconds = cpuSeconds();
  const amount = work();
  return { amount, seconds: seconds() };
}

export async function timedAsync(work: () => Promise<number>): Promise<Sample> {
  const seconds = cpuSeconds();
  const amount = await work();
  return { amount, seconds: seconds() };
}

/** Seconds on the wall: for work that is done in child processes. */
export function wallTimed(work: () => number): Sample {
  const start = performance.now();
  const amount = work();
  return { amount, seconds: (performance.now() - start) / 1000 };
}
