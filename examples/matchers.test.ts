/**
 * Matchers in a test of one's own. Outside this repository the import reads `import 'ext4lab/vitest'`.
 */
import { describe, expect, it } from 'vitest';
import { createLab } from '../src/index.ts';
import '../src/vitest.ts';

describe('a store through a mapping beside a small write(2)', () => {
  const lanes = {
    CPU0: ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 40 1'],
    CPU1: ['open /f', 'pwrite -S 0x43 0 1'],
  };
  const lab = createLab();
  lab.fs.writeFileSync('/f', 'A'.repeat(50));
  const { cells } = lab.race(lanes, { designs: ['mkwrite-convert', 'decision-pinning', 'mmap-convert'] });
  const [now, pinning, mmap] = cells;

  it('starts from a clean inline inode', () => {
    expect(lab).toHaveNoDirtyFolioOnInlineInode();
    expect(lab).toHold();
  });

  it('runs into a BUG_ON in the current kernel', () => {
    expect(now).toViolate('bug-on');
    expect(now).not.toHaveNoDirtyFolioOnInlineInode('pending');
  });

  it('does not when write_begin’s decision is pinned', () => {
    expect(pinning).toHold();
    expect(pinning).toHaveNoDirtyFolioOnInlineInode('strict');
    expect(pinning).toBeQuietUnderLockdep();
  });

  it('meets lockdep when the conversion is in ->mmap', () => {
    expect(mmap).not.toBeQuietUnderLockdep();
  });
});
