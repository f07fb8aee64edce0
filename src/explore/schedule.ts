/**
 * A schedule is the list of the tasks that took the steps, and the only thing a search hands on. As text it is a
 * run-length form, one letter per lane in the order of the scenario and the number of steps in a row:
 *
 *   [0,0,0,1,0,0]  ⇄  A3BA2          A…Z, then a…d: tasks 0…29          a count of 1 is left out; no steps: -
 *
 * One schedule has one text: lanes that follow each other differ, counts have no leading zero.
 */
import type { Machine } from '../sched/machine.ts';
import { MAX_TASKS } from './subject.ts';

export type Schedule = readonly number[];

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcd';
/** More steps than any program takes: a mistyped count should not hang. */
const MAX_STEPS = 10_000_000;

/** A schedule that cannot be read, or that the machine cannot follow. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

/** The letter of a task. */
export function laneLetter(task: number): string {
  const letter = LETTERS[task];
  if (letter === undefined) throw new ScheduleError(`task ${task} has no letter: there are ${MAX_TASKS}`);
  return letter;
}

/** Runs of steps by one task. */
export function runsOf(schedule: Schedule): (readonly [task: number, count: number])[] {
  const runs: [number, number][] = [];
  for (const task of schedule) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] === task) last[1]++;
    else runs.push([task, 1]);
  }
  return runs;
}

export function formatSchedule(schedule: Schedule): string {
  if (schedule.length === 0) return '-';
  return runsOf(schedule)
    .map(([task, count]) => laneLetter(task) + (count === 1 ? '' : count))
    .join('');
}

/**
 * Reads a schedule. Neighbours of the same lane are taken together.
 * @param lanes  names of the lanes, to refuse a letter that stands for none
 */
export function parseSchedule(text: string, lanes?: readonly string[]): number[] {
  if (text === '-') return [];
  const fail = (at: number, what: string): never => {
    throw new ScheduleError(`schedule '${text}', column ${at + 1}: ${what}`);
  };
  if (text === '') fail(0, "empty; a schedule of no steps is written '-'");
  const schedule: number[] = [];
  for (let at = 0; at < text.length; ) {
    const task = LETTERS.indexOf(text[at]!);
    if (task < 0) fail(at, `expected the letter of a lane (A…Z, a…d), found '${text[at]}'`);
    if (lanes !== undefined && task >= lanes.length) {
      const known = lanes.map((name, lane) => `${laneLetter(lane)} = ${name}`).join(', ');
      fail(at, `no lane ${text[at]}; there ${lanes.length === 1 ? 'is' : 'are'} ${known || 'none'}`);
    }
    let end = at + 1;
    while (end < text.length && text[end]! >= '0' && text[end]! <= '9') end++;
    const digits = text.slice(at + 1, end);
    if (digits.startsWith('0')) fail(at + 1, `a count starts with 1…9, found '${digits}'`);
    const count = digits === '' ? 1 : Number(digits);
    if (schedule.length + count > MAX_STEPS) fail(at + 1, `more than ${MAX_STEPS} steps`);
    for (let i = 0; i < count; i++) schedule.push(task);
    at = end;
  }
  return schedule;
}

/**
 * Follows a schedule on a machine; after its last step the lowest runnable task goes on until none can.
 * @returns every step that was taken, as a schedule
 * @throws ScheduleError when a step names a task that cannot take it
 */
export function replay(machine: Machine, schedule: Schedule | string): number[] {
  const lanes = machine.specs.map((spec) => spec.name);
  const steps = typeof schedule === 'string' ? parseSchedule(schedule, lanes) : schedule;
  const taken: number[] = [];
  for (const task of steps) {
    const runnable = machine.runnable();
    if (!runnable.includes(task)) throw cannotRun(machine, task, taken.length + 1, steps.length, runnable);
    machine.resume(task);
    taken.push(task);
  }
  for (;;) {
    const [lowest] = machine.runnable();
    if (lowest === undefined) return taken;
    if (taken.length >= MAX_STEPS) throw new ScheduleError(`no end after ${MAX_STEPS} steps`);
    machine.resume(lowest);
    taken.push(lowest);
  }
}

function cannotRun(
  machine: Machine,
  task: number,
  step: number,
  steps: number,
  runnable: readonly number[],
): ScheduleError {
  const named = (each: number): string => {
    const spec = machine.specs[each];
    return spec === undefined ? `task ${each}` : `${spec.name} (${laneLetter(each)})`;
  };
  const next = task < machine.specs.length ? machine.next(task) : undefined;
  const why =
    next === undefined
      ? 'there is no such task'
      : next === null
        ? 'it is finished'
        : machine.k.sb.halted
          ? 'a BUG_ON halted the machine'
          : `it stands at '${next.request.label}'`;
  const could = runnable.length === 0 ? 'nobody could' : `${runnable.map(named).join(', ')} could`;
  return new ScheduleError(
    `step ${step} of ${steps} names ${named(task)}, which cannot run: ${why}; ${could}. ` +
      'The usual cause: the schedule was made for another scenario, another design or another version of the model.',
  );
}
