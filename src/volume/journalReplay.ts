/**
 * Replay of the log that a crash left in an image: what a mount does before it looks at anything else.
 *
 *   journal superblock (s_start, s_sequence)
 *     ▼
 *   descriptor │ block │ block │ … │ revoke │ commit N │ descriptor │ … │ commit N+1 │ anything else: the end
 *       └ one tag a block: home block, flags, checksum     └ blocks not to replay from N and before
 *
 * Three passes, as the kernel makes them: find the last transaction with a sound commit block, collect what it and those
 * before it revoke, then write home what is not revoked, in order. A block whose first word was JBD2's magic has it
 * escaped in the log. A descriptor, revoke or commit block of another sequence ends the log: old laps are full of them.
 *
 * Verified: checksums of the superblock, of descriptor, revoke and commit blocks and of every block, where the journal has
 * them (v2, v3). A log that is damaged before its end is an error, as for a mount. Not verified: v1 checksums.
 * Fast commits are refused by name.
 */
import { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes } from '../bytes/crc32c.ts';
import { BadImage, hex } from './badImage.ts';
import type { Image } from './image.ts';
import { JOURNAL_MAGIC, journalSuperblockChecksum, journalSuperblockLayout } from './journalSuper.ts';
import { INCOMPAT, SUPERBLOCK_OFFSET, superblockLayout, withSuperblockChecksum } from './superblock.ts';

/** What a block of the log is. @source include/linux/jbd2.h JBD2_DESCRIPTOR_BLOCK */
export const BLOCKTYPE = { descriptor: 1, commit: 2, revoke: 5 } as const;
/** @source include/linux/jbd2.h JBD2_FLAG_ESCAPE */
export const TAG_FLAG = { escape: 1, sameUuid: 2, last: 8 } as const;
/** @source include/linux/jbd2.h JBD2_FEATURE_INCOMPAT_REVOKE */
export const JOURNAL_INCOMPAT = {
  '64bit': 2,
  asyncCommit: 4,
  csumV2: 8,
  csumV3: 16,
  fastCommit: 32,
} as const;

export const HEADER_SIZE = 12;
export const REVOKE_HEADER_SIZE = 16;
export const TAIL_SIZE = 4;
export const UUID_SIZE = 16;
/** Of struct commit_header. */
export const COMMIT = { checksum: 0x10, seconds: 0x30, size: 0x3c } as const;

/** What a replay did. */
export interface Replayed {
  readonly image: Image;
  readonly transactions: number;
  /** Blocks written home, one for each time it was written. */
  readonly replayed: number;
  /** Blocks left out because they were revoked. */
  readonly revoked: number;
}

/** One tag of a descriptor block: `home` is where the block of the log belongs. */
interface Tag {
  readonly home: number;
  readonly flags: number;
  readonly checksum: number;
}

/**
 * The image as a mount finds it after recovery: the log is written home and empty, `needs_recovery` is clear. The orphan
 * list is the mount's business. An image that needs no recovery comes back as it is.
 * @throws BadImage naming the place in the log
 * @source fs/jbd2/recovery.c jbd2_journal_recover
 */
export function replayJournal(image: Image): Replayed {
  if (!image.needsRecovery) return { image, transactions: 0, replayed: 0, revoked: 0 };
  return new Recovery(image).run();
}

class Recovery {
  readonly #image: Image;
  readonly #first: number;
  readonly #last: number;
  readonly #start: number;
  readonly #sequence: number;
  readonly #incompat: number;
  readonly #seed: number;

  constructor(image: Image) {
    this.#image = image;
    const block = image.journalBlock(0);
    const jsb = journalSuperblockLayout.decode(block);
    const bad = (field: keyof typeof journalSuperblockLayout.fields, problem: string): never =>
      this.#fail(0, journalSuperblockLayout.fields[field].at, problem);
    if (jsb.magic !== JOURNAL_MAGIC) bad('magic', 'no journal superblock');
    if (jsb.blocksize !== image.blockSize) bad('blocksize', `blocks of ${jsb.blocksize} bytes`);
    if (jsb.first < 1 || jsb.maxlen <= jsb.first) bad('first', 'no room for a log');
    if (jsb.start < jsb.first || jsb.start >= jsb.maxlen) bad('start', 'the log starts outside the journal');
    const known = Object.values(JOURNAL_INCOMPAT).reduce((sum, bit) => sum | bit, 1);
    if ((jsb.featureIncompat & ~known) !== 0)
      bad('featureIncompat', `unknown features ${hex(jsb.featureIncompat)}`);
    if ((jsb.featureIncompat & JOURNAL_INCOMPAT.fastCommit) !== 0)
      bad('featureIncompat', 'fast commits are not supported');
    this.#first = jsb.first;
    this.#last = jsb.maxlen;
    this.#start = jsb.start;
    this.#sequence = jsb.sequence;
    this.#incompat = jsb.featureIncompat;
    this.#seed = crc32cBytes(0xffffffff, jsb.uuid);
    if (this.#hasChecksums && jsb.checksum !== journalSuperblockChecksum(block))
      bad('checksum', 'wrong checksum');
  }

  run(): Replayed {
    const end = this.#scan();
    const revokes = this.#revokes(end);
    const changes = new Map<number, Bytes>();
    let [replayed, revoked] = [0, 0];
    this.#walk(end, (type, block, sequence, next) => {
      if (type !== BLOCKTYPE.descriptor) return 0;
      const tags = this.#tags(block);
      tags.forEach(({ home, flags, checksum }, i) => {
        const at = this.#wrap(next + i);
        const last = revokes.get(home);
        if (last !== undefined && !isAfter(sequence, last)) {
          revoked++;
          return;
        }
        const data = this.#image.journalBlock(at);
        if (!this.#blockOk(data, sequence, checksum))
          this.#fail(at, 0, `wrong checksum of a copy of block ${home}`);
        if (home >= this.#image.blocksCount)
          this.#fail(at, 0, `a copy of block ${home}, which is outside the volume`);
        changes.set(home, (flags & TAG_FLAG.escape) === 0 ? data : data.splice(0, MAGIC));
        replayed++;
      });
      return tags.length;
    });
    const image = emptied(this.#image.with(changes), (end + 1) >>> 0);
    return { image, transactions: (end - this.#sequence) >>> 0, replayed, revoked };
  }

  /** The sequence after the last transaction that is whole. @source fs/jbd2/recovery.c do_one_pass with PASS_SCAN */
  #scan(): number {
    let [end, doubtful, lastTime] = [this.#sequence, false, 0];
    this.#walk(null, (type, block, sequence, next) => {
      const at = this.#wrap(next - 1);
      if (type === BLOCKTYPE.descriptor || type === BLOCKTYPE.revoke) {
        // Blocks of an older lap may stand here; the commit block tells.
        if (!this.#tailOk(block)) doubtful = true;
        return type === BLOCKTYPE.descriptor ? this.#tags(block).length : 0;
      }
      const time = block.u32be(COMMIT.seconds) * 2 ** 32 + block.u32be(COMMIT.seconds + 4);
      if (doubtful || !this.#commitOk(block)) {
        // Only an asynchronous commit block may reach the disk before what it stands for.
        if (time >= lastTime && (doubtful || !this.#has('asyncCommit')))
          this.#fail(at, 0, `wrong checksum in transaction ${sequence}`);
        return 'end';
      }
      lastTime = time;
      end = (sequence + 1) >>> 0;
      return 0;
    });
    return end;
  }

  /** Block → the last transaction that revokes it. @source fs/jbd2/recovery.c scan_revoke_records */
  #revokes(end: number): Map<number, number> {
    const revokes = new Map<number, number>();
    const width = this.#has('64bit') ? 8 : 4;
    this.#walk(end, (type, block, sequence, next) => {
      if (type === BLOCKTYPE.descriptor) {
        if (!this.#tailOk(block)) this.#fail(this.#wrap(next - 1), 0, 'wrong checksum of a descriptor block');
        return this.#tags(block).length;
      }
      if (type !== BLOCKTYPE.revoke) return 0;
      const used = block.u32be(HEADER_SIZE);
      if (used > this.#image.blockSize - this.#tailSize)
        this.#fail(this.#wrap(next - 1), HEADER_SIZE, 'too many revokes');
      for (let at = REVOKE_HEADER_SIZE; at + width <= used; at += width) {
        const high = width === 8 ? block.u32be(at) * 2 ** 32 : 0;
        revokes.set(high + block.u32be(at + width - 4), sequence);
      }
      return 0;
    });
    return revokes;
  }

  /**
   * From the start of the log on, every block that is not a copy.
   * @param end    sequence to stop before; null is at the first block that does not belong
   * @param visit  is given the log block after this one; answers how many copies follow, or that this is the end
   */
  #walk(
    end: number | null,
    visit: (type: number, block: Bytes, sequence: number, next: number) => number | 'end',
  ): void {
    let [at, sequence] = [this.#start, this.#sequence];
    for (let seen = 0; seen < this.#last - this.#first; seen++) {
      if (end !== null && sequence === end) return;
      const block = this.#image.journalBlock(at);
      at = this.#wrap(at + 1);
      const type = block.u32be(4);
      const known = type === BLOCKTYPE.descriptor || type === BLOCKTYPE.commit || type === BLOCKTYPE.revoke;
      if (block.u32be(0) !== JOURNAL_MAGIC || block.u32be(8) !== sequence || !known) return;
      const copies = visit(type, block, sequence, at);
      if (copies === 'end') return;
      at = this.#wrap(at + copies);
      seen += copies;
      if (type === BLOCKTYPE.commit) sequence = (sequence + 1) >>> 0;
    }
  }

  /** @source fs/jbd2/recovery.c count_tags, read_tag_block; include/linux/jbd2.h journal_block_tag_t */
  #tags(block: Bytes): Tag[] {
    const tags: Tag[] = [];
    const v3 = this.#has('csumV3');
    const size = v3 ? 16 : (this.#has('64bit') ? 12 : 8) + (this.#has('csumV2') ? 2 : 0);
    const end = this.#image.blockSize - this.#tailSize;
    for (let at = HEADER_SIZE; at + size <= end; ) {
      const flags = v3 ? block.u32be(at + 4) : u16be(block, at + 6);
      const high = this.#has('64bit') ? block.u32be(at + 8) : 0;
      const checksum = v3 ? block.u32be(at + 12) : u16be(block, at + 4);
      tags.push({ home: high * 2 ** 32 + block.u32be(at), flags, checksum });
      if ((flags & TAG_FLAG.last) !== 0) break;
      at += size + ((flags & TAG_FLAG.sameUuid) === 0 ? UUID_SIZE : 0);
    }
    return tags;
  }

  #wrap(at: number): number {
    return at < this.#last ? at : at - this.#last + this.#first;
  }

  #has(feature: keyof typeof JOURNAL_INCOMPAT): boolean {
    return (this.#incompat & JOURNAL_INCOMPAT[feature]) !== 0;
  }

  get #hasChecksums(): boolean {
    return this.#has('csumV2') || this.#has('csumV3');
  }

  get #tailSize(): number {
    return this.#hasChecksums ? TAIL_SIZE : 0;
  }

  /** @source fs/jbd2/recovery.c jbd2_descriptor_block_csum_verify */
  #tailOk(block: Bytes): boolean {
    return this.#sumOk(block, block.length - TAIL_SIZE);
  }

  /** A commit block that was written in part is good when its header is. @source fs/jbd2/recovery.c jbd2_commit_block_csum_verify, jbd2_commit_block_csum_verify_partial */
  #commitOk(block: Bytes): boolean {
    const alone = block.fillRange(0, COMMIT.size, block.length);
    return this.#sumOk(block, COMMIT.checksum) || this.#sumOk(alone, COMMIT.checksum);
  }

  #sumOk(block: Bytes, at: number): boolean {
    if (!this.#hasChecksums) return true;
    return block.u32be(at) === crc32cBytes(this.#seed, block.fillRange(0, at, at + 4));
  }

  /** @source fs/jbd2/recovery.c jbd2_block_tag_csum_verify */
  #blockOk(data: Bytes, sequence: number, checksum: number): boolean {
    if (!this.#hasChecksums) return true;
    const bytes = [24, 16, 8, 0].map((shift) => (sequence >>> shift) & 0xff);
    const sum = crc32cBytes(crc32cBytes(this.#seed, Bytes.copy(Uint8Array.from(bytes))), data);
    return this.#has('csumV3') ? checksum === sum : checksum === (sum & 0xffff);
  }

  #fail(block: number, at: number, problem: string): never {
    const offset = this.#image.journalBlockNr(block) * this.#image.blockSize + at;
    throw new BadImage(`journal block ${block}`, offset, problem);
  }
}

const MAGIC = Uint8Array.from([0xc0, 0x3b, 0x39, 0x98]);

const u16be = (block: Bytes, at: number): number => block.u8(at) * 256 + block.u8(at + 1);

/** Sequences wrap. @source include/linux/jbd2.h tid_gt */
const isAfter = (a: number, b: number): boolean => ((a - b) | 0) > 0;

/** The log is empty and the volume says so. @source fs/jbd2/journal.c jbd2_mark_journal_empty; fs/ext4/super.c ext4_mark_recovery_complete */
function emptied(image: Image, sequence: number): Image {
  const nr = image.journalBlockNr(0);
  const jsb = journalSuperblockLayout.put(image.block(nr), { start: 0, sequence });
  const sealed =
    (jsb.u32be(0x28) & (JOURNAL_INCOMPAT.csumV2 | JOURNAL_INCOMPAT.csumV3)) !== 0
      ? journalSuperblockLayout.put(jsb, { checksum: journalSuperblockChecksum(jsb) })
      : jsb;
  const home = Math.floor(SUPERBLOCK_OFFSET / image.blockSize);
  const at = SUPERBLOCK_OFFSET % image.blockSize;
  const featureIncompat =
    superblockLayout.get(image.superblock, 'featureIncompat') & ~INCOMPAT.needs_recovery;
  const sb = withSuperblockChecksum(superblockLayout.put(image.superblock, { featureIncompat }));
  return image.with(
    new Map([
      [nr, sealed],
      [home, image.block(home).splice(at, sb)],
    ]),
  );
}
