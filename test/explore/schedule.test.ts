import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatSchedule,
  laneLetter,
  parseSchedule,
  replay,
  runsOf,
  ScheduleError,
} from '../../src/explore/schedule.ts';
import { folioLock, lock, unlock } from '../../src/locks/lock.ts';
import { Machine } from '../../src/sched/machine.ts';
import { step } from '../../src/task.ts';
import { type Program, toy } from './toy.ts';

describe('text', () => {
  test('runs of steps, one letter per lane', () => {
    expect(formatSchedule([0, 0, 0, 1, 0, 0])).toBe('A3BA2');
    expect(formatSchedule([])).toBe('-');
    expect(formatSchedule([25, 26, 29, 29])).toBe('Zad2');
    expect(parseSchedule('A3BA2')).toEqual([0, 0, 0, 1, 0, 0]);
    expect(parseSchedule('-')).toEqual([]);
    expect(runsOf([2, 2, 0])).toEqual([
      [2, 2],
      [0, 1],
    ]);
  });

  test('there and back, for every schedule; neighbours of one lane are taken together', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 29 })), (schedule) => {
        expect(parseSchedule(formatSchedule(schedule))).toEqual(schedule);
      }),
    );
    expect(formatSchedule(parseSchedule('A2A3'))).toBe('A5');
  });

  test.each([
    ['', 1, 'empty'],
    ['A3?', 3, "found '?'"],
    ['3A', 1, "found '3'"],
    ['A0', 2, 'a count starts with 1…9'],
    ['AB01', 3, "found '01'"],
    ['A99999999', 2, 'more than'],
    ['Ae', 2, "found 'e'"],
  ])('%j is refused at column %i', (text, column, what) => {
    expect(() => parseSchedule(text)).toThrow(ScheduleError);
    expect(() => parseSchedule(text)).toThrow(`schedule '${text}', column ${column}: `);
    expect(() => parseSchedule(text)).toThrow(what);
  });

  test('a letter without a lane is refused with those there are', () => {
    expect(() => parseSchedule('A2C', ['CPU0', 'CPU1'])).toThrow(
      "schedule 'A2C', column 3: no lane C; there are A = CPU0, B = CPU1",
    );
    expect(() => laneLetter(30)).toThrow(ScheduleError);
  });
});

describe('replay', () => {
  const section: Program = function* (k) {
    yield* lock(k, folioLock(12, 0));
    yield* step(k, 'inside', () => {
      k.inode(20).size = k.task + 1;
    });
    yield* unlock(k, folioLock(12, 0));
  };
  const machine = () => {
    const { k, specs } = toy([section, section, section]);
    return new Machine(k, specs);
  };

  test('follows the steps, then the lowest task that can', () => {
    const each = machine();
    expect(formatSchedule(replay(each, 'B2'))).toBe('B3A3C3');
    expect(each.allFinished).toBe(true);
    expect(each.k.inode(20).size).toBe(3);
    expect(formatSchedule(replay(machine(), [2, 2, 2, 1, 1]))).toBe('C3B3A3');
  });

  test('a step that cannot be taken says which, why, and who could have', () => {
    expect(() => replay(machine(), 'A2B')).toThrow(
      "step 3 of 3 names CPU1 (B), which cannot run: it stands at 'folio_lock(12:0)'; CPU0 (A) could. " +
        'The usual cause: the schedule was made for another scenario, another design or another version of the model.',
    );
    expect(() => replay(machine(), 'A4')).toThrow(
      'step 4 of 4 names CPU0 (A), which cannot run: it is finished; CPU1 (B), CPU2 (C) could.',
    );
    expect(() => replay(machine(), [7])).toThrow(
      'step 1 of 1 names task 7, which cannot run: there is no such task',
    );
    expect(() => replay(machine(), 'E')).toThrow('no lane E');
  });
});
