/**
 * FS_IOC_ENABLE_VERITY: SHA-256, blocks of a page, no salt, no signature.
 *
 *   data … i_size   (to the next 64 KiB)   Merkle tree, root first   descriptor, 256 bytes   …   its size in the last 4
 *
 *   deny_write_access ▸ i_rwsem: begin (convert, cut what is past i_size, orphan, VERITY_IN_PROGRESS) ▸ no lock: the tree is
 *   written past i_size through write_begin and write_end ▸ i_rwsem: end (descriptor, write and wait, the flag)
 *
 * Not modelled: verification of what is read afterwards.
 */
import { writers } from '../balloc/mballoc.ts';
import { Bytes } from '../bytes/bytes.ts';
import { sha256 } from '../bytes/sha256.ts';
import { journalStart, journalStop } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { readpageInline } from '../inline/ops.ts';
import { isDir, isReg } from '../inode/layout.ts';
import { orphanAdd, orphanDel } from '../inode/orphan.ts';
import { hasFlag, markInodeDirty, setFlag } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { iRwsem, lock, sbWriters, unlock } from '../locks/lock.ts';
import { filemapRead, truncateInodePages } from '../pagecache/filemap.ts';
import { folioData, offsetIn, setFolioData } from '../pagecache/folio.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { hasFeature } from '../volume/superblock.ts';
import { WHOLE_FILE, writeAndWait } from '../writeback/writepages.ts';
import { truncate } from './truncate.ts';

/** Bytes of a hash. */
const HASH = 32;
const HASHES_PER_BLOCK = PAGE_SIZE / HASH;
/** Where verity metadata begins: at the next multiple. @source fs/ext4/verity.c ext4_verity_metadata_pos */
const METADATA_ALIGN = 65536;
/** struct fsverity_descriptor without a signature. */
const DESCRIPTOR = {
  size: 256,
  version: 0,
  algorithm: 1,
  logBlockSize: 2,
  dataSize: 8,
  rootHash: 16,
} as const;

/**
 * @returns EISDIR, EINVAL, EOPNOTSUPP, ETXTBSY, EEXIST, EBUSY, ENOSPC
 * @locks   sb_writers shared ▸ i_rwsem, given back while the tree is built
 * @source  fs/verity/enable.c fsverity_ioctl_enable, enable_verity
 */
export function* enableVerity(k: Kernel, ino: number): Op<Result<void>> {
  if (!hasFeature(k.geo.features, 'verity')) return err('EOPNOTSUPP');
  const { mode } = yield* step(k, 'S_ISREG?', () => ({ mode: k.inode(ino).mode }));
  if (!isReg(mode)) return err(isDir(mode) ? 'EISDIR' : 'EINVAL');
  yield* lock(k, sbWriters, 'shared');
  const denied = yield* step(k, 'deny_write_access', () => {
    if (writers(k, ino) > 0) return false;
    k.inode(ino).denyWrite++;
    return true;
  });
  let ret: Result<void> = err('ETXTBSY');
  if (denied) {
    ret = yield* call(k, 'enable_verity', () => enable(k, ino));
    yield* step(k, 'allow_write_access', () => {
      k.inode(ino).denyWrite--;
    });
  }
  yield* unlock(k, sbWriters);
  return ret;
}

function* enable(k: Kernel, ino: number): Op<Result<void>> {
  const size = yield* step(k, 'i_size', () => k.inode(ino).size);
  yield* lock(k, iRwsem(ino));
  const begun = yield* call(k, 'ext4_begin_enable_verity', () => begin(k, ino));
  yield* unlock(k, iRwsem(ino));
  if (isErr(begun)) return begun;
  const built = yield* call(k, 'build_merkle_tree', () => buildMerkleTree(k, ino, size));
  yield* lock(k, iRwsem(ino));
  const ended = yield* call(k, 'ext4_end_enable_verity', () => end(k, ino, size, built));
  yield* unlock(k, iRwsem(ino));
  return ended;
}

/**
 * @locks   i_rwsem held
 * @source  fs/ext4/verity.c ext4_begin_enable_verity
 */
function* begin(k: Kernel, ino: number): Op<Result<void>> {
  const state = yield* step(k, 'IS_VERITY? in progress?', () =>
    hasFlag(k, ino, 'verity') ? 'EEXIST' : k.inode(ino).verityInProgress ? 'EBUSY' : '',
  );
  if (state !== '') return err(state);
  const converted = yield* k.hooks.convert(k, ino);
  if (isErr(converted)) return converted;
  const extents = yield* step(k, 'EXT4_INODE_EXTENTS?', () => hasFlag(k, ino, 'extents'));
  if (!extents) return err('EOPNOTSUPP');
  const cut = yield* call(k, 'ext4_truncate', () => truncate(k, ino));
  if (isErr(cut)) return cut;
  yield* journalStart(k);
  yield* step(k, 'ext4_orphan_add; VERITY_IN_PROGRESS', () => {
    k.reach('verity-in-progress');
    orphanAdd(k, ino);
    k.inode(ino).verityInProgress = true;
  });
  yield* journalStop(k);
}

/** What the tree came to. */
interface Tree {
  readonly rootHash: Bytes;
  /** Bytes. */
  readonly size: number;
}

/**
 * Hashes the data as read(2) gives it, then the hashes, and writes every level: root first on the disk.
 * @returns an error of a read or a write
 * @locks   none held: deny_write_access keeps writers out
 * @source  fs/verity/enable.c build_merkle_tree
 */
function* buildMerkleTree(k: Kernel, ino: number, size: number): Op<Result<Tree>> {
  if (size === 0) return { rootHash: Bytes.zero(HASH), size: 0 };
  const hashes: Bytes[] = [];
  for (let pos = 0; pos < size; pos += PAGE_SIZE) {
    const at = pos;
    const block = yield* call(k, '__kernel_read', () =>
      filemapRead(k, ino, at, Math.min(PAGE_SIZE, size - at), readpageInline),
    );
    if (isErr(block)) return block;
    hashes.push(sha256(Bytes.zero(PAGE_SIZE).splice(0, block)));
  }
  const levels: Bytes[][] = [];
  for (let below = hashes; below.length > 1; ) {
    const level: Bytes[] = [];
    for (let i = 0; i < below.length; i += HASHES_PER_BLOCK) {
      level.push(Bytes.zero(PAGE_SIZE).splice(0, Bytes.concat(below.slice(i, i + HASHES_PER_BLOCK))));
    }
    levels.unshift(level);
    below = level.map(sha256);
  }
  const blocks = levels.flat();
  const rootHash = blocks.length === 0 ? hashes[0]! : sha256(blocks[0]!);
  for (const [index, block] of blocks.entries()) {
    const pos = metadataPos(size) + index * PAGE_SIZE;
    const written = yield* call(k, 'pagecache_write', () => pagecacheWrite(k, ino, pos, block));
    if (isErr(written)) return written;
  }
  return { rootHash, size: blocks.length * PAGE_SIZE };
}

const metadataPos = (size: number): number => Math.ceil(size / METADATA_ALIGN) * METADATA_ALIGN;

/** Bytes inside one page, past i_size. @source fs/ext4/verity.c pagecache_write */
function* pagecacheWrite(k: Kernel, ino: number, pos: number, data: Bytes): Op<Result<void>> {
  const begun = yield* call(k, 'ext4_write_begin', () => k.hooks.writeBegin(k, ino, pos, data.length));
  if (isErr(begun)) return begun;
  const { index } = begun;
  yield* step(k, 'memcpy_to_folio', () => {
    setFolioData(k, ino, index, folioData(k, ino, index).splice(offsetIn(pos), data));
  });
  const length = data.length;
  const ended = yield* call(k, 'ext4_write_end', () => k.hooks.writeEnd(k, ino, pos, length, length, begun));
  if (isErr(ended)) return ended;
  return ended === length ? undefined : err('EIO');
}

/**
 * @param built  an error takes everything back
 * @locks   i_rwsem held
 * @source  fs/ext4/verity.c ext4_end_enable_verity, ext4_write_verity_descriptor
 */
function* end(k: Kernel, ino: number, size: number, built: Result<Tree>): Op<Result<void>> {
  const ret = isErr(built)
    ? built
    : yield* call(k, 'ext4_write_verity_descriptor', () => finish(k, ino, size, built));
  if (!isErr(ret)) {
    yield* journalStart(k);
    yield* step(k, 'ext4_orphan_del; EXT4_INODE_VERITY', () => {
      k.reach('verity');
      orphanDel(k, ino);
      setFlag(k, ino, 'verity', true);
      markInodeDirty(k, ino);
    });
    yield* journalStop(k);
    yield* step(k, 'clear VERITY_IN_PROGRESS', () => {
      k.inode(ino).verityInProgress = false;
    });
    return;
  }
  yield* call(k, 'truncate_inode_pages', () => truncateInodePages(k, ino, size, WHOLE_FILE));
  yield* call(k, 'ext4_truncate', () => truncate(k, ino));
  yield* step(k, 'ext4_orphan_del; clear VERITY_IN_PROGRESS', () => {
    orphanDel(k, ino);
    k.inode(ino).verityInProgress = false;
  });
  return ret;
}

/** The descriptor behind the tree, its size at the end of its last block, and all of it on the medium. */
function* finish(k: Kernel, ino: number, size: number, tree: Tree): Op<Result<void>> {
  const descriptor = Bytes.zero(DESCRIPTOR.size)
    .putU8(DESCRIPTOR.version, 1)
    .putU8(DESCRIPTOR.algorithm, 1)
    .putU8(DESCRIPTOR.logBlockSize, Math.log2(PAGE_SIZE))
    .putU32(DESCRIPTOR.dataSize, size >>> 0)
    .putU32(DESCRIPTOR.dataSize + 4, Math.floor(size / 0x1_0000_0000))
    .splice(DESCRIPTOR.rootHash, tree.rootHash);
  const bs = k.blockSize;
  const pos = Math.ceil((metadataPos(size) + tree.size) / bs) * bs;
  const sizePos = Math.ceil((pos + DESCRIPTOR.size + 4) / bs) * bs - 4;
  const parts: readonly (readonly [pos: number, data: Bytes])[] = [
    [pos, descriptor],
    [sizePos, Bytes.zero(4).putU32(0, DESCRIPTOR.size)],
  ];
  for (const [at, data] of parts) {
    const written = yield* call(k, 'pagecache_write', () => pagecacheWrite(k, ino, at, data));
    if (isErr(written)) return written;
  }
  return yield* call(k, 'filemap_write_and_wait', () => writeAndWait(k, ino));
}
