import { expect, it } from 'vitest';
import { scenarioSession } from '../../bench/scenarios.ts';
import { recordingKernel } from '../../src/scenario/session.ts';
import { ForgottenYield, type Op, step } from '../../src/task.ts';
import { record } from '../../src/trace/transaction.ts';

it('a forgotten yield* is found while recording, and the line is named', () => {
  const { session } = scenarioSession('mmap-store-then-fsync', 'mkwrite-convert', 'delalloc');
  const { world, k } = recordingKernel(session);
  const spec = {
    name: 'CPU0',
    mm: 0,
    last: false,
    *program(): Op<void> {
      yield* step(k, 'first', () => {});
      step(k, 'forgotten', () => {});
      yield* step(k, 'second', () => {});
    },
  };
  const run = () => record(world, k, [spec], ([task]) => task!);
  expect(run).toThrow(ForgottenYield);
  expect(run).toThrow(
    /'forgotten' was made and never run: did you forget yield\* at .*transaction\.test\.ts:\d+/,
  );
  expect(k.tracker).toMatchObject({ pending: null, sites: false });
});
