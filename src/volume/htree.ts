/**
 * The index of a large directory: which block a name's hash leads to. Read only.
 *
 *     block 0     `.` (12) · `..` (to the block's end) · zero le32, hash version, info length 8, levels, flags · entries
 *     inner node  one free record over the whole block (8) · entries
 *     entries     limit le16, count le16, block le32 · then (hash le32, block le32) …: the first has no hash
 *     tail        with metadata_csum, after `limit` entries: zero le32, checksum le32
 *
 * A leaf is a linear directory block. An entry's hash is the smallest in its block; its lowest bit says that names
 * of this very hash begin in the block before.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { crc32c, crc32cBytes } from '../bytes/crc32c.ts';

/** Hashes that belong into a leaf: `min` ≤ hash ≤ `max`. */
export interface HtreeLeaf {
  readonly lblk: number;
  readonly min: number;
  readonly max: number;
}

export interface HtreeProblem {
  readonly lblk: number;
  /** Bytes from the start of that block. */
  readonly offset: number;
  readonly kind: 'structure' | 'checksum';
  readonly problem: string;
  readonly expected?: string;
  readonly found?: string;
}

export interface Htree {
  readonly hashVersion: number;
  /** Logical blocks that are root or inner nodes. */
  readonly nodes: ReadonlySet<number>;
  readonly leaves: readonly HtreeLeaf[];
  readonly problems: readonly HtreeProblem[];
}

/** @source fs/ext4/namei.c struct dx_root */
const ROOT_ENTRIES = 32;
/** @source fs/ext4/namei.c struct dx_node */
const NODE_ENTRIES = 8;
const ENTRY = 8;
/** The hash of encrypted and casefolded names, which cannot be computed without their key. @source fs/ext4/ext4.h DX_HASH_SIPHASH */
const SIPHASH = 6;
const TAIL = 8;

/** Levels of nodes that an htree may have. @source fs/ext4/ext4.h EXT4_HTREE_LEVEL, ext4_dir_htree_level */
export const htreeLevels = (largeDir: boolean): number => (largeDir ? 3 : 2);

/**
 * @param largeDir   the volume has large_dir
 * @param block      logical block of the directory; undefined where there is none
 * @param inodeSeed  of the directory; undefined: checksums are not looked at
 * @param hasTail    nodes have room for a checksum
 * @source           fs/ext4/namei.c dx_probe, ext4_dx_csum_verify
 */
export function readHtree(
  block: (lblk: number) => Bytes | undefined,
  inodeSeed: number | undefined,
  largeDir = false,
  hasTail: boolean = inodeSeed !== undefined,
): Htree {
  const nodes = new Set<number>([0]);
  const leaves: HtreeLeaf[] = [];
  const problems: HtreeProblem[] = [];
  const seen = new Set<number>([0]);
  const root = block(0);
  const bad = (lblk: number, offset: number, problem: string, expected?: unknown, found?: unknown) => {
    const wanted = expected === undefined ? {} : { expected: String(expected) };
    const got = found === undefined ? {} : { found: String(found) };
    problems.push({ lblk, offset, kind: 'structure', problem, ...wanted, ...got });
  };
  if (root === undefined) {
    bad(0, 0, 'htree without a root block');
    return { hashVersion: 0, nodes, leaves, problems };
  }
  const hashVersion = root.u8(28);
  const levels = root.u8(30);
  if (root.u32(24) !== 0) bad(0, 24, 'reserved word of the htree root is not zero', 0, root.u32(24));
  if (hashVersion > 2 && hashVersion !== SIPHASH) bad(0, 28, 'unknown hash version', '0..2', hashVersion);
  if (root.u8(29) !== 8) bad(0, 29, 'wrong length of htree root info', 8, root.u8(29));
  const maxLevels = htreeLevels(largeDir) - 1;
  if (levels > maxLevels) bad(0, 30, 'too many htree levels', `0..${maxLevels}`, levels);
  if (root.u8(31) & 1) bad(0, 31, 'unknown htree flags', 0, root.u8(31));
  if (problems.length > 0) return { hashVersion, nodes, leaves, problems };

  const visit = (node: Bytes, lblk: number, depth: number, min: number, max: number): void => {
    const at = lblk === 0 ? ROOT_ENTRIES : NODE_ENTRIES;
    const tail = hasTail ? TAIL : 0;
    const limit = node.u16(at);
    const count = node.u16(at + 2);
    const room = Math.floor((node.length - at - tail) / ENTRY);
    if (limit !== room) return bad(lblk, at, 'wrong htree limit', room, limit);
    if (count === 0 || count > limit) return bad(lblk, at + 2, 'bad htree count', `1..${limit}`, count);
    if (inodeSeed !== undefined) {
      const stored = node.u32(at + ENTRY * limit + 4);
      const computed = htreeNodeChecksum(inodeSeed, node, at, count, limit);
      if (stored !== computed) {
        const text = (n: number) => `0x${n.toString(16).padStart(8, '0')}`;
        const [expected, found] = [text(computed), text(stored)];
        problems.push({
          lblk,
          offset: at + ENTRY * limit + 4,
          kind: 'checksum',
          problem: 'wrong htree checksum',
          expected,
          found,
        });
      }
    }
    let low = min;
    for (let i = 0; i < count; i++) {
      const entry = at + ENTRY * i;
      const child = node.u32(entry + 4);
      const next = i + 1 < count ? node.u32(entry + ENTRY) : undefined;
      const high = next === undefined ? max : next & 1 ? (next & ~1) >>> 0 : next - 2;
      if (next !== undefined && (next & ~1) >>> 0 < low) {
        bad(lblk, entry + ENTRY, 'htree hashes out of order', `${low} or more`, next);
      }
      const target = block(child);
      if (target === undefined) bad(lblk, entry + 4, 'htree leads outside the directory', undefined, child);
      else if (seen.has(child)) bad(lblk, entry + 4, 'htree leads twice to one block', undefined, child);
      else {
        seen.add(child);
        if (depth === 0) leaves.push({ lblk: child, min: low, max: high });
        else {
          nodes.add(child);
          const covers = target.u32(0) === 0 && target.u16(4) === target.length;
          if (covers) visit(target, child, depth - 1, low, high);
          else bad(child, 0, 'not an htree node');
        }
      }
      if (next !== undefined) low = (next & ~1) >>> 0;
    }
    return undefined;
  };
  visit(root, 0, levels, 0, 0xfffffffe);
  return { hashVersion, nodes, leaves, problems };
}

/** @source fs/ext4/namei.c ext4_dx_csum */
export function htreeNodeChecksum(
  seed: number,
  node: Bytes,
  at: number,
  count: number,
  limit: number,
): number {
  const tail = at + ENTRY * limit;
  let crc = crc32cBytes(seed, node, 0, at + ENTRY * count);
  crc = crc32cBytes(crc, node, tail, tail + 4);
  return crc32c(crc, new Uint8Array(4));
}
