/**
 * The current kernel design against what the machine's kernel was recorded to do: every result, size, block count,
 * inline flag, content and raw inode byte, volatile fields masked. Needs no root.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/errors.ts';
import { readImageFile } from '../../src/cli/images.ts';
import { ImageStore } from '../../src/cli/kernel/images.ts';
import { scriptOfRecording } from '../../src/cli/kernel/record.ts';
import { BUNDLED_RECORDINGS, recordingFiles } from '../../src/cli/kernel/recordingFiles.ts';
import { runLinear } from '../../src/compare/emulate.ts';
import { compareWithRecording, formatDifference, readRecording } from '../../src/compare/recording.ts';
import { mkwriteConvert } from '../../src/designs/index.ts';

describe('mkwrite-convert does what the kernel did', () => {
  const all = [...recordingFiles([]), ...recordingFiles([join(BUNDLED_RECORDINGS, 'random')])];

  it('there are at least 200 recordings', () => {
    expect(all.length).toBeGreaterThanOrEqual(200);
  });

  it.each(all.map((file) => [basename(file, '.json'), file] as const))('%s', (_, file) => {
    const recording = readRecording(readFileSync(file, 'utf8'), file);
    if (!('file' in recording.image)) throw new Error('a recording names its image');
    const image = readImageFile(join(dirname(file), recording.image.file));
    const { mount, lines } = scriptOfRecording(recording, file);
    const run = runLinear({ image, mount, design: mkwriteConvert, lines });
    const differences = compareWithRecording(recording, run).map(formatDifference);
    expect(differences.slice(0, 5)).toEqual([]);
  });
});

it('a recording whose image is not there is bad input', () => {
  expect(() => new ImageStore().path({ file: 'none.img' }, '/tmp/some.json')).toThrow(UsageError);
});
