/** Does the kernel of this machine still do what the recordings say? */
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ImageStore } from '../../src/cli/kernel/images.ts';
import { recordScript, scriptOfRecording } from '../../src/cli/kernel/record.ts';
import { BUNDLED_RECORDINGS, loadRecording, recordingFiles } from '../../src/cli/kernel/recordingFiles.ts';
import { Referee, whyNoKernel } from '../../src/cli/kernel/referee.ts';
import { compareWithRecording, formatDifference } from '../../src/compare/recording.ts';

const images = new ImageStore();
let referee: Referee;

beforeAll(() => {
  referee = new Referee();
});
afterAll(async () => {
  await referee?.close();
  images.close();
});

test('this machine can be asked', () => {
  expect(whyNoKernel()).toBeUndefined();
});

const files = [...recordingFiles([]), ...recordingFiles([join(BUNDLED_RECORDINGS, 'random')])];

test.each(files.map((file) => [basename(file, '.json'), file]))('%s', async (_, file) => {
  const old = loadRecording(file!);
  const again = await recordScript(scriptOfRecording(old, file!), referee, images);
  expect(again.kernel).toBe(old.kernel);
  expect(compareWithRecording(old, again).map(formatDifference)).toEqual([]);
});
