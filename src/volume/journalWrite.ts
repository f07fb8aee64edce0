/**
 * A log in an image, as a kernel that lost power leaves it: what `journalReplay.ts` reads.
 *
 *   journal superblock │ descriptor │ copies │ revoke │ commit │ descriptor │ … │ commit
 *
 * The features are those that a mount sets: revokes, 64-bit tags on a 64bit volume, v3 checksums with metadata_csum. Commit
 * blocks carry no time.
 */
import { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes } from '../bytes/crc32c.ts';
import type { Image } from './image.ts';
import {
  BLOCKTYPE,
  COMMIT,
  HEADER_SIZE,
  JOURNAL_INCOMPAT,
  REVOKE_HEADER_SIZE,
  TAG_FLAG,
  TAIL_SIZE,
  UUID_SIZE,
} from './journalReplay.ts';
import { JOURNAL_MAGIC, journalSuperblockChecksum, journalSuperblockLayout } from './journalSuper.ts';
import {
  INCOMPAT,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockLayout,
  withSuperblockChecksum,
} from './superblock.ts';

/** One committed transaction: copies of home blocks, and blocks that it revokes. */
export interface LogEntry {
  readonly blocks: readonly (readonly [home: number, data: Bytes])[];
  readonly revoked?: readonly number[];
}

/** s_checksum_type of crc32c. @source include/linux/jbd2.h JBD2_CRC32C_CHKSUM */
const CRC32C = 4;

/**
 * The image with these transactions in its log, waiting to be replayed; without any, the image as it is.
 * @throws RangeError when the log is too small for them
 * @source fs/jbd2/commit.c jbd2_journal_commit_transaction; fs/jbd2/revoke.c write_one_revoke_record
 */
export function withLog(image: Image, log: readonly LogEntry[]): Image {
  return log.length === 0 ? image : new LogWriter(image).write(log);
}

class LogWriter {
  readonly #image: Image;
  readonly #blockSize: number;
  readonly #is64: boolean;
  readonly #sums: boolean;
  readonly #jsb: Bytes;
  readonly #uuid: Bytes;
  readonly #seed: number;
  readonly #changes = new Map<number, Bytes>();
  readonly #first: number;
  readonly #end: number;
  #at: number;
  #sequence: number;

  constructor(image: Image) {
    this.#image = image;
    this.#blockSize = image.geometry.blockSize;
    this.#is64 = (image.geometry.features.incompat & INCOMPAT['64bit']) !== 0;
    this.#sums = image.geometry.metadataCsum;
    this.#jsb = image.journalBlock(0);
    const { uuid, first, maxlen, sequence } = journalSuperblockLayout.decode(this.#jsb);
    this.#uuid = uuid;
    this.#seed = crc32cBytes(0xffffffff, uuid);
    this.#first = this.#at = first;
    this.#end = maxlen;
    this.#sequence = sequence;
  }

  write(log: readonly LogEntry[]): Image {
    const start = this.#sequence;
    for (const entry of log) {
      this.#copies(entry.blocks);
      this.#revokes(entry.revoked ?? []);
      this.#commit();
      this.#sequence = (this.#sequence + 1) >>> 0;
    }
    const incompat =
      1 | (this.#is64 ? JOURNAL_INCOMPAT['64bit'] : 0) | (this.#sums ? JOURNAL_INCOMPAT.csumV3 : 0);
    const jsb = journalSuperblockLayout.put(this.#jsb, {
      start: this.#first,
      sequence: start,
      featureIncompat: incompat,
      checksumType: this.#sums ? CRC32C : 0,
    });
    const sealed = this.#sums
      ? journalSuperblockLayout.put(jsb, { checksum: journalSuperblockChecksum(jsb) })
      : jsb;
    this.#changes.set(this.#image.journalBlockNr(0), sealed);
    const home = Math.floor(SUPERBLOCK_OFFSET / this.#blockSize);
    this.#changes.set(home, this.#marked(this.#image.block(home)));
    return this.#image.with(this.#changes);
  }

  /** The block of the superblock with `needs_recovery`, as it stands on the medium and in the log while mounted. */
  #marked(block: Bytes): Bytes {
    const at = SUPERBLOCK_OFFSET % this.#blockSize;
    const sb = block.slice(at, at + SUPERBLOCK_SIZE);
    const featureIncompat = superblockLayout.get(sb, 'featureIncompat') | INCOMPAT.needs_recovery;
    return block.splice(at, withSuperblockChecksum(superblockLayout.put(sb, { featureIncompat })));
  }

  #append(block: Bytes): void {
    if (this.#at >= this.#end) throw new RangeError(`the log of ${this.#end - this.#first} blocks is full`);
    this.#changes.set(this.#image.journalBlockNr(this.#at++), block);
  }

  #header(type: number): Bytes {
    return words(Bytes.zero(this.#blockSize), 0, [JOURNAL_MAGIC, type, this.#sequence]);
  }

  #copies(blocks: LogEntry['blocks']): void {
    const home = Math.floor(SUPERBLOCK_OFFSET / this.#blockSize);
    const tagSize = this.#sums ? 16 : this.#is64 ? 12 : 8;
    const room = this.#blockSize - (this.#sums ? TAIL_SIZE : 0) - HEADER_SIZE - UUID_SIZE;
    const perBlock = Math.floor(room / tagSize);
    for (let from = 0; from < blocks.length; from += perBlock) {
      const part = blocks.slice(from, from + perBlock);
      let descriptor = this.#header(BLOCKTYPE.descriptor);
      let at = HEADER_SIZE;
      const copies: Bytes[] = [];
      for (const [i, [nr, bytes]] of part.entries()) {
        const plain = nr === home ? this.#marked(bytes) : bytes;
        const escaped = plain.u32be(0) === JOURNAL_MAGIC;
        const data = escaped ? plain.putU32(0, 0) : plain;
        const flags =
          (escaped ? TAG_FLAG.escape : 0) |
          (i === 0 ? 0 : TAG_FLAG.sameUuid) |
          (i === part.length - 1 ? TAG_FLAG.last : 0);
        const high = Math.floor(nr / 2 ** 32);
        const low = nr >>> 0;
        const tag = this.#sums
          ? [low, flags, high, this.#blockSum(data)]
          : [low, flags, ...(this.#is64 ? [high] : [])];
        descriptor = words(descriptor, at, tag);
        at += tagSize;
        if (i === 0) {
          descriptor = descriptor.splice(at, this.#uuid);
          at += UUID_SIZE;
        }
        copies.push(data);
      }
      this.#append(this.#sealed(descriptor));
      for (const copy of copies) this.#append(copy);
    }
  }

  #revokes(revoked: readonly number[]): void {
    const width = this.#is64 ? 8 : 4;
    const perBlock = Math.floor((this.#blockSize - TAIL_SIZE - REVOKE_HEADER_SIZE) / width);
    for (let from = 0; from < revoked.length; from += perBlock) {
      const part = revoked.slice(from, from + perBlock);
      const used = REVOKE_HEADER_SIZE + part.length * width;
      const numbers = part.flatMap((nr) => [...(this.#is64 ? [Math.floor(nr / 2 ** 32)] : []), nr >>> 0]);
      this.#append(this.#sealed(words(this.#header(BLOCKTYPE.revoke), HEADER_SIZE, [used, ...numbers])));
    }
  }

  #commit(): void {
    const block = this.#header(BLOCKTYPE.commit);
    this.#append(this.#sums ? words(block, COMMIT.checksum, [crc32cBytes(this.#seed, block)]) : block);
  }

  /** @source fs/jbd2/commit.c jbd2_block_tag_csum_set */
  #blockSum(data: Bytes): number {
    const sequence = words(Bytes.zero(4), 0, [this.#sequence]);
    return crc32cBytes(crc32cBytes(this.#seed, sequence), data);
  }

  /** @source fs/jbd2/commit.c jbd2_descriptor_block_csum_set */
  #sealed(block: Bytes): Bytes {
    if (!this.#sums) return block;
    return words(block, this.#blockSize - TAIL_SIZE, [crc32cBytes(this.#seed, block)]);
  }
}

/** Puts big-endian words into a block. */
function words(block: Bytes, at: number, values: readonly number[]): Bytes {
  const bytes = values.flatMap((value) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff));
  return block.splice(at, Bytes.adopt(Uint8Array.from(bytes)));
}
