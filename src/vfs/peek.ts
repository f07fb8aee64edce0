/**
 * Looking at files without touching anything: what read(2), stat(2) and GETFLAGS would say now, from the live state.
 * Used for final views, for the library and for invariants; runs outside steps.
 */
import { Bytes } from '../bytes/bytes.ts';
import { readMedium } from '../device/medium.ts';
import { isErr } from '../errno.ts';
import { readInlineData } from '../inline/bytes.ts';
import { isDir, RESERVED_INO } from '../inode/layout.ts';
import { hasInlineData, iData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import * as dirent from '../volume/dirent.ts';
import { lookup } from '../volume/extent.ts';
import { inodeLocation } from '../volume/geometry.ts';
import { statOf } from './stat.ts';

/** The raw inode as the bdev cache has it, or as the medium has it when it is not cached. */
export function peekRaw(k: Kernel, ino: number): Bytes {
  const cached = k.raw(ino).data;
  if (cached !== null) return cached;
  const { block, offset } = inodeLocation(k.geo, ino);
  return readMedium(k, block).slice(offset, offset + k.geo.inodeSize);
}

/** A block as the bdev cache has it. */
export function peekBlock(k: Kernel, block: number): Bytes {
  return k.buf(block).data ?? readMedium(k, block);
}

/** One page of a file that is in core, as a read would see it. */
export function peekPage(k: Kernel, ino: number, index: number): Bytes {
  const folio = k.folio(ino, index);
  if (folio.present && (folio.uptodate || folio.dirty)) return folio.data ?? Bytes.zero(PAGE_SIZE);
  const inode = k.inode(ino);
  const zero = Bytes.zero(PAGE_SIZE);
  if (hasInlineData(k, ino)) {
    if (index !== 0) return zero;
    const place = { inlineOff: inode.inlineOff, inlineSize: inode.inlineSize };
    return zero.splice(0, readInlineData(peekRaw(k, ino), place, Math.min(inode.size, inode.inlineSize)));
  }
  let page = zero;
  for (let i = 0; i < k.blocksPerPage; i++) {
    const found = lookup(iData(k, ino), index * k.blocksPerPage + i, (block) => peekBlock(k, block));
    if (isErr(found) || found.kind === 'hole' || found.unwritten) continue;
    page = page.splice(i * k.blockSize, readMedium(k, found.pblk));
  }
  return page;
}

/** Bytes [from, to) of a file, clipped to i_size. */
export function peekBytes(k: Kernel, ino: number, from: number, to: number): Bytes {
  const end = Math.min(to, k.inode(ino).size);
  if (end <= from) return Bytes.zero(0);
  const out = new Uint8Array(end - from);
  for (let at = from; at < end; ) {
    const index = Math.floor(at / PAGE_SIZE);
    const inPage = at % PAGE_SIZE;
    const take = Math.min(PAGE_SIZE - inPage, end - at);
    peekPage(k, ino, index).copyTo(out, at - from, inPage, inPage + take);
    at += take;
  }
  return Bytes.adopt(out);
}

export interface FileSight {
  readonly ino: number;
  readonly size: number;
  readonly blocks: number;
  readonly inline: boolean;
  readonly dirtyPages: number;
}

/** stat and GETFLAGS of an inode in core. */
export function peekFile(k: Kernel, ino: number): FileSight {
  const { size, blocks } = statOf(k, ino);
  const dirtyPages = k.folioIndexes(ino).filter((index) => k.folio(ino, index).dirty).length;
  return { ino, size, blocks, inline: hasInlineData(k, ino), dirtyPages };
}

/** Regular files of the root directory: name → inode number, in name order. Names only; inodes may not be in core. */
export function peekRoot(k: Kernel): ReadonlyMap<string, number> {
  const raw = peekRaw(k, RESERVED_INO.root);
  const root = raw.slice(0x28, 0x28 + 60);
  const names: [string, number][] = [];
  const size = raw.u32(4);
  for (let lblk = 0; lblk * k.blockSize < size; lblk++) {
    const found = lookup(root, lblk, (block) => peekBlock(k, block));
    if (isErr(found) || found.kind === 'hole') continue;
    const { entries } = dirent.readDirents(peekBlock(k, found.pblk), { hasTail: k.geo.metadataCsum });
    for (const entry of entries) {
      const name = dirent.nameText(entry.name);
      if (entry.ino === 0 || name === '.' || name === '..') continue;
      if (!isDir(peekRaw(k, entry.ino).u16(0))) names.push([name, entry.ino]);
    }
  }
  return new Map(names.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
