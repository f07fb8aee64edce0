/**
 * Directories that a real kernel made, filled, emptied and converted (test/xattr/record-kernel.py dirs): after every
 * call, the inode and the directory block must be the bytes the kernel left.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type RecordedDirSequence, replayDir } from './replay-dir.ts';

test.each(['dirs-256.json', 'dirs-512.json'])('%s: every byte as the kernel left it', (file) => {
  const text = readFileSync(new URL(`recorded/${file}`, import.meta.url), 'utf8');
  const { sequences } = JSON.parse(text) as { sequences: RecordedDirSequence[] };
  expect(sequences.length).toBeGreaterThan(2);
  for (const sequence of sequences) expect(replayDir(sequence)).toBe(sequence.steps.length);
});
