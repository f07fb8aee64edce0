/**
 * Random little programs for the explorer: every kind of request, every kind of result, on four cells and three
 * locks. The same program runs on live generators and in the trie.
 */
import fc from 'fast-check';
import { Bytes } from '../../src/bytes/bytes.ts';
import type { Subject } from '../../src/explore/subject.ts';
import type { Kernel } from '../../src/kernel.ts';
import { folioLock, iLock, lock, locked, tryLock, unlock, xattrSem } from '../../src/locks/lock.ts';
import { call, type LockMode, type Op, step, waitFor } from '../../src/task.ts';
import { invariant, toy } from './toy.ts';

type Instruction =
  | { readonly op: 'lock' | 'try' | 'locked'; readonly at: number; readonly mode: LockMode }
  | { readonly op: 'unlock' | 'read' | 'write' | 'wait' | 'bytes' | 'object' | 'bug'; readonly at: number }
  | { readonly op: 'call'; readonly body: readonly Instruction[] };

const LOCKS = [folioLock(12, 0), xattrSem(12), iLock(12)];

/** Four cells of the real state. */
const cell = (k: Kernel, at: number): number => k.inode(20 + at).nlink;

function* run(k: Kernel, program: readonly Instruction[], start: number): Op<number> {
  let seen = start;
  for (const instruction of program) {
    const known = seen;
    switch (instruction.op) {
      case 'lock':
        yield* lock(k, LOCKS[instruction.at % 3]!, instruction.mode);
        break;
      case 'try':
        seen += (yield* tryLock(k, LOCKS[instruction.at % 3]!, instruction.mode)) ? 1 : 0;
        break;
      case 'locked':
        seen += yield* locked(
          k,
          LOCKS[instruction.at % 3]!,
          instruction.mode,
          'section',
          () => cell(k, 0) & 1,
        );
        break;
      case 'unlock':
        yield* unlock(k, LOCKS[instruction.at % 3]!);
        break;
      case 'read':
        seen += yield* step(k, 'read', () => cell(k, instruction.at));
        break;
      case 'write':
        yield* step(k, 'write', () => {
          k.inode(20 + instruction.at).nlink = (known + k.task + 1) & 3;
        });
        break;
      case 'wait':
        yield* waitFor(k, 'wait', () => cell(k, instruction.at) !== 1);
        break;
      case 'bytes': {
        const bytes = yield* step(k, 'bytes', () => Bytes.of([cell(k, instruction.at), 7]));
        seen += bytes.u8(0);
        break;
      }
      case 'object': {
        const found = yield* step(k, 'object', () => ({
          list: [Bytes.of([cell(k, instruction.at)])],
          odd: cell(k, 0) % 2 === 1,
        }));
        seen += found.list[0]!.u8(0) + (found.odd ? 1 : 0);
        break;
      }
      case 'bug':
        yield* step(k, 'bug', () => {
          k.bugOn('read-inline-index', cell(k, instruction.at) === 3);
        });
        break;
      case 'call':
        seen += (yield* call(k, 'call', () => run(k, instruction.body, known))) & 1;
        break;
    }
  }
  return seen;
}

const at = fc.nat({ max: 3 });
const mode = fc.constantFrom<LockMode[]>('shared', 'exclusive');
const simple: fc.Arbitrary<Instruction> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('lock', 'try', 'locked'), at, mode }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom('unlock', 'read', 'write', 'write', 'wait', 'bytes', 'object', 'bug'),
      at,
    }),
  },
);
const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  { weight: 5, arbitrary: simple },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('call' as const), body: fc.array(simple, { maxLength: 2 }) }),
  },
);

export interface Programs {
  readonly programs: readonly (readonly Instruction[])[];
  readonly last: readonly number[];
}

/** Two or three tasks, small enough for every interleaving. */
export const programs: fc.Arbitrary<Programs> = fc.oneof(
  fc.record({
    programs: fc.array(fc.array(instruction, { maxLength: 4 }), { minLength: 2, maxLength: 2 }),
    last: fc.constant([]),
  }),
  fc.record({
    programs: fc.array(fc.array(instruction, { maxLength: 2 }), { minLength: 3, maxLength: 3 }),
    last: fc.constantFrom([], [2]),
  }),
);

/** A fresh subject. Two invariants that some programs break. */
export function subjectOf({ programs: each, last }: Programs): Subject {
  return toy(
    each.map(
      (program) =>
        function* (k) {
          yield* run(k, program, 0);
        },
    ),
    {
      last,
      invariants: [
        invariant('small', 'always', (k) => (cell(k, 0) > 2 ? `cell 0 is ${cell(k, 0)}` : null)),
        invariant('apart', 'always', (k) =>
          cell(k, 1) !== 0 && cell(k, 1) === cell(k, 2) ? 'cells 1 and 2' : null,
        ),
        invariant('even', 'end', (k) => (cell(k, 3) % 2 === 1 ? 'cell 3 is odd' : null)),
      ],
    },
  );
}
