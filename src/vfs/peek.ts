/**
 * Looking at files without touching anything: what read(2), stat(2) and GETFLAGS would say now, from the live state.
 * Used for final views, for the library and for invariants; runs outside steps.
 */
import { Bytes } from '../bytes/bytes.ts';
import { readMedium } from '../device/medium.ts';
import { isErr } from '../errno.ts';
import { readInlineData } from '../inline/bytes.ts';
import { isDir, isLnk, isReg, RESERVED_INO } from '../inode/layout.ts';
import { hasInlineData, iData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import * as dirent from '../volume/dirent.ts';
import { lookup } from '../volume/extent.ts';
import { inodeLocation } from '../volume/geometry.ts';
import { type DirSource, dirParent, findEntry, linkText, listDirectory, readLink } from './directory.ts';
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

/** A directory or symlink as the bdev cache has it. */
function peekSource(k: Kernel, ino: number): DirSource {
  return { ino, geo: k.geo, raw: peekRaw(k, ino), block: (nr) => peekBlock(k, nr) };
}

/** The mode of an inode that need not be in core. */
function peekMode(k: Kernel, ino: number): number {
  return ino >= 1 && ino <= k.geo.inodesCount ? peekRaw(k, ino).u16(0) : 0;
}

/** Name and inode number of everything in a directory, in the order of readdir; nothing for one that cannot be read. */
export function peekDirectory(k: Kernel, ino: number): readonly (readonly [name: string, ino: number])[] {
  if (!isDir(peekMode(k, ino))) return [];
  const entries = listDirectory(peekSource(k, ino));
  return isErr(entries) ? [] : entries.map((entry) => [dirent.nameText(entry.name), entry.ino] as const);
}

/** The target of a symlink; null for anything else. */
export function peekLink(k: Kernel, ino: number): string | null {
  if (!isLnk(peekMode(k, ino))) return null;
  const target = readLink(peekSource(k, ino));
  return isErr(target) ? null : linkText(target);
}

/** Symlinks followed before a path leads nowhere. */
const MAX_SYMLINKS = 40;

/**
 * The inode of a path, as lstat(2) finds it: symlinks on the way are followed, one at its end is not. Inodes need not
 * be in core.
 */
export function peekLookup(k: Kernel, path: string): number | undefined {
  let todo = path.split('/').filter((part) => part !== '');
  let ino: number = RESERVED_INO.root;
  let symlinks = 0;
  while (todo.length > 0) {
    const [name, ...rest] = todo as [string, ...string[]];
    todo = rest;
    if (!isDir(peekMode(k, ino))) return undefined;
    if (name === '.') continue;
    if (name === '..') {
      const parent = ino === RESERVED_INO.root ? ino : dirParent(peekSource(k, ino));
      if (isErr(parent)) return undefined;
      ino = parent;
      continue;
    }
    const found = findEntry(peekSource(k, ino), dirent.nameBytes(name));
    if (found === undefined || isErr(found)) return undefined;
    const target = rest.length > 0 ? peekLink(k, found.entry.ino) : null;
    if (target === null) ino = found.entry.ino;
    else {
      if (++symlinks > MAX_SYMLINKS) return undefined;
      todo = [...target.split('/').filter((part) => part !== ''), ...rest];
      if (target.startsWith('/')) ino = RESERVED_INO.root;
    }
  }
  return ino;
}

/** Regular files of the root directory: name → inode number, in name order. Names only; inodes may not be in core. */
export function peekRoot(k: Kernel): ReadonlyMap<string, number> {
  const files = peekDirectory(k, RESERVED_INO.root).filter(([, ino]) => isReg(peekMode(k, ino)));
  return new Map(files.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** Regular files of the whole volume: path → inode number, in path order. A file of two names is there twice. */
export function peekFiles(k: Kernel): ReadonlyMap<string, number> {
  const files: [string, number][] = [];
  const entered = new Set<number>();
  const enter = (dir: number, path: string): void => {
    if (entered.has(dir)) return;
    entered.add(dir);
    for (const [name, ino] of peekDirectory(k, dir)) {
      const mode = peekMode(k, ino);
      if (isDir(mode)) enter(ino, `${path}/${name}`);
      else if (isReg(mode)) files.push([`${path}/${name}`, ino]);
    }
  };
  enter(RESERVED_INO.root, '');
  return new Map(files.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
