/**
 * Replay of a log against e2fsck, on images that a crashed kernel (6.18) left: 64-bit tags with v3 checksums and revokes,
 * 32-bit tags with escaped blocks of file data, no checksums; and one made with debugfs for v2 checksums.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/lab.ts';
import { Image } from '../../src/volume/image.ts';
import { replayJournal } from '../../src/volume/journalReplay.ts';
import { e2fsck, refereed } from '../support/referee.ts';

const bytesOf = (name: string): Uint8Array =>
  new Uint8Array(gunzipSync(readFileSync(`fixtures/images/${name}.img.gz`)));

const DIRTY = {
  'dirty-1k-v3': { transactions: 9, replayed: 72, revoked: 1 },
  'dirty-1k-v2': { transactions: 5, replayed: 1, revoked: 3 },
  'dirty-1k-escaped': { transactions: 8, replayed: 69, revoked: 0 },
  'dirty-1k-plain': { transactions: 8, replayed: 73, revoked: 0 },
} as const;

/** Blocks that hold the superblock, and group descriptors, of an image with 1k blocks: e2fsck brings counts up to date. */
const COUNTS = [1, 2];

describe.each(Object.entries(DIRTY))('%s', (name, counts) => {
  const load = (): Image => Image.load(bytesOf(name));

  it('is replayed', () => {
    const dirty = load();
    expect(dirty.needsRecovery).toBe(true);
    const { image, ...counted } = replayJournal(dirty);
    expect(counted).toEqual(counts);
    expect(image.needsRecovery).toBe(false);
    expect(replayJournal(image).image).toBe(image);
  });

  refereed('is what e2fsck makes of it', ['e2fsck'], () => {
    const { image } = replayJournal(load());
    const theirs = Image.load(e2fsck(bytesOf(name), ['-fy', '-E', 'journal_only']).image);
    const differing: number[] = [];
    for (let nr = 0; nr < image.blocksCount; nr++) {
      if (!image.block(nr).equals(theirs.block(nr))) differing.push(nr);
    }
    expect(differing.filter((nr) => !COUNTS.includes(nr))).toEqual([]);
    expect(e2fsck(image.toUint8Array()).code).toBe(0);
  });

  refereed('mounts, and e2fsck passes what an unmount leaves', ['e2fsck'], () => {
    const lab = createLab({ image: bytesOf(name) });
    lab.fs.writeFileSync('/after', 'the crash');
    expect(e2fsck(lab.saveImage()).code).toBe(0);
  });
});

describe('a damaged log', () => {
  const dirty = Image.load(bytesOf('dirty-1k-v3'));
  /** The image with one byte of a log block turned over. */
  const flip = (block: number, at: number): Image => {
    const nr = dirty.journalBlockNr(block);
    const bytes = dirty.block(nr);
    return dirty.with(new Map([[nr, bytes.edit((u8) => void (u8[at]! ^= 1))]]));
  };
  const start = dirty.journalBlock(0).u32be(0x1c);

  it('is an error that names the block', () => {
    const nr = dirty.journalBlockNr(start + 1);
    expect(() => replayJournal(flip(start + 1, 100))).toThrow(
      `journal block ${start + 1} at byte ${nr * 1024}: wrong checksum of a copy of block`,
    );
    expect(() => replayJournal(flip(0, 0x18))).toThrow('wrong checksum');
  });

  it('ends where a commit block is missing', () => {
    const whole = replayJournal(dirty).transactions;
    const last = lastCommit();
    const cut = replayJournal(flip(last, 0));
    expect(cut.transactions).toBe(whole - 1);
    expect(cut.image.needsRecovery).toBe(false);
  });

  /** The last commit block of this log, which does not wrap. */
  function lastCommit(): number {
    const sequence = dirty.journalBlock(0).u32be(0x18) + DIRTY['dirty-1k-v3'].transactions - 1;
    for (let at = start; ; at++) {
      const block = dirty.journalBlock(at);
      if (block.u32be(0) === 0xc03b3998 && block.u32be(4) === 2 && block.u32be(8) === sequence) return at;
    }
  }
});
