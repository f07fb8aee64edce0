/**
 * The front of the explorer: one question, one answer, with the shortest story per broken invariant and how far
 * "holds" reaches. Nothing in the answer depends on the clock or on the machine.
 *
 *   exhaustive         every schedule; with `preemptions`, every schedule with at most that many
 *   random, pct …      so many schedules by a policy: finding nothing proves nothing, so they never say "holds"
 *
 * With `stopAtFirst` the exhaustive search looks at schedules with no preemption first, then one, then two, then all.
 */
import { LockOrder, type LockOrderData } from '../locks/lockdep.ts';
import { counterexamples, type Story, shrink } from './counterexample.ts';
import { type Exhausted, exhaustive, type Progress } from './exhaustive.ts';
import { livelock } from './livelock.ts';
import { lockOrderOf } from './lockOrder.ts';
import type { Cut, Part } from './part.ts';
import { type Sampled, type SampleStrategy, sample } from './random.ts';
import type { Schedule } from './schedule.ts';
import type { Subject } from './subject.ts';
import { Walk } from './walk.ts';

/** `one`: a single schedule, the lowest lane first; what a crash search may be asked for. */
export type Strategy = 'exhaustive' | 'one' | SampleStrategy;

export interface ExploreOptions {
  /** Default `exhaustive`. */
  readonly strategy?: Strategy;
  /** exhaustive: most preemptions in a schedule; null or absent: any number. */
  readonly preemptions?: number | null;
  /** Most transitions to take in all; default 50 million. The search for the stories is not counted. */
  readonly budget?: number;
  /** Sampling: the seed, default 1; how many schedules, default 10,000; the depth of pct, default 3. */
  readonly seed?: number;
  readonly schedules?: number;
  readonly depth?: number;
  /** End at the first violation. */
  readonly stopAtFirst?: boolean;
  /**
   * exhaustive, without a bound: leave out interleavings that cannot matter. Default `auto`: when the budget was not
   * enough for all of them.
   */
  readonly reduce?: boolean | 'auto';
  /** Only this part of the schedules: of sampled ones a range, else see `part.ts`. The budget is the part's. */
  readonly part?: Part;
  /** Fold the locks of every schedule that was seen into one graph. */
  readonly lockdep?: boolean;
  /** Check every nth transition against fresh generators. */
  readonly paranoid?: number;
  readonly onProgress?: (progress: Progress) => void;
  /** Polled: true ends the search; what was found so far is told. */
  readonly stop?: () => boolean;
}

export interface Violation {
  readonly invariant: string;
  readonly message: string;
  /** Up to the first state that breaks it; `formatSchedule` makes text of it. */
  readonly schedule: Schedule;
  readonly preemptions: number;
  /** Context switches. */
  readonly switches: number;
  readonly steps: number;
}

/** How far the answer reaches. */
export interface Reach {
  readonly strategy: Strategy;
  /** The bound that was in force; null when there was none, or when it kept nothing out. */
  readonly preemptions: number | null;
  /** Complete schedules covered: a number, or its decimal digits when that is not exact; null when infinite. */
  readonly schedules: number | string | null;
  readonly states: number;
  readonly transitions: number;
  /** Everything that the strategy and the bound ask for was seen. */
  readonly complete: boolean;
  /** Interleavings that cannot matter were left out: `states` and `schedules` count what was left. */
  readonly reduced: boolean;
  /** Who goes round for ever, and where: the search gave up there, or no schedule ends any more. */
  readonly endless?: string;
}

export interface Exploration {
  readonly verdict: 'holds' | 'violates' | 'inconclusive';
  /** One per broken invariant, in the order of the subject's, `no-deadlock` last. */
  readonly violations: readonly Violation[];
  readonly reach: Reach;
  /** States (sampling: schedules) that ended with tasks that cannot go on, and with a BUG_ON. */
  readonly deadlocks: number;
  readonly halted: number;
  /** A step that some task takes for ever: the search gave up there, or nothing else can happen any more. */
  readonly endless: string | null;
  /** Digests of the data when every task had finished, sorted. */
  readonly endStates: readonly string[];
  /** Which locks were taken under which; null unless `lockdep` was asked for. */
  readonly lockOrder: LockOrderData | null;
  /** Where the search of a part was cut off; null for all others. */
  readonly cut: Cut | null;
}

const DEFAULT_BUDGET = 50_000_000;
const DEFAULT_SCHEDULES = 10_000;
/** Bounds tried before all schedules when the first violation is enough. */
const FIRST_BOUNDS = [0, 1, 2];

export function explore(subject: Subject, options: ExploreOptions = {}): Exploration {
  const walk = new Walk(subject);
  const { strategy = 'exhaustive', lockdep = false } = options;
  const lockOrder = new LockOrder();
  const asked = lockdep ? { ...options, lockOrder } : options;
  walk.lockdep = lockdep;
  const found =
    strategy !== 'exhaustive' && strategy !== 'one'
      ? sampled(walk, strategy, options)
      : options.stopAtFirst
        ? first(walk, asked)
        : searched(walk, asked);
  if (lockdep) lockOrder.add(lockOrderOf(walk.automaton));
  return { ...found, lockOrder: lockdep ? lockOrder.data : null };
}

type Found = Omit<Exploration, 'lockOrder'>;
type Options = ExploreOptions & { readonly lockOrder?: LockOrder };

function searched(walk: Walk, options: Options): Found {
  const { preemptions = null, budget = DEFAULT_BUDGET, reduce = 'auto' } = options;
  const search = (reduced: boolean): Exhausted =>
    exhaustive(walk.subject, { ...options, preemptions, budget, reduce: reduced }, walk);
  let reduced = reduce === true && preemptions === null;
  let result = search(reduced);
  if (reduce === 'auto' && preemptions === null && result.transitions >= budget && !result.complete) {
    const again = search(true);
    reduced = again.complete;
    if (reduced) result = again;
  }
  const { complete, bounded, schedules, graph } = result;
  const spins = complete && !bounded && schedules === null && graph !== null ? livelock(walk, graph) : null;
  const endless = result.endless ?? spins;
  return answer({ ...result, endless }, counterexamples(walk, result), preemptions, reduced);
}

/** Fewest preemptions first, until something breaks. */
function first(walk: Walk, options: Options): Found {
  const { preemptions = null } = options;
  let budget = options.budget ?? DEFAULT_BUDGET;
  const smaller = FIRST_BOUNDS.filter((bound) => preemptions === null || bound < preemptions);
  const reduce = options.reduce === true;
  for (const bound of [...smaller, preemptions]) {
    const result = exhaustive(walk.subject, { ...options, preemptions: bound, budget, reduce }, walk);
    budget -= result.transitions;
    const { found } = result;
    // The graph stops where the search did: its shortest path may still be made shorter.
    const stories = counterexamples(walk, result).map(({ schedule, invariant }) =>
      shrink(walk, schedule, invariant),
    );
    const done = found.length > 0 || !result.complete || !result.bounded || bound === preemptions;
    if (done) return answer(result, stories, bound, reduce && bound === null);
  }
  throw new Error('a list of bounds without its last');
}

function answer(result: Exhausted, stories: readonly Story[], bound: number | null, reduced: boolean): Found {
  const { complete, bounded, schedules, states, transitions, deadlocks, halted, endless, endStates, cut } =
    result;
  return {
    verdict: stories.length > 0 ? 'violates' : complete && endless === null ? 'holds' : 'inconclusive',
    violations: stories.map(violation),
    reach: {
      strategy: 'exhaustive',
      preemptions: complete && !bounded ? null : bound,
      schedules: schedules === null ? null : plain(schedules),
      states,
      transitions,
      complete,
      reduced,
      ...(endless === null ? {} : { endless }),
    },
    deadlocks,
    halted,
    endless,
    endStates,
    cut,
  };
}

function sampled(walk: Walk, strategy: SampleStrategy, options: ExploreOptions): Found {
  const { seed = 1, schedules = DEFAULT_SCHEDULES, budget = DEFAULT_BUDGET } = options;
  const result: Sampled = sample(walk.subject, { ...options, strategy, seed, schedules, budget }, walk);
  const stories = result.found.map(({ invariant, schedule }) => shrink(walk, schedule, invariant));
  return {
    verdict: stories.length > 0 ? 'violates' : 'inconclusive',
    violations: stories.map(violation),
    reach: {
      strategy,
      preemptions: null,
      schedules: result.schedules,
      states: result.states,
      transitions: result.transitions,
      complete: result.complete,
      reduced: false,
      ...(result.endless === null ? {} : { endless: result.endless }),
    },
    deadlocks: result.deadlocks,
    halted: result.halted,
    endless: result.endless,
    endStates: result.endStates,
    cut: null,
  };
}

const violation = ({ invariant, message, schedule, preemptions, switches, steps }: Story): Violation => ({
  invariant,
  message,
  schedule,
  preemptions,
  switches,
  steps,
});

const plain = (n: bigint): number | string => (n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : `${n}`);

// ---- words

/** Digits in groups of three; beyond a quadrillion two digits and a power: `2.9·10³²`. */
export function countText(count: number | string): string {
  const digits = `${count}`;
  if (digits.length <= 15) return digits.replace(/\B(?=(\d{3})+$)/g, ',');
  const power = [...`${digits.length - 1}`].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('');
  return `${digits[0]}.${digits[1]}·10${power}`;
}

/** `1 schedule`, `649,862,558 schedules` */
export const counted = (count: number | string, noun: string): string =>
  `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;

/**
 * How far it reaches: `exhaustive, 1,050 states, 649,862,558 schedules` · `≤3 preemptions, 41,022 schedules` ·
 * `exhaustive, reduced to 310 states, at least 4,096 schedules` · `10,000 random schedules`; when it was cut short, what was seen until then.
 */
export function reachText(reach: Reach): string {
  const { endless } = reach;
  return howFar(reach) + (endless === undefined ? '' : `, ${endless} for ever`);
}

function howFar(reach: Reach): string {
  const { strategy, preemptions, schedules, states, transitions, complete, reduced } = reach;
  if (strategy === 'one') return 'one schedule';
  if (strategy !== 'exhaustive') return counted(schedules ?? 0, `${strategy} schedule`);
  const all = schedules === null ? 'endlessly many schedules' : counted(schedules, 'schedule');
  const bound = preemptions === null ? null : `≤${counted(preemptions, 'preemption')}`;
  if (!complete) {
    const seen = `cut short after ${counted(states, 'state')}, ${counted(transitions, 'transition')}`;
    return bound === null ? seen : `${bound}, ${seen}`;
  }
  if (reduced)
    return `exhaustive, reduced to ${counted(states, 'state')}, ${schedules === null ? '' : 'at least '}${all}`;
  return bound === null ? `exhaustive, ${counted(states, 'state')}, ${all}` : `${bound}, ${all}`;
}

/** The whole answer in one line: `holds (exhaustive, …)`, `violates a, b (…)`, `no violation in …`. */
export function verdictText({ verdict, violations, reach }: Exploration): string {
  const how = reachText(reach);
  if (verdict === 'violates')
    return `violates ${violations.map((each) => each.invariant).join(', ')} (${how})`;
  if (verdict === 'holds') return `holds (${how})`;
  return reach.strategy === 'exhaustive' ? `no violation found: ${how}` : `no violation in ${how}`;
}
