/**
 * Crash states as images, recovered by this machine's kernel: mount, umount, and the files must be those of our own
 * recovery. Only states whose recovery our check and e2fsck pass are ever mounted. EXT4LAB_CRASH_MOUNTS says how many.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eachCrashState, treeText } from '../support/crashImages.ts';
import { e2fsck } from '../support/referee.ts';

const COUNT = Number(process.env.EXT4LAB_CRASH_MOUNTS ?? 40);

test(`the kernel recovers ${COUNT} crash states to the files that our recovery gives`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'ext4lab-crash-'));
  const file = join(dir, 'image');
  const at = join(dir, 'mnt');
  mkdirSync(at);
  const wrong: string[] = [];
  let mounted = 0;
  try {
    eachCrashState(COUNT, ({ label, image, recovered }) => {
      if (e2fsck(e2fsck(image, ['-fy', '-E', 'journal_only']).image).code !== 0 && !hasOrphans(image)) return;
      writeFileSync(file, image);
      execFileSync('mount', ['-t', 'ext4', '-o', 'loop', file, at]);
      execFileSync('umount', [at]);
      mounted++;
      const left = treeText(new Uint8Array(readFileSync(file)));
      if (left !== treeText(recovered))
        wrong.push(`${label}\n--- kernel\n${left}\n--- ours\n${treeText(recovered)}`);
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  expect(wrong).toEqual([]);
  expect(mounted).toBeGreaterThan(COUNT * 0.8);
});

/** An orphan list is no damage: the mount works it off, and e2fsck -n can only complain of it. */
function hasOrphans(image: Uint8Array): boolean {
  return e2fsck(image, ['-fy']).output.includes('orphan');
}
