/**
 * The index of a large directory as the kernel walks and grows it. The format is drawn in `volume/htree.ts`.
 *
 *   one block ── full ─▶ root + two leaves ── leaf full ─▶ leaf split at a hash ── node full ─▶ node split, or a level more
 *
 * The directory is an `IndexStore`: blocks by their logical number, read, written and appended. Splitting moves the
 * very bytes that the kernel moves: the map it sorts at the end of the new block, and what packing leaves behind, stay
 * there as slack.
 *
 * 'bad' is ERR_BAD_DX_DIR: the index makes no sense, and the caller may read the blocks one after another.
 *
 * Not modelled: hashes kept in the entries (encrypted and casefolded names).
 *
 * Pure: no state is touched but through the store.
 */
import { Bytes } from '../bytes/bytes.ts';
import { crc32c, crc32cBytes } from '../bytes/crc32c.ts';
import { err, isErr, type KernelError, type Result } from '../errno.ts';
import { DIRENT_TAIL_SIZE, direntLen, direntProblem, withTail } from '../volume/dirent.ts';

export type BlockKind = 'leaf' | 'node';

/** The blocks of one directory. */
export interface IndexStore {
  readonly blockSize: number;
  /** metadata_csum: leaves and nodes end in a checksum. */
  readonly hasTail: boolean;
  readonly inodesCount: number;
  /** Nodes on the way to a leaf, at most: `htreeLevels`. */
  readonly levels: number;
  /** The hash of a name, lowest bit 0; undefined for a version that cannot be computed. */
  hashOf(name: Bytes, version: number): number | undefined;
  /** @returns EBADMSG for a wrong checksum, EUCLEAN for a hole */
  read(lblk: number, kind: BlockKind): Result<Bytes>;
  write(lblk: number, data: Bytes, kind: BlockKind): void;
  /** One more block at the end: its logical number. @returns ENOSPC */
  append(): Result<number>;
}

/** What only reads. */
export type IndexReader = Omit<IndexStore, 'write' | 'append'>;

/** A node on the way to a leaf, and which of its entries was taken. */
interface Frame {
  readonly lblk: number;
  readonly node: Bytes;
  /** Bytes from the start of the block. */
  readonly entriesAt: number;
  readonly at: number;
}

/** @source fs/ext4/namei.c struct dx_root */
const INFO_AT = 24;
const INFO_SIZE = 8;
/** @source fs/ext4/namei.c struct dx_node */
const NODE_ENTRIES_AT = 8;
const ENTRY = 8;
/** @source fs/ext4/namei.c struct dx_tail */
const DX_TAIL_SIZE = 8;
const MAX_HASH_VERSION = 2;

const countOf = (f: Pick<Frame, 'node' | 'entriesAt'>): number => f.node.u16(f.entriesAt + 2);
const limitOf = (f: Pick<Frame, 'node' | 'entriesAt'>): number => f.node.u16(f.entriesAt);
const hashAt = (f: Pick<Frame, 'node' | 'entriesAt'>, i: number): number =>
  f.node.u32(f.entriesAt + ENTRY * i);
const childAt = (f: Pick<Frame, 'node' | 'entriesAt'>, i: number): number =>
  f.node.u32(f.entriesAt + ENTRY * i + 4) & 0x0fff_ffff;

/** @source fs/ext4/namei.c dx_root_limit, dx_node_limit */
const limitFrom = (store: IndexReader, entriesAt: number): number =>
  Math.floor((store.blockSize - entriesAt - (store.hasTail ? DX_TAIL_SIZE : 0)) / ENTRY);

/** The hash version of a root block. */
export function rootHashVersion(root: Bytes): number {
  return root.u8(INFO_AT + 4);
}

/**
 * The nodes that lead to the leaf in which `hash` belongs.
 * @source fs/ext4/namei.c dx_probe
 */
function probe(
  store: IndexReader,
  hashFor: (version: number) => number | undefined,
): Result<Frame[]> | 'bad' {
  const root = store.read(0, 'node');
  if (isErr(root)) return root;
  const version = rootHashVersion(root);
  const hash = hashFor(version);
  if (version > MAX_HASH_VERSION || hash === undefined || (root.u8(INFO_AT + 7) & 1) !== 0) return 'bad';
  const levels = root.u8(INFO_AT + 6);
  if (levels >= store.levels) return 'bad';
  const frames: Frame[] = [];
  const seen = [0];
  let [lblk, node, entriesAt] = [0, root, INFO_AT + root.u8(INFO_AT + 5)];
  for (;;) {
    const open = { node, entriesAt };
    if (limitOf(open) !== limitFrom(store, entriesAt)) return 'bad';
    const count = countOf(open);
    if (count === 0 || count > limitOf(open)) return 'bad';
    let at = 0;
    while (at + 1 < count && hashAt(open, at + 1) <= hash) at++;
    frames.push({ lblk, node, entriesAt, at });
    const child = childAt(open, at);
    if (seen.includes(child)) return 'bad';
    if (frames.length > levels) return frames;
    seen.push(child);
    const next = store.read(child, 'node');
    if (isErr(next)) return next;
    [lblk, node, entriesAt] = [child, next, NODE_ENTRIES_AT];
  }
}

/**
 * The nodes that lead to the leaf after this one; null when there is none, or (with a hash) when names of that hash
 * do not go on there.
 * @source fs/ext4/namei.c ext4_htree_next_block
 */
function nextLeaf(store: IndexReader, frames: readonly Frame[], hash: number | null): Result<Frame[]> | null {
  let depth = frames.length - 1;
  while (frames[depth]!.at + 1 >= countOf(frames[depth]!)) {
    if (depth === 0) return null;
    depth--;
  }
  const next = frames.slice(0, depth);
  const turn = { ...frames[depth]!, at: frames[depth]!.at + 1 };
  next.push(turn);
  if (hash !== null && (hashAt(turn, turn.at) & ~1) >>> 0 !== hash) return null;
  while (next.length < frames.length) {
    const above = next.at(-1)!;
    const lblk = childAt(above, above.at);
    const node = store.read(lblk, 'node');
    if (isErr(node)) return node;
    next.push({ lblk, node, entriesAt: NODE_ENTRIES_AT, at: 0 });
  }
  return next;
}

const leafOf = (frames: readonly Frame[]): number => childAt(frames.at(-1)!, frames.at(-1)!.at);

/**
 * Looks at every leaf in which a name may be, until `search` finds something.
 * @source fs/ext4/namei.c ext4_dx_find_entry
 */
export function findIndexed<T>(
  store: IndexReader,
  name: Bytes,
  search: (leaf: Bytes, lblk: number) => Result<T | undefined>,
): Result<T | undefined> | 'bad' {
  let hash = 0;
  let frames = probe(store, (version) => {
    const found = store.hashOf(name, version);
    hash = found ?? 0;
    return found;
  });
  for (;;) {
    if (frames === 'bad' || isErr(frames)) return frames;
    const lblk = leafOf(frames);
    const leaf = store.read(lblk, 'leaf');
    if (isErr(leaf)) return leaf;
    const found = search(leaf, lblk);
    if (isErr(found)) return 'bad';
    if (found !== undefined) return found;
    const next = nextLeaf(store, frames, hash);
    if (next === null) return undefined;
    frames = next;
  }
}

/** Logical blocks of all leaves, in hash order. @source fs/ext4/namei.c ext4_htree_fill_tree */
export function indexedLeaves(store: IndexReader): Result<number[]> | 'bad' {
  const leaves: number[] = [];
  let frames = probe(store, () => 0);
  for (;;) {
    if (frames === 'bad' || isErr(frames)) return frames;
    leaves.push(leafOf(frames));
    const next = nextLeaf(store, frames, null);
    if (next === null) return leaves;
    frames = next;
  }
}

/** Puts an entry into a leaf; 'full' when the leaf has no room. */
export type InsertInto = (leaf: Bytes) => Bytes | 'full' | KernelError;

/**
 * Adds a name to an indexed directory, splitting what is full.
 * @returns ENOSPC when a block cannot be had or the index has no level left
 * @source  fs/ext4/namei.c ext4_dx_add_entry
 */
export function addIndexed(store: IndexStore, name: Bytes, insert: InsertInto): Result<void> | 'bad' {
  for (;;) {
    let version = 0;
    const frames = probe(store, (v) => store.hashOf(name, (version = v)));
    if (frames === 'bad' || isErr(frames)) return frames;
    const lblk = leafOf(frames);
    const leaf = store.read(lblk, 'leaf');
    if (isErr(leaf)) return leaf;
    const put = insert(leaf);
    if (put !== 'full') {
      if (isErr(put)) return put;
      store.write(lblk, put, 'leaf');
      return;
    }
    let parent = frames.at(-1)!;
    if (countOf(parent) === limitOf(parent)) {
      const made = makeRoom(store, frames);
      if (made !== null && isErr(made)) return made;
      if (made === null) continue;
      parent = made;
    }
    return splitLeaf(store, parent, { lblk, data: leaf }, name, version, insert);
  }
}

/**
 * Splits the lowest node that can be split, or puts a level under the root.
 * @returns the frame that the leaf's parent is now; null when the way down has changed and must be found again
 */
function makeRoom(store: IndexStore, frames: readonly Frame[]): Result<Frame> | null {
  let depth = frames.length - 1;
  while (depth > 0 && countOf(frames[depth - 1]!) === limitOf(frames[depth - 1]!)) depth--;
  if (depth === 0 && frames.length === store.levels) return err('ENOSPC');
  const fresh = store.append();
  if (isErr(fresh)) return fresh;
  const full = frames[depth]!;
  const count = countOf(full);
  const blank = Bytes.zero(store.blockSize).putU16(4, store.blockSize);
  const copied = (from: number, length: number): Bytes => {
    const entries = full.node.slice(full.entriesAt + ENTRY * from, full.entriesAt + ENTRY * (from + length));
    return withCount(blank.splice(NODE_ENTRIES_AT, entries), NODE_ENTRIES_AT, length).putU16(
      NODE_ENTRIES_AT,
      limitFrom(store, NODE_ENTRIES_AT),
    );
  };
  if (depth === 0) {
    store.write(fresh, copied(0, count), 'node');
    const root = withCount(full.node, full.entriesAt, 1).putU32(full.entriesAt + 4, fresh);
    store.write(0, root.putU8(INFO_AT + 6, root.u8(INFO_AT + 6) + 1), 'node');
    return null;
  }
  const kept = Math.floor(count / 2);
  const upper = copied(kept, count - kept);
  const lower = withCount(full.node, full.entriesAt, kept);
  const above = frames[depth - 1]!;
  store.write(fresh, upper, 'node');
  store.write(full.lblk, lower, 'node');
  store.write(above.lblk, withEntry(above, hashAt(full, kept), fresh), 'node');
  if (depth < frames.length - 1) return null;
  return full.at >= kept
    ? { lblk: fresh, node: upper, entriesAt: NODE_ENTRIES_AT, at: full.at - kept }
    : { ...full, node: lower };
}

const withCount = (node: Bytes, entriesAt: number, count: number): Bytes => node.putU16(entriesAt + 2, count);

/** The node with one more entry after the one that was taken. @source fs/ext4/namei.c dx_insert_block */
function withEntry(frame: Frame, hash: number, child: number): Bytes {
  const { node, entriesAt, at } = frame;
  const count = countOf(frame);
  const from = entriesAt + ENTRY * (at + 1);
  const moved = node.slice(from, entriesAt + ENTRY * count);
  const shifted = node
    .splice(from + ENTRY, moved)
    .putU32(from, hash)
    .putU32(from + 4, child);
  return withCount(shifted, entriesAt, count + 1);
}

/**
 * The only block of a directory becomes a root with one leaf, and the leaf is split to take the new name.
 * The caller sets the INDEX flag.
 * @returns ENOSPC, EUCLEAN
 * @source  fs/ext4/namei.c make_indexed_dir
 */
export function makeIndexed(
  store: IndexStore,
  version: number,
  name: Bytes,
  insert: InsertInto,
  setIndexFlag: () => void,
): Result<void> {
  const block = store.read(0, 'leaf');
  if (isErr(block)) return block;
  const end = store.blockSize - (store.hasTail ? DIRENT_TAIL_SIZE : 0);
  const first = 12 + block.u16(12 + 4);
  if (block.u8(6) !== 1 || block.u8(12 + 6) !== 2 || first >= store.blockSize) return err('EUCLEAN');
  const length = end - first;
  const lblk = store.append();
  if (isErr(lblk)) return lblk;
  setIndexFlag();
  const moved = block.slice(first, end);
  let last = 0;
  for (let next = moved.u16(4); next < length; last = next, next += moved.u16(next + 4)) {
    if (direntProblem(moved, last, length, store) !== undefined) return err('EUCLEAN');
  }
  const bare = Bytes.zero(store.blockSize)
    .splice(0, moved)
    .putU16(last + 4, end - last);
  const leaf = store.hasTail ? withTail(bare) : bare;
  const root = block.edit((u8) => {
    u8.fill(0, first, end);
    const dotDotLen = store.blockSize - 12;
    u8[16] = dotDotLen;
    u8[17] = dotDotLen >>> 8;
    u8.fill(0, INFO_AT, INFO_AT + INFO_SIZE);
    u8[INFO_AT + 4] = version;
    u8[INFO_AT + 5] = INFO_SIZE;
    const at = INFO_AT + INFO_SIZE;
    const limit = limitFrom(store, at);
    u8.set([limit, limit >>> 8, 1, 0, lblk, 0, 0, 0], at);
  });
  store.write(0, root, 'node');
  store.write(lblk, leaf, 'leaf');
  const frame = { lblk: 0, node: root, entriesAt: INFO_AT + INFO_SIZE, at: 0 };
  return splitLeaf(store, frame, { lblk, data: leaf }, name, version, insert);
}

/** A record of a leaf in the map by which it is split. */
interface Mapped {
  readonly hash: number;
  readonly offset: number;
  /** rec_len, slack included. */
  readonly size: number;
}

/**
 * Splits a leaf in two by hash and puts the new name into one of the halves.
 * @source fs/ext4/namei.c do_split
 */
function splitLeaf(
  store: IndexStore,
  parent: Frame,
  leaf: { readonly lblk: number; readonly data: Bytes },
  name: Bytes,
  version: number,
  insert: InsertInto,
): Result<void> {
  const fresh = store.append();
  if (isErr(fresh)) return fresh;
  const map = makeMap(store, leaf.data, version);
  if (isErr(map)) return map;
  const split = splitPoint(map, store.blockSize);
  const at = map[split]!.hash;
  const continued = split > 0 && map[split - 1]!.hash === at ? 1 : 0;
  const { lower, upper } = moveRecords(store, leaf.data, map, split);
  store.write(parent.lblk, withEntry(parent, at + continued, fresh), 'node');
  const intoUpper = store.hashOf(name, version)! >= at;
  const put = insert(intoUpper ? upper : lower);
  if (put === 'full' || isErr(put)) return put === 'full' ? err('ENOSPC') : put;
  store.write(leaf.lblk, intoUpper ? lower : put, 'leaf');
  store.write(fresh, intoUpper ? put : upper, 'leaf');
}

/** The records in use, sorted by hash. @source fs/ext4/namei.c dx_make_map, dx_sort_map */
function makeMap(store: IndexStore, leaf: Bytes, version: number): Result<Mapped[]> {
  const end = store.blockSize - (store.hasTail ? DIRENT_TAIL_SIZE : 0);
  const map: Mapped[] = [];
  for (let offset = 0; offset < end; offset += leaf.u16(offset + 4)) {
    if (direntProblem(leaf, offset, end, store) !== undefined) return err('EUCLEAN');
    const nameLen = leaf.u8(offset + 6);
    if (nameLen === 0 || leaf.u32(offset) === 0) continue;
    const hash = store.hashOf(leaf.slice(offset + 8, offset + 8 + nameLen), version);
    if (hash === undefined) return err('EUCLEAN');
    map.unshift({ hash, offset, size: leaf.u16(offset + 4) });
  }
  const swap = (a: number, b: number): void => {
    [map[a], map[b]] = [map[b]!, map[a]!];
  };
  const top = map.length - 1;
  for (let gap = map.length; gap > 2; ) {
    gap = Math.floor((gap * 10) / 13);
    if (gap === 9 || gap === 10) gap = 11;
    for (let p = top, q = p - gap; q >= 0; p--, q--) if (map[p]!.hash < map[q]!.hash) swap(p, q);
  }
  for (let more = true; more; ) {
    more = false;
    for (let q = top - 1; q >= 0; q--) {
      if (map[q + 1]!.hash >= map[q]!.hash) continue;
      swap(q + 1, q);
      more = true;
    }
  }
  return map;
}

/** Index of the first record that moves: neither half is to be more than half full. */
function splitPoint(map: readonly Mapped[], blockSize: number): number {
  let size = 0;
  let i = map.length - 1;
  for (; i >= 0; i--) {
    if (size + Math.floor(map[i]!.size / 2) > Math.floor(blockSize / 2)) break;
    size += map[i]!.size;
  }
  return i >= 0 ? i + 1 : Math.floor(map.length / 2);
}

/** @source fs/ext4/namei.c dx_move_dirents, dx_pack_dirents */
function moveRecords(
  store: IndexStore,
  leaf: Bytes,
  map: readonly Mapped[],
  split: number,
): { lower: Bytes; upper: Bytes } {
  const { blockSize, hasTail } = store;
  const end = blockSize - (hasTail ? DIRENT_TAIL_SIZE : 0);
  const from = leaf.toUint8Array();
  const to = new Uint8Array(blockSize);
  const put16 = (u8: Uint8Array, at: number, value: number): void => {
    u8[at] = value;
    u8[at + 1] = value >>> 8;
  };
  map.forEach(({ hash, offset, size }, i) => {
    const at = blockSize - 8 * (map.length - i);
    put16(to, at, hash);
    put16(to, at + 2, hash >>> 16);
    put16(to, at + 4, offset >> 2);
    put16(to, at + 6, size);
  });
  let used = 0;
  let lastMoved = 0;
  for (const { offset, size } of map.slice(split)) {
    const length = direntLen(from[offset + 6]!);
    to.set(from.subarray(offset, offset + length), used);
    put16(to, used + 4, length);
    from.fill(0, offset, offset + 4);
    from.fill(0, offset + 6, offset + size);
    lastMoved = used;
    used += length;
  }
  let lastKept = 0;
  let kept = 0;
  for (let at = 0; at < blockSize; ) {
    const next = at + (from[at + 4]! | (from[at + 5]! << 8));
    const inUse = (from[at]! | from[at + 1]! | from[at + 2]! | from[at + 3]!) !== 0 && from[at + 6] !== 0;
    if (inUse) {
      const length = direntLen(from[at + 6]!);
      from.copyWithin(kept, at, at + length);
      put16(from, kept + 4, length);
      lastKept = kept;
      kept += length;
    }
    at = next;
  }
  put16(from, lastKept + 4, end - lastKept);
  put16(to, lastMoved + 4, end - lastMoved);
  const [lower, upper] = [Bytes.adopt(from), Bytes.adopt(to)];
  return hasTail ? { lower: withTail(lower), upper: withTail(upper) } : { lower, upper };
}

/**
 * Where a node's checksum is, and what it should be; undefined when the block is no node.
 * @source fs/ext4/namei.c get_dx_countlimit, ext4_dx_csum
 */
export function nodeChecksum(seed: number, node: Bytes): { at: number; checksum: number } | undefined {
  const recLen = node.u16(4);
  let entriesAt: number;
  if (recLen === node.length) entriesAt = NODE_ENTRIES_AT;
  else if (recLen === 12 && node.u16(16) === node.length - 12 && node.u32(INFO_AT) === 0) {
    if (node.u8(INFO_AT + 5) !== INFO_SIZE) return undefined;
    entriesAt = INFO_AT + INFO_SIZE;
  } else return undefined;
  const { count, limit } = { count: node.u16(entriesAt + 2), limit: node.u16(entriesAt) };
  const tail = entriesAt + ENTRY * limit;
  if (tail > node.length - DX_TAIL_SIZE) return undefined;
  let crc = crc32cBytes(seed, node, 0, entriesAt + ENTRY * Math.min(count, limit));
  crc = crc32cBytes(crc, node, tail, tail + 4);
  return { at: tail + 4, checksum: crc32c(crc, new Uint8Array(4)) };
}
