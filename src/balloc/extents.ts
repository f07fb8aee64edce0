/**
 * Extent trees that grow and shrink: what ext4_map_blocks, truncate and fallocate do to a file's tree.
 *
 *     root, in the inode: 4 entries      depth 0: extents    depth 1: a leaf block, 84 (1k) or 340 (4k) extents, …
 *
 * An `ExtentTree` is made for one step, changes nodes in memory and writes those it changed with `flush`: the root
 * into the inode, tree blocks into the bdev cache, journalled, with their checksum. Reading a tree without changing
 * it is the business of `volume/extent.ts`, whose `Leaf` moves the entries of one node as the kernel moves memory.
 *
 * All of it runs inside a step, under i_data_sem exclusive, with a handle.
 */
import { Bytes } from '../bytes/bytes.ts';
import { rawInode, readBuffer, setBuffer } from '../device/buffer.ts';
import { dirtyMetadata, getWriteAccess } from '../device/journal.ts';
import { writeMedium } from '../device/medium.ts';
import { err, isErr, type Result } from '../errno.ts';
import { inodeSeed } from '../inode/checksum.ts';
import { inodeLayout } from '../inode/layout.ts';
import { iData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import {
  type Extent,
  extentHeaderLayout,
  IBLOCK_SIZE,
  Leaf,
  MAX_LBLK,
  ROOT_MAX,
  treeBlockChecksum,
  WRITTEN_MAX_LEN,
} from '../volume/extent.ts';
import { freeBlocks, inodeToGoalBlock, newBlocks } from './mballoc.ts';

const HEADER = 12;
const ENTRY = 12;
/** s_extent_max_zeroout_kb. @source fs/ext4/ext4.h EXT4_EXTENT_ZERO_LEN */
const MAX_ZEROOUT_KIB = 32;

/** How a split marks its halves, and what it may do without room for an entry. @source fs/ext4/extents.c EXT4_EXT_… */
interface SplitFlags {
  readonly mayZeroout?: boolean;
  readonly unwritten1?: boolean;
  readonly unwritten2?: boolean;
  /** The first half holds valid data, all of it or part of it; or the second does. */
  readonly valid?: 'entire1' | 'partial1' | '2' | undefined;
}

/** What a mapping call wants beyond the blocks. @source fs/ext4/ext4.h EXT4_GET_BLOCKS_… */
export interface TreeFlags {
  /** PRE_IO: neither merge nor convert, the end of the I/O will. */
  readonly preIo?: boolean;
  /** METADATA_NOFAIL: tree blocks may come out of the reserve. */
  readonly nofail?: boolean;
  /** DELALLOC_RESERVE: nothing is claimed again. */
  readonly reserved?: boolean;
}

/** A node of the tree while it is changed. Block 0 is the root in the inode. */
interface Node {
  readonly block: number;
  readonly u8: Uint8Array;
  readonly view: DataView;
  dirty: boolean;
}

/** A node on the way to a leaf, and the entry taken in it; -1 in an empty leaf. */
interface Level {
  readonly node: Node;
  at: number;
}

const entriesOf = (node: Node): number => node.view.getUint16(2, true);
const maxOf = (node: Node): number => node.view.getUint16(4, true);
const entryAt = (index: number): number => HEADER + ENTRY * index;
const keyAt = (node: Node, index: number): number => node.view.getUint32(entryAt(index), true);
const childAt = (node: Node, index: number): number =>
  node.view.getUint32(entryAt(index) + 4, true) + node.view.getUint16(entryAt(index) + 8, true) * 2 ** 32;

function setEntries(node: Node, count: number): void {
  node.view.setUint16(2, count, true);
  node.dirty = true;
}

function setKey(node: Node, index: number, lblk: number): void {
  node.view.setUint32(entryAt(index), lblk, true);
  node.dirty = true;
}

function setChild(node: Node, index: number, block: number): void {
  node.view.setUint32(entryAt(index) + 4, block, true);
  node.view.setUint16(entryAt(index) + 8, Math.floor(block / 2 ** 32), true);
  node.dirty = true;
}

/** Last index entry that starts at or before `lblk`; the first when all start later. */
function indexFor(node: Node, lblk: number): number {
  let at = 0;
  for (let i = 1; i < entriesOf(node) && keyAt(node, i) <= lblk; i++) at = i;
  return at;
}

export class ExtentTree {
  readonly #k: Kernel;
  readonly #ino: number;
  readonly #nodes = new Map<number, Node>();
  readonly #root: Node;

  constructor(k: Kernel, ino: number) {
    this.#k = k;
    this.#ino = ino;
    this.#root = this.#keep(0, iData(k, ino).toUint8Array().slice(0, IBLOCK_SIZE));
  }

  /** Writes what was changed. */
  flush(): void {
    const { raw, csumSeed } = this.#seedParts();
    for (const node of this.#nodes.values()) {
      if (!node.dirty) continue;
      node.dirty = false;
      if (node.block === 0) {
        this.#k.inode(this.#ino).iData = Bytes.copy(node.u8);
        continue;
      }
      let data = Bytes.copy(node.u8);
      if (this.#k.geo.metadataCsum) {
        const seed = inodeSeed(this.#ino, inodeLayout.get(raw, 'generation'), csumSeed);
        data = data.putU32(HEADER + ENTRY * maxOf(node), treeBlockChecksum(seed, data));
      }
      getWriteAccess(this.#k, node.block);
      setBuffer(this.#k, node.block, data);
      dirtyMetadata(this.#k, node.block, this.#ino);
    }
    markInodeDirty(this.#k, this.#ino);
  }

  #seedParts() {
    return { raw: rawInode(this.#k, this.#ino), csumSeed: this.#k.geo.csumSeed };
  }

  #keep(block: number, u8: Uint8Array): Node {
    const node = { block, u8, view: new DataView(u8.buffer, u8.byteOffset, u8.byteLength), dirty: false };
    this.#nodes.set(block, node);
    return node;
  }

  #node(block: number): Node {
    return this.#nodes.get(block) ?? this.#keep(block, readBuffer(this.#k, block).toUint8Array().slice());
  }

  get depth(): number {
    return this.#root.view.getUint16(6, true);
  }

  // ---- finding

  /** @source fs/ext4/extents.c ext4_find_extent */
  #find(lblk: number): Level[] {
    const path: Level[] = [];
    let node = this.#root;
    for (let depth = this.depth; depth > 0; depth--) {
      const at = indexFor(node, lblk);
      path.push({ node, at });
      node = this.#node(childAt(node, at));
    }
    path.push({ node, at: new Leaf(node.u8).nearest(lblk) });
    return path;
  }

  #leafOf(path: readonly Level[]): { leaf: Leaf; level: Level } {
    const level = path.at(-1)!;
    return { leaf: new Leaf(level.node.u8), level };
  }

  /** The extent that covers a block, or undefined. */
  lookup(lblk: number): Extent | undefined {
    const { leaf, level } = this.#leafOf(this.#find(lblk));
    const found = level.at < 0 ? undefined : leaf.get(level.at);
    return found !== undefined && lblk >= found.lblk && lblk < found.lblk + found.length ? found : undefined;
  }

  /** Nearest extents around a block that is in a hole. @source fs/ext4/extents.c ext4_ext_search_left, ext4_ext_search_right */
  neighbours(lblk: number): { left: Extent | undefined; right: Extent | undefined } {
    const path = this.#find(lblk);
    const { leaf, level } = this.#leafOf(path);
    if (level.at < 0) return { left: undefined, right: undefined };
    const near = leaf.get(level.at);
    if (lblk < near.lblk) return { left: undefined, right: near };
    if (level.at + 1 < leaf.count) return { left: near, right: leaf.get(level.at + 1) };
    const next = this.#nextLeaf(path);
    return { left: near, right: next === undefined ? undefined : new Leaf(next.node.u8).get(0) };
  }

  /** The leaf after the one a path leads to. */
  #nextLeaf(path: readonly Level[]): Level | undefined {
    for (let depth = path.length - 2; depth >= 0; depth--) {
      const { node, at } = path[depth]!;
      if (at + 1 >= entriesOf(node)) continue;
      return this.#find(keyAt(node, at + 1)).at(-1);
    }
    return undefined;
  }

  /** Where new blocks for `lblk` should lie. @source fs/ext4/extents.c ext4_ext_find_goal */
  goal(lblk: number): number {
    const { leaf, level } = this.#leafOf(this.#find(lblk));
    if (level.at >= 0) {
      const near = leaf.get(level.at);
      return near.pblk + (lblk - near.lblk);
    }
    return level.node.block !== 0 ? level.node.block : inodeToGoalBlock(this.#k, this.#ino);
  }

  // ---- inserting

  /** @returns ENOSPC when a tree block is needed. @source fs/ext4/extents.c ext4_ext_insert_extent */
  insert(e: Extent, flags: TreeFlags = {}): Result<void> {
    let path = this.#find(e.lblk);
    let { leaf, level } = this.#leafOf(path);
    if (!leaf.insert(e, !flags.preIo)) {
      const next = this.#nextLeaf(path);
      const after = level.at >= 0 && e.lblk > leaf.get(leaf.count - 1).lblk;
      if (after && next !== undefined && entriesOf(next.node) < maxOf(next.node)) {
        path = this.#find(keyAt(next.node, 0));
      } else {
        const grown = this.#newLeaf(e, flags);
        if (isErr(grown)) return grown;
        path = this.#find(e.lblk);
      }
      ({ leaf, level } = this.#leafOf(path));
      leaf.insert(e, !flags.preIo);
    }
    level.node.dirty = true;
    this.#correctIndexes(path);
    if (!flags.preIo) this.#mergeUp();
  }

  /** The first entry of a leaf changed: so do the indexes above. @source fs/ext4/extents.c ext4_ext_correct_indexes */
  #correctIndexes(path: readonly Level[]): void {
    for (let depth = path.length - 1; depth > 0; depth--) {
      const { node } = path[depth]!;
      const { node: above, at } = path[depth - 1]!;
      if (entriesOf(node) === 0 || keyAt(above, at) === keyAt(node, 0)) return;
      setKey(above, at, keyAt(node, 0));
      if (at > 0) return;
    }
  }

  /** A tree of one leaf that fits into the inode moves there. @source fs/ext4/extents.c ext4_ext_try_to_merge_up */
  #mergeUp(): void {
    const root = this.#root;
    if (this.depth !== 1 || entriesOf(root) !== 1) return;
    const leaf = this.#node(childAt(root, 0));
    if (entriesOf(leaf) > ROOT_MAX) return;
    root.u8.set(leaf.u8.subarray(0, entryAt(entriesOf(leaf))));
    root.view.setUint16(4, ROOT_MAX, true);
    root.dirty = true;
    this.#nodes.delete(leaf.block);
    freeBlocks(this.#k, this.#ino, leaf.block, 1, true);
  }

  #newTreeBlock(goal: number, tryGoal: boolean, flags: TreeFlags): Result<Node> {
    const none = { lblk: 0, pblk: 0 };
    const run = newBlocks(this.#k, this.#ino, {
      goal,
      length: 1,
      lblk: 0,
      left: none,
      right: none,
      data: false,
      tryGoal,
      delallocReserved: flags.reserved ?? false,
      useReserved: flags.nofail ?? false,
    });
    if (isErr(run)) return run;
    const node = this.#keep(run.start, new Uint8Array(this.#k.blockSize));
    node.dirty = true;
    return node;
  }

  /** Room for one more extent: a new leaf, and a deeper tree when no index has room. @source fs/ext4/extents.c ext4_ext_create_new_leaf */
  #newLeaf(e: Extent, flags: TreeFlags): Result<void> {
    for (;;) {
      const path = this.#find(e.lblk);
      let level = this.depth;
      while (level > 0 && entriesOf(path[level]!.node) >= maxOf(path[level]!.node)) level--;
      const { node } = path[level]!;
      if (entriesOf(node) < maxOf(node)) {
        return level === this.depth ? undefined : this.#split(path, e, level, flags);
      }
      const grown = this.#growInDepth(flags);
      if (isErr(grown)) return grown;
    }
  }

  /** The root moves into a block, and becomes an index with one entry. @source fs/ext4/extents.c ext4_ext_grow_indepth */
  #growInDepth(flags: TreeFlags): Result<void> {
    const root = this.#root;
    const { depth } = this;
    const before = depth > 0 ? childAt(root, 0) - 1 : 0;
    const tryGoal = before >= this.#k.geo.firstDataBlock && depth > 0;
    const made = this.#newTreeBlock(tryGoal ? before : inodeToGoalBlock(this.#k, this.#ino), tryGoal, flags);
    if (isErr(made)) return made;
    made.u8.set(root.u8);
    made.view.setUint16(4, this.#blockMax(), true);
    const first = keyAt(root, 0);
    setEntries(root, 1);
    root.view.setUint16(4, ROOT_MAX, true);
    root.view.setUint16(6, depth + 1, true);
    setKey(root, 0, first);
    setChild(root, 0, made.block);
  }

  #blockMax(): number {
    return Math.floor((this.#k.blockSize - HEADER) / ENTRY);
  }

  /** New nodes from the leaf up to the index at `at`, which has room. @source fs/ext4/extents.c ext4_ext_split */
  #split(path: readonly Level[], e: Extent, at: number, flags: TreeFlags): Result<void> {
    const { depth } = this;
    const full = path[depth]!;
    const splits = full.at + 1 < maxOf(full.node);
    const border = splits ? keyAt(full.node, full.at + 1) : e.lblk;
    const goal = this.goal(e.lblk);
    const made: Node[] = [];
    for (let i = at; i < depth; i++) {
      const node = this.#newTreeBlock(goal, false, flags);
      if (isErr(node)) {
        for (const { block } of made) {
          this.#nodes.delete(block);
          freeBlocks(this.#k, this.#ino, block, 1, true);
        }
        return node;
      }
      made.push(node);
    }
    let below = made.pop()!;
    this.#header(below, 0);
    this.#moveTail(full.node, full.at + 1, below, 0);
    for (let level = depth - 1; level > at; level--) {
      const node = made.pop()!;
      this.#header(node, depth - level);
      setEntries(node, 1);
      setKey(node, 0, border);
      setChild(node, 0, below.block);
      this.#moveTail(path[level]!.node, path[level]!.at + 1, node, 1);
      below = node;
    }
    const { node: above, at: near } = path[at]!;
    const slot = border > keyAt(above, near) ? near + 1 : near;
    above.u8.copyWithin(entryAt(slot + 1), entryAt(slot), entryAt(entriesOf(above)));
    setEntries(above, entriesOf(above) + 1);
    above.u8.fill(0, entryAt(slot), entryAt(slot + 1));
    setKey(above, slot, border);
    setChild(above, slot, below.block);
  }

  #header(node: Node, depth: number): void {
    extentHeaderLayout
      .put(Bytes.zero(HEADER), { magic: 0xf30a, max: this.#blockMax(), depth })
      .copyTo(node.u8, 0);
  }

  #moveTail(from: Node, index: number, to: Node, at: number): void {
    const count = entriesOf(from) - index;
    if (count <= 0) return;
    to.u8.set(from.u8.subarray(entryAt(index), entryAt(index + count)), entryAt(at));
    setEntries(to, entriesOf(to) + count);
    setEntries(from, index);
  }

  // ---- splitting and converting

  /** The bytes of blocks on the medium become zero. @source fs/ext4/extents.c ext4_ext_zeroout */
  #zeroout({ pblk, length }: Pick<Extent, 'pblk' | 'length'>): void {
    const zero = Bytes.zero(this.#k.blockSize);
    for (let i = 0; i < length; i++)
      writeMedium(this.#k, pblk + i, zero, `ext4_ext_zeroout ino ${this.#ino}`);
  }

  /** Cuts the extent that covers `lblk` there, or only marks it. @source fs/ext4/extents.c ext4_split_extent_at */
  #splitAt(lblk: number, split: SplitFlags, flags: TreeFlags): Result<void> {
    const path = this.#find(lblk);
    const { leaf, level } = this.#leafOf(path);
    const old = leaf.get(level.at);
    level.node.dirty = true;
    if (lblk === old.lblk) {
      leaf.put(level.at, { ...old, unwritten: split.unwritten2 ?? false });
      if (!flags.preIo) {
        leaf.merge(level.at);
        this.#mergeUp();
      }
      return;
    }
    const head = lblk - old.lblk;
    const first = { ...old, length: head, unwritten: split.unwritten1 ?? false };
    const second = {
      lblk,
      pblk: old.pblk + head,
      length: old.length - head,
      unwritten: split.unwritten2 ?? false,
    };
    leaf.put(level.at, first);
    const inserted = this.insert(second, flags);
    if (!isErr(inserted)) return;
    const now = this.#leafOf(this.#find(old.lblk));
    const at = now.level.at;
    now.level.node.dirty = true;
    const restored = { ...old, unwritten: old.unwritten };
    if (!split.mayZeroout || inserted.errno !== 'ENOSPC') {
      now.leaf.put(at, restored);
      return inserted;
    }
    if (split.valid === 'entire1' || split.valid === 'partial1') this.#zeroout(second);
    else if (split.valid === '2') this.#zeroout(first);
    else this.#zeroout(old);
    if (split.valid === 'partial1') {
      now.leaf.put(at, restored);
      return;
    }
    now.leaf.put(at, { ...old, unwritten: false });
    now.leaf.merge(at);
    this.#mergeUp();
  }

  /**
   * Splits the extent around [lblk, lblk + length) and marks the middle.
   * @source fs/ext4/extents.c ext4_split_extent
   */
  #splitAround(lblk: number, length: number, split: SplitFlags, flags: TreeFlags): Result<void> {
    const old = this.lookup(lblk)!;
    let { unwritten } = old;
    if (lblk + length < old.lblk + old.length) {
      const cut = this.#splitAt(
        lblk + length,
        {
          mayZeroout: split.mayZeroout ?? false,
          unwritten1: unwritten,
          unwritten2: unwritten,
          valid: split.valid !== '2' ? undefined : lblk > old.lblk ? 'partial1' : 'entire1',
        },
        { ...flags, preIo: true },
      );
      if (isErr(cut)) return cut;
      unwritten = this.lookup(lblk)!.unwritten;
    }
    return this.#splitAt(
      lblk,
      {
        valid: split.valid === '2' ? '2' : undefined,
        unwritten1: unwritten,
        mayZeroout: unwritten && (split.mayZeroout ?? false),
        unwritten2: unwritten && (split.unwritten2 ?? false),
      },
      flags,
    );
  }

  /** One past the last block that may be zeroed out: the end of the file on the disk, or of what is asked for. */
  #eofBlock(end: number): number {
    const { disksize } = this.#k.inode(this.#ino);
    return Math.max(Math.ceil(disksize / this.#k.blockSize), end);
  }

  /**
   * A write without delayed allocation finds unwritten blocks: they become written, neighbours of up to 32 KiB are
   * zeroed on the medium and become written too.
   * @returns blocks from `lblk` on that are written now, at least `length` where the extent has them
   * @source  fs/ext4/extents.c ext4_ext_convert_to_initialized
   */
  convertToInitialized(lblk: number, length: number, flags: TreeFlags): Result<number> {
    const path = this.#find(lblk);
    const { leaf, level } = this.#leafOf(path);
    const e = leaf.get(level.at);
    const end = e.lblk + e.length;
    if (lblk === e.lblk && length < e.length && level.at > 0) {
      const left = leaf.get(level.at - 1);
      const takes =
        !left.unwritten &&
        left.lblk + left.length === e.lblk &&
        left.pblk + left.length === e.pblk &&
        left.length < WRITTEN_MAX_LEN - length;
      if (takes) {
        leaf.put(level.at, {
          ...e,
          lblk: e.lblk + length,
          pblk: e.pblk + length,
          length: e.length - length,
        });
        leaf.put(level.at - 1, { ...left, length: left.length + length });
        level.node.dirty = true;
        return length;
      }
    } else if (lblk + length === end && length < e.length && level.at + 1 < leaf.count) {
      const right = leaf.get(level.at + 1);
      const takes =
        !right.unwritten &&
        end === right.lblk &&
        e.pblk + e.length === right.pblk &&
        right.length < WRITTEN_MAX_LEN - length;
      if (takes) {
        leaf.put(level.at + 1, {
          ...right,
          lblk: right.lblk - length,
          pblk: right.pblk - length,
          length: right.length + length,
        });
        leaf.put(level.at, { ...e, length: e.length - length });
        level.node.dirty = true;
        return length;
      }
    }
    let allocated = end - lblk;
    const mayZeroout = end <= this.#eofBlock(lblk + length);
    const maxZeroout = mayZeroout ? (MAX_ZEROOUT_KIB * 1024) / this.#k.blockSize : 0;
    let from = lblk;
    let count = length;
    if (maxZeroout > 0 && allocated > count) {
      if (allocated <= maxZeroout) {
        this.#zeroout({ pblk: e.pblk + (from + count - e.lblk), length: allocated - count });
        count = allocated;
      }
      if (from - e.lblk + count < maxZeroout) {
        if (from !== e.lblk) this.#zeroout({ pblk: e.pblk, length: from - e.lblk });
        count += from - e.lblk;
        from = e.lblk;
        allocated = length;
      }
    }
    const split = this.#splitAround(from, count, { valid: '2', mayZeroout }, flags);
    return isErr(split) ? split : allocated;
  }

  /**
   * Writeback is about to write unwritten blocks: the extent is split so that the end of the I/O only has to mark.
   * @returns blocks from `lblk` on that the extent has
   * @source  fs/ext4/extents.c ext4_split_convert_extents
   */
  splitUnwritten(lblk: number, length: number, flags: TreeFlags): Result<number> {
    const e = this.lookup(lblk)!;
    const end = e.lblk + e.length;
    const mayZeroout = end <= this.#eofBlock(lblk + length);
    const split = this.#splitAround(
      lblk,
      length,
      { mayZeroout, unwritten2: true },
      { ...flags, preIo: true },
    );
    return isErr(split) ? split : Math.min(length, end - lblk);
  }

  /**
   * The end of I/O: the blocks become written.
   * @returns blocks from `lblk` on that are written now
   * @source  fs/ext4/extents.c ext4_convert_unwritten_extents_endio
   */
  convertEndio(lblk: number, length: number): Result<number> {
    const flags = { nofail: true };
    const e = this.lookup(lblk)!;
    const allocated = e.lblk + e.length - lblk;
    if (e.lblk !== lblk || e.length > length) {
      const mayZeroout = e.lblk + e.length <= this.#eofBlock(lblk + length);
      const split = this.#splitAround(
        lblk,
        length,
        { mayZeroout, unwritten2: true, valid: '2' },
        { ...flags, preIo: true },
      );
      if (isErr(split)) return split;
    }
    this.#mark(lblk, false);
    return Math.min(length, allocated);
  }

  /**
   * Written blocks become unwritten: a zeroed range.
   * @returns blocks from `lblk` on that are unwritten now
   * @source  fs/ext4/extents.c convert_initialized_extent
   */
  convertToUnwritten(lblk: number, length: number, flags: TreeFlags): Result<number> {
    const e = this.lookup(lblk)!;
    const allocated = e.lblk + e.length - lblk;
    if (e.lblk !== lblk || e.length > length) {
      const split = this.#splitAround(lblk, length, { valid: 'entire1' }, { ...flags, preIo: true });
      if (isErr(split)) return split;
    }
    this.#mark(lblk, true);
    return Math.min(length, allocated);
  }

  #mark(lblk: number, unwritten: boolean): void {
    const { leaf, level } = this.#leafOf(this.#find(lblk));
    leaf.put(level.at, { ...leaf.get(level.at), unwritten });
    leaf.merge(level.at);
    level.node.dirty = true;
    this.#mergeUp();
  }

  // ---- removing and moving

  /**
   * Unmaps [from, to) and frees the blocks; truncation has `to` = MAX_LBLK.
   * @returns ENOSPC when a split needs a tree block that is not there
   * @source  fs/ext4/extents.c ext4_ext_remove_space
   */
  removeSpace(from: number, to: number): Result<void> {
    const truncate = to >= MAX_LBLK;
    if (!truncate) {
      const e = this.lookup(to - 1);
      if (e !== undefined && to < e.lblk + e.length) {
        const { unwritten } = e;
        const split = this.#splitAt(
          to,
          { unwritten1: unwritten, unwritten2: unwritten },
          { preIo: true, nofail: true },
        );
        if (isErr(split)) return split;
      }
    }
    this.#removeBelow(this.#root, this.depth, from, to, truncate);
    if (entriesOf(this.#root) > 0) return;
    this.#root.view.setUint16(6, 0, true);
    this.#root.view.setUint16(4, ROOT_MAX, true);
    this.#root.dirty = true;
  }

  /** True when something to the left may still have to go. @source fs/ext4/extents.c ext4_ext_rm_leaf, ext4_ext_rm_idx */
  #removeBelow(node: Node, depth: number, from: number, to: number, truncate: boolean): boolean {
    if (depth === 0) return this.#removeInLeaf(node, from, to, truncate);
    for (let at = truncate ? entriesOf(node) - 1 : indexFor(node, to - 1); at >= 0; at--) {
      const child = this.#node(childAt(node, at));
      const more = this.#removeBelow(child, depth - 1, from, to, truncate);
      if (entriesOf(child) === 0) {
        node.u8.copyWithin(entryAt(at), entryAt(at + 1), entryAt(entriesOf(node)));
        setEntries(node, entriesOf(node) - 1);
        this.#nodes.delete(child.block);
        freeBlocks(this.#k, this.#ino, child.block, 1, true);
      } else if (keyAt(node, at) !== keyAt(child, 0)) setKey(node, at, keyAt(child, 0));
      if (!more) return false;
    }
    return true;
  }

  #removeInLeaf(node: Node, from: number, to: number, truncate: boolean): boolean {
    const leaf = new Leaf(node.u8);
    for (let at = leaf.count - 1; at >= 0; at--) {
      const e = leaf.get(at);
      if (e.lblk + e.length <= from) return false;
      if (e.lblk >= to) continue;
      const keep = Math.max(0, from - e.lblk);
      freeBlocks(this.#k, this.#ino, e.pblk + keep, e.length - keep);
      node.dirty = true;
      if (keep > 0) leaf.put(at, { ...e, length: keep });
      else leaf.drop(at, truncate);
      if (keep > 0) return false;
    }
    return true;
  }

  /** Cuts an extent in two so that one starts at `lblk`. @source fs/ext4/extents.c ext4_insert_range */
  splitBefore(lblk: number): Result<void> {
    const e = this.lookup(lblk);
    if (e === undefined || e.lblk === lblk) return;
    return this.#splitAt(
      lblk,
      { unwritten1: e.unwritten, unwritten2: e.unwritten },
      { preIo: true, nofail: true },
    );
  }

  /**
   * Moves every extent that starts at or after `start` by `shift` blocks, left when it is negative.
   * @returns EINVAL when there is no room
   * @source  fs/ext4/extents.c ext4_ext_shift_extents, ext4_ext_shift_path_extents
   */
  shift(start: number, shift: number): Result<void> {
    const leaves = this.#leaves(this.#root, this.depth);
    const extents = leaves.flatMap((node) => {
      const leaf = new Leaf(node.u8);
      return Array.from({ length: leaf.count }, (_, at) => leaf.get(at));
    });
    const last = extents.at(-1);
    if (last === undefined) return;
    if (shift < 0) {
      const before = extents.filter((e) => e.lblk < start).at(-1);
      const end = before === undefined ? 0 : before.lblk + before.length;
      if (-shift > start - end) return err('EINVAL');
    } else if (shift > MAX_LBLK - (last.lblk + last.length)) return err('EINVAL');
    for (const node of shift < 0 ? leaves : leaves.reverse()) this.#shiftLeaf(node, start, shift);
    for (const node of leaves) {
      if (entriesOf(node) === 0) continue;
      this.#correctIndexes(this.#pathTo(node));
    }
  }

  #shiftLeaf(node: Node, start: number, shift: number): void {
    const leaf = new Leaf(node.u8);
    const moves = (at: number): boolean => leaf.get(at).lblk >= start;
    if (shift < 0) {
      let at = 0;
      while (at < leaf.count && !moves(at)) at++;
      while (at < leaf.count) {
        leaf.put(at, { ...leaf.get(at), lblk: leaf.get(at).lblk + shift });
        node.dirty = true;
        if (!(at > 0 && leaf.mergeRight(at - 1))) at++;
      }
      return;
    }
    for (let at = leaf.count - 1; at >= 0 && moves(at); at--) {
      leaf.put(at, { ...leaf.get(at), lblk: leaf.get(at).lblk + shift });
      node.dirty = true;
      leaf.mergeRight(at);
    }
  }

  #leaves(node: Node, depth: number): Node[] {
    if (depth === 0) return [node];
    const out: Node[] = [];
    for (let at = 0; at < entriesOf(node); at++)
      out.push(...this.#leaves(this.#node(childAt(node, at)), depth - 1));
    return out;
  }

  /** The way from the root to a leaf. */
  #pathTo(leaf: Node): Level[] {
    const walk = (node: Node, depth: number): Level[] | undefined => {
      if (depth === 0) return node === leaf ? [{ node, at: 0 }] : undefined;
      for (let at = 0; at < entriesOf(node); at++) {
        const below = walk(this.#node(childAt(node, at)), depth - 1);
        if (below !== undefined) return [{ node, at }, ...below];
      }
      return undefined;
    };
    return walk(this.#root, this.depth)!;
  }
}
