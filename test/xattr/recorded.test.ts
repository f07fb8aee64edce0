/**
 * Sequences of setxattr, removexattr, write and truncate that ran on a real kernel (record-kernel.py): after every
 * call, i_block, the inode body and the external xattr block must be the bytes the kernel left, checksums included.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type RecordedSequence, replay } from './replay.ts';

const files = ['xattrs-256.json', 'xattrs-256-extra28.json', 'xattrs-512.json'];

test.each(files)('%s: every byte as the kernel left it', (file) => {
  const text = readFileSync(new URL(`recorded/${file}`, import.meta.url), 'utf8');
  const { sequences } = JSON.parse(text) as { sequences: RecordedSequence[] };
  expect(sequences.length).toBeGreaterThan(4);
  for (const sequence of sequences) expect(replay(sequence)).toBe(sequence.steps.length);
});

test('a replay notices a wrong byte', () => {
  const text = readFileSync(new URL(`recorded/${files[0]}`, import.meta.url), 'utf8');
  const { sequences } = JSON.parse(text) as { sequences: RecordedSequence[] };
  const [sequence] = sequences as [RecordedSequence];
  const written = sequence.steps.findIndex((step) => step.op === 'write');
  const steps = sequence.steps.map((step, i) =>
    i === written ? { ...step, data: `ff${step.data!.slice(2)}` } : step,
  );
  expect(replay({ ...sequence, steps })).toContain('(iBlock)');
});
