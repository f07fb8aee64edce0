/**
 * Questions about a file: stat(2), FIEMAP, lseek(SEEK_DATA/SEEK_HOLE). Each is one step.
 */
import { lookupBlock } from '../balloc/mapBlocks.ts';
import { readBuffer } from '../device/buffer.ts';
import { err, isErr, type Result } from '../errno.ts';
import { GOOD_OLD_INODE_SIZE, isDir, isReg } from '../inode/layout.ts';
import { hasFlag, hasInlineData, iData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iDataSem, locked } from '../locks/lock.ts';
import { blocksOfPage } from '../pagecache/folio.ts';
import { BH } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { entries } from '../volume/extent.ts';
import { isDxDir } from './directory.ts';
import { dirSource } from './entry.ts';

export interface Stat {
  readonly size: number;
  /** 512-byte units: allocated, plus what is promised, plus inline bytes rounded up. */
  readonly blocks: number;
  readonly nlink: number;
  readonly mode: number;
}

/** Inside a step. @source fs/ext4/inode.c ext4_file_getattr; ext4_getattr for what is no regular file */
export function statOf(k: Kernel, ino: number): Stat {
  const { size, blocks, nlink, mode, reserved } = k.inode(ino);
  const inline = hasInlineData(k, ino) && isReg(mode) ? Math.ceil(size / 512) : 0;
  return Object.freeze({ size, blocks: blocks + inline + reserved * (k.blockSize / 512), nlink, mode });
}

export function* stat(k: Kernel, ino: number): Op<Stat> {
  return yield* step(k, 'ext4_file_getattr', () => statOf(k, ino));
}

export interface FiemapExtent {
  readonly logical: number;
  readonly length: number;
  readonly flags: number;
}

const FIEMAP = {
  last: 0x1,
  unknown: 0x2,
  delalloc: 0x4,
  inline: 0x200,
  notAligned: 0x100,
  unwritten: 0x800,
} as const;

/** Without FIEMAP_FLAG_SYNC. @source fs/ext4/extents.c ext4_fiemap; fs/ext4/inline.c ext4_inline_data_iomap */
export function* fiemap(k: Kernel, ino: number): Op<Result<readonly FiemapExtent[]>> {
  return yield* locked(k, iDataSem(ino), 'shared', 'ext4_fiemap', (): Result<readonly FiemapExtent[]> => {
    const { size, inlineSize } = k.inode(ino);
    if (hasInlineData(k, ino)) {
      const length = Math.min(size, inlineSize);
      return length === 0
        ? []
        : [{ logical: 0, length, flags: FIEMAP.inline | FIEMAP.notAligned | FIEMAP.last }];
    }
    const out: { logical: number; length: number; flags: number; next: number; state: string }[] = [];
    for (const lblk of mappedBlocks(k, ino)) {
      const found = lookupBlock(k, ino, lblk);
      if (isErr(found)) return found;
      const last = out.at(-1);
      const flags =
        found.state === 'delayed'
          ? FIEMAP.unknown | FIEMAP.delalloc
          : found.state === 'unwritten'
            ? FIEMAP.unwritten
            : 0;
      const joins =
        last !== undefined &&
        last.state === found.state &&
        last.logical + last.length === lblk * k.blockSize &&
        (found.state === 'delayed' || last.next === found.block);
      if (joins) {
        last.length += k.blockSize;
        last.next = found.block + 1;
      } else {
        out.push({
          logical: lblk * k.blockSize,
          length: k.blockSize,
          flags,
          next: found.block + 1,
          state: found.state,
        });
      }
    }
    return out.map(({ logical, length, flags }, i) => ({
      logical,
      length,
      flags: i === out.length - 1 ? flags | FIEMAP.last : flags,
    }));
  });
}

/**
 * With FIEMAP_FLAG_XATTR: where xattrs are, in the inode or else in the external block.
 * @source fs/ext4/extents.c ext4_iomap_xattr_fiemap
 */
export function* fiemapXattr(k: Kernel, ino: number): Op<Result<readonly FiemapExtent[]>> {
  return yield* step(k, 'ext4_iomap_xattr_fiemap', () => {
    const { xattr, extraIsize, fileAcl } = k.inode(ino);
    if (xattr) {
      const length = k.geo.inodeSize - GOOD_OLD_INODE_SIZE - extraIsize;
      return [{ logical: 0, length, flags: FIEMAP.inline | FIEMAP.notAligned | FIEMAP.last }];
    }
    return fileAcl === 0 ? [] : [{ logical: 0, length: k.blockSize, flags: FIEMAP.last }];
  });
}

/** Logical blocks that are mapped, unwritten or delayed, ascending. Inside a step. */
function mappedBlocks(k: Kernel, ino: number): number[] {
  const blocks = new Set<number>(k.inode(ino).delayed ?? []);
  if (hasFlag(k, ino, 'extents')) {
    const tree = entries(iData(k, ino), (block) => readBuffer(k, block));
    if (!isErr(tree)) {
      for (const { lblk, length } of tree) for (let i = 0; i < length; i++) blocks.add(lblk + i);
    }
  }
  return [...blocks].sort((a, b) => a - b);
}

/** Where a directory that is read in hash order ends: positions in it are hashes. @source fs/ext4/dir.c ext4_get_htree_eof */
const HTREE_EOF = 2 ** 63 - 1;

/**
 * @returns the offset; ENXIO past the end; ENOENT for an inline file that is larger than its inline bytes, as the
 *          kernel has it
 * @source  fs/ext4/dir.c ext4_dir_llseek; fs/ext4/file.c ext4_llseek; fs/ext4/inode.c ext4_iomap_begin_report;
 *          mm/filemap.c mapping_seek_hole_data; fs/buffer.c block_is_partially_uptodate
 */
export function* seek(k: Kernel, ino: number, whence: 'data' | 'hole', offset: number): Op<Result<number>> {
  return yield* locked(k, iDataSem(ino), 'shared', 'ext4_llseek', (): Result<number> => {
    const { size, inlineSize, mode } = k.inode(ino);
    if (isDir(mode) && isDxDir(dirSource(k, ino))) return whence === 'data' ? offset : HTREE_EOF;
    if (offset >= size) return err('ENXIO');
    if (hasInlineData(k, ino)) {
      const length = Math.min(size, inlineSize);
      if (offset < length && whence === 'data') return offset;
      return size <= length ? size : err('ENOENT');
    }
    const isData = (lblk: number): boolean => {
      const found = lookupBlock(k, ino, lblk);
      if (isErr(found) || found.state === 'hole') return false;
      if (found.state !== 'unwritten') return true;
      const folio = k.folio(ino, Math.floor(lblk / k.blocksPerPage));
      if (!folio.present || folio.uptodate) return folio.present;
      return k.blocksPerPage > 1 && (k.fbuf(ino, lblk).state & BH.uptodate) !== 0;
    };
    // A search for data in an unwritten run that finds some behind it, in the same page, ends where the run does.
    const endsBeforeData = (lblk: number): boolean => {
      const [found, next] = [lookupBlock(k, ino, lblk), lookupBlock(k, ino, lblk + 1)];
      if (isErr(found) || isErr(next) || found.state !== 'unwritten') return false;
      if (next.state === 'unwritten' && next.block === found.block + 1) return false;
      const index = Math.floor(lblk / k.blocksPerPage);
      const folio = k.folio(ino, index);
      if (!folio.present || folio.uptodate || !folio.buffers) return false;
      return blocksOfPage(k, index).some(
        (each) => each > lblk && (k.fbuf(ino, each).state & BH.uptodate) !== 0,
      );
    };
    const blocks = mappedBlocks(k, ino);
    const stop = Math.ceil(size / k.blockSize);
    const candidates =
      whence === 'data' ? blocks : [Math.floor(offset / k.blockSize), ...blocks.map((b) => b + 1)];
    for (const lblk of candidates) {
      if (lblk >= stop || (lblk + 1) * k.blockSize <= offset) continue;
      if (isData(lblk) === (whence === 'data')) return Math.max(offset, lblk * k.blockSize);
      if (whence === 'data' && endsBeforeData(lblk)) return (lblk + 1) * k.blockSize;
    }
    return whence === 'data' ? err('ENXIO') : size;
  });
}
