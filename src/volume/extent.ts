/**
 * Extent trees: from a file's logical blocks to the volume's physical ones.
 *
 *     i_block, 60 bytes: header (12) + 4 entries (12 each)        a tree block: header + entries + 4-byte checksum
 *     header   magic 0xF30A · entries · max · depth · generation
 *     leaf     first logical block · length (> 32768: unwritten, length − 32768) · physical hi16 · lo32
 *     index    first logical block · child block lo32 · hi16 · unused
 *
 * Invariants of a good tree: entries sorted by logical block, disjoint, of length ≥ 1, inside the volume; every
 * child one level shallower; the first entry of a child starts where its parent's entry says.
 *
 * Changing functions work on the 60-byte root of depth 0 only, move entries as the kernel moves them (stale
 * bytes past the last entry included) and return 'full' where the kernel would grow a level: index blocks are
 * read here, never made. Reading follows any depth the kernel allows, through a callback, with a bound on blocks
 * read so that a lying or cyclic tree ends.
 *
 * Not modelled: zeroing out short unwritten extents instead of splitting them (needs the data), bigalloc.
 */
import { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes } from '../bytes/crc32c.ts';
import { layout, u16, u32 } from '../bytes/layout.ts';
import { err, isErr, type Result } from '../errno.ts';

/** @source fs/ext4/ext4_extents.h struct ext4_extent_header */
export const extentHeaderLayout = layout('ext4_extent_header', 12, {
  magic: u16(0x00, '0xF30A'),
  entries: u16(0x02),
  max: u16(0x04),
  depth: u16(0x06, '0 is a leaf'),
  generation: u32(0x08),
});

/** @source fs/ext4/ext4_extents.h struct ext4_extent */
export const extentLayout = layout('ext4_extent', 12, {
  block: u32(0x00, 'first logical block'),
  len: u16(0x04, 'above 32768 the extent is unwritten'),
  startHi: u16(0x06),
  startLo: u32(0x08),
});

/** @source fs/ext4/ext4_extents.h struct ext4_extent_idx */
export const extentIndexLayout = layout('ext4_extent_idx', 12, {
  block: u32(0x00, 'first logical block below'),
  leafLo: u32(0x04),
  leafHi: u16(0x08),
  unused: u16(0x0a),
});

export const EXTENT_MAGIC = 0xf30a;
/** Bytes of i_block, which holds the root. */
export const IBLOCK_SIZE = 60;
/** Entries a root holds. */
export const ROOT_MAX = 4;
/** @source fs/ext4/ext4_extents.h EXT4_MAX_EXTENT_DEPTH */
export const MAX_EXTENT_DEPTH = 5;
/** Blocks of the longest written, and of the longest unwritten extent. @source fs/ext4/ext4_extents.h EXT_INIT_MAX_LEN */
export const WRITTEN_MAX_LEN = 32768;
export const UNWRITTEN_MAX_LEN = 32767;
/** One past the largest logical block. @source fs/ext4/ext4_extents.h EXT_MAX_BLOCKS */
export const MAX_LBLK = 0xffffffff;

/** Blocks: `lblk` logical, `pblk` physical, `length` a count. */
export interface Extent {
  readonly lblk: number;
  readonly pblk: number;
  readonly length: number;
  readonly unwritten: boolean;
}

/** What a logical block maps to. `length` counts blocks from the asked one on for which the answer holds. */
export type Mapping =
  | { readonly kind: 'mapped'; readonly pblk: number; readonly length: number; readonly unwritten: boolean }
  | { readonly kind: 'hole'; readonly length: number };

export type ReadBlock = (nr: number) => Bytes;

/** Bounds of a volume, to validate against; without them any block number passes. */
export interface TreeLimits {
  readonly firstDataBlock: number;
  readonly blocksCount: number;
  /** Checksum seed of the inode: verify tree blocks. Undefined: do not. */
  readonly inodeSeed?: number | undefined;
  /** Asked before a tree block is entered; false keeps a checker from reading one tree for many inodes. */
  readonly mayEnter?: ((block: number) => boolean) | undefined;
}

/** What is wrong with a tree, and where. */
export interface TreeProblem {
  /** Block number of the tree block; 0 for the root in the inode. */
  readonly block: number;
  /** Bytes from the start of that block, or of i_block. */
  readonly offset: number;
  readonly problem: string;
  readonly expected?: string;
  readonly found?: string;
}

/** A tree read whole. */
export interface TreeWalk {
  /** In logical order. */
  readonly extents: readonly Extent[];
  /** Block numbers of index and leaf blocks, parents first. */
  readonly treeBlocks: readonly number[];
  /** The walk does not enter a node that has a problem. */
  readonly problems: readonly TreeProblem[];
}

/** Tree blocks read before a walk gives up: no file needs more than its volume has room for. */
const MAX_TREE_BLOCKS = 65536;

/** An empty tree. @source fs/ext4/extents.c ext4_ext_tree_init */
export function emptyRoot(): Bytes {
  return EMPTY_ROOT;
}

/**
 * @param lblk       logical block
 * @param readBlock  how to read tree blocks; needed when the root's depth is not 0
 * @param limits     when given, tree blocks are validated against them
 * @returns          the mapping; EUCLEAN for a broken tree, EBADMSG for a wrong tree block checksum
 * @source           fs/ext4/extents.c ext4_find_extent, ext4_ext_map_blocks, ext4_ext_determine_insert_hole
 */
export function lookup(
  root: Bytes,
  lblk: number,
  readBlock?: ReadBlock,
  limits?: TreeLimits,
): Result<Mapping> {
  let node = root;
  let from: number | undefined;
  let nextAbove = MAX_LBLK;
  const rootDepth = extentHeaderLayout.get(root, 'depth');
  for (let depth = rootDepth; ; depth--) {
    const problem = nodeProblem(node, depth, rootDepth, from, limits);
    if (problem !== undefined) return err(problem.problem === BAD_CHECKSUM ? 'EBADMSG' : 'EUCLEAN');
    const count = extentHeaderLayout.get(node, 'entries');
    const at = nearest(node, lblk);
    if (at + 1 < count) nextAbove = Math.min(nextAbove, node.u32(entryAt(at + 1)));
    if (depth === 0) {
      if (at < 0) return { kind: 'hole', length: nextAbove - lblk };
      const extent = extentAt(node, at);
      if (lblk < extent.lblk) return { kind: 'hole', length: extent.lblk - lblk };
      const past = lblk - extent.lblk;
      if (past >= extent.length) return { kind: 'hole', length: nextAbove - lblk };
      return {
        kind: 'mapped',
        pblk: extent.pblk + past,
        length: extent.length - past,
        unwritten: extent.unwritten,
      };
    }
    if (lblk < node.u32(entryAt(at))) return { kind: 'hole', length: node.u32(entryAt(at)) - lblk };
    if (readBlock === undefined) throw new RangeError('an extent tree of depth > 0 needs readBlock');
    from = node.u32(entryAt(at));
    const child = childOf(node, at);
    if (limits !== undefined && !blockValid(limits, child, 1)) return err('EUCLEAN');
    node = readBlock(child);
  }
}

/** The extents of a tree in logical order; EUCLEAN or EBADMSG when any part of it is broken. */
export function entries(root: Bytes, readBlock?: ReadBlock, limits?: TreeLimits): Result<readonly Extent[]> {
  const walk = walkTree(root, readBlock, limits);
  const first = walk.problems[0];
  if (first === undefined) return walk.extents;
  return err(first.problem === BAD_CHECKSUM ? 'EBADMSG' : 'EUCLEAN');
}

/**
 * Reads a whole tree and reports every problem, as the kernel's checks would name them.
 * @source fs/ext4/extents.c __ext4_ext_check, ext4_valid_extent, ext4_valid_extent_entries
 */
export function walkTree(root: Bytes, readBlock?: ReadBlock, limits?: TreeLimits): TreeWalk {
  const extents: Extent[] = [];
  const treeBlocks: number[] = [];
  const problems: TreeProblem[] = [];
  const seen = new Set<number>();
  const rootDepth = extentHeaderLayout.get(root, 'depth');
  let nextLblk = 0;
  const visit = (node: Bytes, block: number, depth: number, from: number | undefined): void => {
    const found = nodeProblem(node, depth, rootDepth, from, limits);
    if (found !== undefined) problems.push({ ...found, block });
    if (found !== undefined && found.problem !== BAD_CHECKSUM) return;
    const count = extentHeaderLayout.get(node, 'entries');
    for (let i = 0; i < count; i++) {
      const offset = entryAt(i);
      if (depth === 0) {
        const extent = extentAt(node, i);
        if (extent.lblk < nextLblk) {
          problems.push({
            block,
            offset,
            problem: 'extent overlaps one before it',
            expected: `logical block ${nextLblk} or later`,
            found: String(extent.lblk),
          });
        }
        nextLblk = extent.lblk + extent.length;
        extents.push(extent);
        continue;
      }
      const child = childOf(node, i);
      if (seen.has(child)) {
        problems.push({ block, offset, problem: 'tree block is used twice', found: String(child) });
        continue;
      }
      seen.add(child);
      if (limits?.mayEnter?.(child) === false) {
        problems.push({
          block,
          offset,
          problem: 'tree block belongs to something else',
          found: String(child),
        });
        continue;
      }
      if (readBlock === undefined) throw new RangeError('an extent tree of depth > 0 needs readBlock');
      if (treeBlocks.length >= MAX_TREE_BLOCKS) {
        problems.push({ block, offset, problem: `more than ${MAX_TREE_BLOCKS} tree blocks` });
        return;
      }
      treeBlocks.push(child);
      visit(readBlock(child), child, depth - 1, node.u32(offset));
    }
  };
  visit(root, 0, rootDepth, undefined);
  return { extents, treeBlocks, problems };
}

/**
 * Maps `[lblk, lblk + length)` to `[pblk, …)`, merging with neighbours where the kernel does.
 * @param root  of depth 0
 * @returns     the new root; 'full' when it has no entry left, or is deeper than 0
 * @throws      RangeError when some of the range is mapped already
 * @source      fs/ext4/extents.c ext4_ext_insert_extent, ext4_ext_try_to_merge
 */
export function insert(
  root: Bytes,
  lblk: number,
  pblk: number,
  length: number,
  unwritten: boolean,
): Bytes | 'full' {
  const max = unwritten ? UNWRITTEN_MAX_LEN : WRITTEN_MAX_LEN;
  if (!(length >= 1 && length <= max)) throw new RangeError(`an extent has 1..${max} blocks, not ${length}`);
  for (const e of leafExtents(root) ?? []) {
    if (lblk < e.lblk + e.length && e.lblk < lblk + length) {
      throw new RangeError(`logical block ${Math.max(lblk, e.lblk)} is mapped already`);
    }
  }
  return onLeaf(root, (leaf) => leaf.insert({ lblk, pblk, length, unwritten }, true));
}

/**
 * Unmaps everything from `lblk` on, as truncate does.
 * @returns  the new root and the freed runs of physical blocks, last extent first
 * @throws   RangeError when the root is deeper than 0
 * @source   fs/ext4/extents.c ext4_ext_remove_space, ext4_ext_rm_leaf
 */
export function removeFrom(
  root: Bytes,
  lblk: number,
): { root: Bytes; freed: readonly (readonly [number, number])[] } {
  const removed = removeRange(root, lblk, MAX_LBLK);
  if (removed === 'full') throw new RangeError('an extent tree of depth > 0 cannot be changed');
  return removed;
}

/**
 * Unmaps `[from, to)`, as punching a hole does.
 * @returns  the new root and the freed runs, last first; 'full' when a split needs an entry that is not there
 * @source   fs/ext4/extents.c ext4_ext_remove_space, ext4_force_split_extent_at
 */
export function removeRange(
  root: Bytes,
  from: number,
  to: number,
): { root: Bytes; freed: readonly (readonly [number, number])[] } | 'full' {
  const freed: (readonly [number, number])[] = [];
  const next = onLeaf(root, (leaf) => {
    const last = to - 1;
    const truncate = to >= MAX_LBLK;
    if (!truncate) {
      const at = leaf.nearest(last);
      const e = at < 0 ? undefined : leaf.get(at);
      if (e !== undefined && last >= e.lblk && last < e.lblk + e.length - 1 && !leaf.splitAt(at, to))
        return false;
    }
    for (let at = leaf.count - 1; at >= 0; at--) {
      const e = leaf.get(at);
      if (e.lblk + e.length <= from) break;
      if (e.lblk > last) continue;
      const keep = Math.max(0, from - e.lblk);
      freed.push([e.pblk + keep, e.length - keep]);
      if (keep > 0) leaf.put(at, { ...e, length: keep });
      else leaf.drop(at, truncate);
    }
    if (leaf.count === 0) leaf.reset();
    return true;
  });
  return next === 'full' ? 'full' : { root: next, freed };
}

/**
 * Turns the unwritten blocks of `[lblk, lblk + length)` into written ones, splitting and merging as the end of
 * writeback does. Holes and written blocks in the range stay as they are.
 * @returns  the new root; 'full' when a split needs an entry that is not there
 * @source   fs/ext4/extents.c ext4_convert_unwritten_extents_endio, ext4_split_extent
 */
export function markWritten(root: Bytes, lblk: number, length: number): Bytes | 'full' {
  const end = lblk + length;
  return onLeaf(root, (leaf) => {
    for (let at = lblk; at < end; ) {
      const i = leaf.nearest(at);
      const e = i < 0 ? undefined : leaf.get(i);
      if (e === undefined || at >= e.lblk + e.length || at < e.lblk) {
        at = leaf.firstAfter(at) ?? end;
        continue;
      }
      const stop = Math.min(end, e.lblk + e.length);
      if (e.unwritten) {
        if (stop < e.lblk + e.length && !leaf.splitAt(i, stop)) return false;
        if (at > e.lblk && !leaf.splitAt(i, at)) return false;
        const mine = leaf.nearest(at);
        leaf.put(mine, { ...leaf.get(mine), unwritten: false });
        leaf.merge(mine);
      }
      at = stop;
    }
    return true;
  });
}

/**
 * The checksum of a tree block, which lies after its `max` entries; the root in the inode has none.
 * @source fs/ext4/extents.c ext4_extent_block_csum
 */
export function treeBlockChecksum(inodeSeed: number, block: Bytes): number {
  return crc32cBytes(inodeSeed, block, 0, treeBlockTail(block));
}

/** Is the root sound, as far as it can be seen without its children? @source fs/ext4/extents.c ext4_ext_check_inode */
export function isRootSound(root: Bytes, limits: TreeLimits): boolean {
  const depth = extentHeaderLayout.get(root, 'depth');
  return nodeProblem(root, depth, depth, undefined, limits) === undefined;
}

const HEADER = extentHeaderLayout.size;
const ENTRY = extentLayout.size;
/** The problem that is EBADMSG; all others are EUCLEAN. */
export const BAD_CHECKSUM = 'wrong checksum';

const EMPTY_ROOT: Bytes = extentHeaderLayout.put(Bytes.zero(IBLOCK_SIZE), {
  magic: EXTENT_MAGIC,
  max: ROOT_MAX,
});

const entryAt = (index: number): number => HEADER + index * ENTRY;
const treeBlockTail = (block: Bytes): number => HEADER + ENTRY * extentHeaderLayout.get(block, 'max');

function extentAt(node: Bytes, index: number): Extent {
  const at = entryAt(index);
  const len = extentLayout.get(node, 'len', at);
  const unwritten = len > WRITTEN_MAX_LEN;
  return {
    lblk: extentLayout.get(node, 'block', at),
    pblk: extentLayout.get(node, 'startLo', at) + extentLayout.get(node, 'startHi', at) * 2 ** 32,
    length: unwritten ? len - WRITTEN_MAX_LEN : len,
    unwritten,
  };
}

function childOf(node: Bytes, index: number): number {
  const at = entryAt(index);
  return extentIndexLayout.get(node, 'leafLo', at) + extentIndexLayout.get(node, 'leafHi', at) * 2 ** 32;
}

/** Last entry that starts at or before `lblk`; the first when all start later; -1 in an empty node. */
function nearest(node: Bytes, lblk: number): number {
  const count = extentHeaderLayout.get(node, 'entries');
  let at = count === 0 ? -1 : 0;
  for (let i = 1; i < count && node.u32(entryAt(i)) <= lblk; i++) at = i;
  return at;
}

/** @source fs/ext4/block_validity.c ext4_sb_block_valid (without the system zones, which `check` knows) */
function blockValid(limits: TreeLimits, block: number, count: number): boolean {
  return block > limits.firstDataBlock && block + count <= limits.blocksCount;
}

/** @source fs/ext4/extents.c __ext4_ext_check */
function nodeProblem(
  node: Bytes,
  depth: number,
  rootDepth: number,
  from: number | undefined,
  limits: TreeLimits | undefined,
): Omit<TreeProblem, 'block'> | undefined {
  const header = extentHeaderLayout.decode(node);
  const field = (name: keyof typeof extentHeaderLayout.fields, problem: string, expected: string) => ({
    offset: extentHeaderLayout.fields[name].at,
    problem,
    expected,
    found: String(header[name]),
  });
  if (header.magic !== EXTENT_MAGIC) {
    return {
      offset: 0,
      problem: 'invalid magic',
      expected: '0xf30a',
      found: `0x${header.magic.toString(16)}`,
    };
  }
  if (depth > MAX_EXTENT_DEPTH) return field('depth', 'too large eh_depth', `0..${MAX_EXTENT_DEPTH}`);
  if (header.depth !== depth) return field('depth', 'unexpected eh_depth', String(depth));
  const room = depth === rootDepth ? ROOT_MAX : Math.floor((node.length - HEADER) / ENTRY);
  if (header.max === 0 || header.max > room) return field('max', 'invalid eh_max', `1..${room}`);
  if (header.entries > header.max) return field('entries', 'invalid eh_entries', `0..${header.max}`);
  if (header.entries === 0 && depth > 0)
    return field('entries', 'eh_entries is 0 but eh_depth is > 0', '1 or more');
  if (from !== undefined && header.entries > 0 && node.u32(HEADER) !== from) {
    return {
      offset: HEADER,
      problem: 'first entry differs from the index above',
      expected: String(from),
      found: String(node.u32(HEADER)),
    };
  }
  let next = 0;
  for (let i = 0; i < header.entries; i++) {
    const offset = entryAt(i);
    const lblk = node.u32(offset);
    const e = depth === 0 ? extentAt(node, i) : { lblk, pblk: childOf(node, i), length: 1 };
    if (lblk < next) {
      return {
        offset,
        problem: 'extents overlap',
        expected: `logical block ${next} or later`,
        found: String(lblk),
      };
    }
    if (e.length === 0 || (depth === 0 && lblk + e.length > MAX_LBLK)) {
      return { offset, problem: 'invalid extent length', found: `${e.length} at logical block ${lblk}` };
    }
    if (limits !== undefined && !blockValid(limits, e.pblk, e.length)) {
      return {
        offset,
        problem: 'extent outside the volume',
        expected: `blocks ${limits.firstDataBlock + 1}..${limits.blocksCount - 1}`,
        found: `${e.pblk}..${e.pblk + e.length - 1}`,
      };
    }
    next = lblk + e.length;
  }
  if (depth !== rootDepth && limits?.inodeSeed !== undefined) {
    const tail = treeBlockTail(node);
    const computed = treeBlockChecksum(limits.inodeSeed, node);
    if (node.u32(tail) !== computed) {
      const hex = (n: number) => `0x${n.toString(16).padStart(8, '0')}`;
      return { offset: tail, problem: BAD_CHECKSUM, expected: hex(computed), found: hex(node.u32(tail)) };
    }
  }
  return undefined;
}

function leafExtents(root: Bytes): Extent[] | undefined {
  if (isErr(rootLeaf(root))) return undefined;
  return Array.from({ length: extentHeaderLayout.get(root, 'entries') }, (_, i) => extentAt(root, i));
}

/** The root, when it may be changed: sound and of depth 0. */
function rootLeaf(root: Bytes): Result<Bytes> {
  if (extentHeaderLayout.get(root, 'depth') !== 0) return err('EOPNOTSUPP');
  return nodeProblem(root, 0, 0, undefined, undefined) === undefined ? root : err('EUCLEAN');
}

/** Runs `change` on a scratch leaf; 'full' when it returns false or the root is deeper. @throws RangeError for a broken root */
function onLeaf(root: Bytes, change: (leaf: Leaf) => boolean): Bytes | 'full' {
  const ok = rootLeaf(root);
  if (isErr(ok)) {
    if (ok.errno === 'EOPNOTSUPP') return 'full';
    throw new RangeError(`not an extent root: ${root.toHex()}`);
  }
  let done = false;
  const next = root.edit((scratch) => {
    done = change(new Leaf(scratch));
  });
  return done ? next : 'full';
}

/** A leaf being changed in place, entry by entry, as the kernel moves memory. */
export class Leaf {
  readonly #u8: Uint8Array;
  readonly #view: DataView;

  constructor(u8: Uint8Array) {
    this.#u8 = u8;
    this.#view = new DataView(u8.buffer, u8.byteOffset, u8.byteLength);
  }

  get count(): number {
    return this.#view.getUint16(2, true);
  }

  #setCount(count: number): void {
    this.#view.setUint16(2, count, true);
  }

  get #max(): number {
    return this.#view.getUint16(4, true);
  }

  get(index: number): Extent {
    const at = entryAt(index);
    const len = this.#view.getUint16(at + 4, true);
    const unwritten = len > WRITTEN_MAX_LEN;
    return {
      lblk: this.#view.getUint32(at, true),
      pblk: this.#view.getUint32(at + 8, true) + this.#view.getUint16(at + 6, true) * 2 ** 32,
      length: unwritten ? len - WRITTEN_MAX_LEN : len,
      unwritten,
    };
  }

  put(index: number, e: Extent): void {
    const at = entryAt(index);
    this.#view.setUint32(at, e.lblk, true);
    this.#view.setUint16(at + 4, e.unwritten ? e.length + WRITTEN_MAX_LEN : e.length, true);
    this.#view.setUint16(at + 6, Math.floor(e.pblk / 2 ** 32), true);
    this.#view.setUint32(at + 8, e.pblk, true);
  }

  /** Last extent that starts at or before `lblk`; the first when all start later; -1 when empty. */
  nearest(lblk: number): number {
    let at = this.count === 0 ? -1 : 0;
    for (let i = 1; i < this.count && this.get(i).lblk <= lblk; i++) at = i;
    return at;
  }

  /** Start of the first extent that starts after `lblk`. */
  firstAfter(lblk: number): number | undefined {
    for (let i = 0; i < this.count; i++) if (this.get(i).lblk > lblk) return this.get(i).lblk;
    return undefined;
  }

  /** @returns false when there is no entry left. @source fs/ext4/extents.c ext4_ext_insert_extent */
  insert(e: Extent, mayMerge: boolean): boolean {
    let near = this.nearest(e.lblk);
    if (mayMerge && near >= 0) {
      let at = near;
      let mayAppend = true;
      const found = this.get(at);
      if (at < this.count - 1 && found.lblk + found.length < e.lblk) {
        at++;
        mayAppend = false;
      } else if (at > 0 && e.lblk + e.length < found.lblk) at--;
      const neighbour = this.get(at);
      if (mayAppend && mergeable(neighbour, e)) {
        this.put(at, { ...neighbour, length: neighbour.length + e.length });
        this.merge(at);
        return true;
      }
      if (mergeable(e, neighbour)) {
        this.put(at, { ...e, length: e.length + neighbour.length });
        this.merge(at);
        return true;
      }
    }
    if (this.count >= this.#max) return false;
    if (near < 0) near = 0;
    else if (e.lblk > this.get(near).lblk) near++;
    this.#u8.copyWithin(entryAt(near + 1), entryAt(near), entryAt(this.count));
    this.#setCount(this.count + 1);
    this.put(near, e);
    if (mayMerge) this.merge(near);
    return true;
  }

  /** Cuts extent `index` in two at logical block `lblk`. @source fs/ext4/extents.c ext4_split_extent_at */
  splitAt(index: number, lblk: number): boolean {
    if (this.count >= this.#max) return false;
    const e = this.get(index);
    const head = lblk - e.lblk;
    this.put(index, { ...e, length: head });
    return this.insert({ ...e, lblk, pblk: e.pblk + head, length: e.length - head }, false);
  }

  /** @source fs/ext4/extents.c ext4_ext_try_to_merge */
  merge(index: number): void {
    const left = index > 0 && this.mergeRight(index - 1);
    if (!left) this.mergeRight(index);
  }

  mergeRight(index: number): boolean {
    let done = false;
    while (index < this.count - 1) {
      const e = this.get(index);
      const next = this.get(index + 1);
      if (!mergeable(e, next)) break;
      this.put(index, { ...e, length: e.length + next.length });
      this.#u8.copyWithin(entryAt(index + 1), entryAt(index + 2), entryAt(this.count));
      this.#setCount(this.count - 1);
      done = true;
    }
    return done;
  }

  /** Takes extent `index` out; truncate leaves its slot, a punch closes it. @source fs/ext4/extents.c ext4_ext_rm_leaf */
  drop(index: number, truncate: boolean): void {
    this.put(index, { ...this.get(index), pblk: 0, length: 0, unwritten: false });
    if (!truncate) {
      this.#u8.copyWithin(entryAt(index), entryAt(index + 1), entryAt(this.count));
      this.#u8.fill(0, entryAt(this.count - 1), entryAt(this.count));
    }
    this.#setCount(this.count - 1);
  }

  /** An emptied tree has depth 0 and a root's capacity again. @source fs/ext4/extents.c ext4_ext_remove_space */
  reset(): void {
    this.#view.setUint16(4, ROOT_MAX, true);
    this.#view.setUint16(6, 0, true);
  }
}

/** @source fs/ext4/extents.c ext4_can_extents_be_merged */
function mergeable(a: Extent, b: Extent): boolean {
  return (
    a.unwritten === b.unwritten &&
    a.lblk + a.length === b.lblk &&
    a.pblk + a.length === b.pblk &&
    a.length + b.length <= (a.unwritten ? UNWRITTEN_MAX_LEN : WRITTEN_MAX_LEN)
  );
}
