import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { FIXTURE_IMAGES } from '../../src/cli/kernel/images.ts';
import { linesOf } from '../../src/cli/kernel/record.ts';
import {
  BUNDLED_RECORDINGS,
  FIXTURE_IMAGES_FOLDER,
  recordingFiles,
} from '../../src/cli/kernel/recordingFiles.ts';
import { compareWithRecording, maskRun, readRecording, writeRecording } from '../../src/compare/recording.ts';
import { parseLane } from '../../src/scenario/lane.ts';

// The catalogue, and what random scripts did (the seeds of randomScript in cli/kernel/check.ts).
const files = [...recordingFiles([]), ...recordingFiles([join(BUNDLED_RECORDINGS, 'random')])];

test('there are recordings', () => {
  expect(files.length).toBeGreaterThan(100);
});

test.each(files.map((file) => [basename(file, '.json'), file]))('%s is in order', (name, file) => {
  const text = readFileSync(file!, 'utf8');
  const recording = readRecording(text, file!);
  expect(recording.name).toBe(name);
  expect(recording.question).toMatch(/\?$/);
  // Written as our writer writes, masked as our mask masks.
  expect(writeRecording(recording)).toBe(text);
  expect(writeRecording(maskRun(recording))).toBe(text);
  expect(compareWithRecording(recording, recording)).toEqual([]);
  // Its lines mean something, to a lane too, and its image is there.
  expect(linesOf(recording, file!)).toHaveLength(recording.steps.length);
  parseLane(
    recording.steps.map((step) => step.line),
    { lane: 'CPU0' },
  );
  expect(recording.image).toHaveProperty('file');
  if ('file' in recording.image) expect(existsSync(resolve(dirname(file!), recording.image.file))).toBe(true);
});

test('the images are small', () => {
  for (const name of Object.keys(FIXTURE_IMAGES)) {
    expect(statSync(join(FIXTURE_IMAGES_FOLDER, `${name}.img.gz`)).size).toBeLessThan(20_000);
  }
});
