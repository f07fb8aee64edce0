/**
 * Crash states as images: e2fsck recovers each, and must come to the same files as our own recovery.
 * EXT4LAB_CRASH_IMAGES says how many.
 */
import { expect } from 'vitest';
import { eachCrashState, treeText } from '../support/crashImages.ts';
import { e2fsck, refereed } from '../support/referee.ts';

const COUNT = Number(process.env.EXT4LAB_CRASH_IMAGES ?? 150);

refereed(`e2fsck -fy recovers ${COUNT} crash states to the files that our recovery gives`, ['e2fsck'], () => {
  const wrong: string[] = [];
  let replayed = 0;
  const count = eachCrashState(COUNT, ({ label, image, recovered }) => {
    const { code, output, image: left } = e2fsck(image, ['-fy']);
    if (output.includes('recovering journal')) replayed++;
    if (code > 1) wrong.push(`${label}: exit ${code}: ${output}`);
    else if (treeText(left) !== treeText(recovered))
      wrong.push(`${label}\n--- e2fsck\n${treeText(left)}\n--- ours\n${treeText(recovered)}\n${output}`);
  });
  expect(count).toBe(COUNT);
  expect(wrong).toEqual([]);
  expect(replayed, 'states that had a log to replay').toBeGreaterThan(COUNT / 2);
});
