/**
 * A file as the medium has it, past every cache, compared with the plain model. Reads only.
 */
import { Bytes } from '../bytes/bytes.ts';
import { readMedium } from '../device/medium.ts';
import { isErr } from '../errno.ts';
import { findInlineData, readInlineData } from '../inline/bytes.ts';
import { inodeChecksumOk } from '../inode/checksum.ts';
import { I_BLOCK_AT, I_BLOCK_SIZE, INODE_FLAG, isReg, RESERVED_INO, rawSize } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { modelBirth, modelDeath, modelPromise, modelSnapshot, modelSnapshotAll } from '../model.ts';
import { modelName } from '../modelNames.ts';
import { lookup } from '../volume/extent.ts';
import { listDir } from '../volume/file.ts';
import { inodeLocation } from '../volume/geometry.ts';
import type { Image } from '../volume/image.ts';
import { fileKind } from '../volume/rawInode.ts';
import { byteString } from './directory.ts';

const zeroPage = Bytes.zero(PAGE_SIZE);

/** The raw inode on the medium. */
function mediumInode(k: Kernel, ino: number): Bytes {
  const { block, offset } = inodeLocation(k.geo, ino);
  return readMedium(k, block).slice(offset, offset + k.geo.inodeSize);
}

/** One page of a file from the medium, past the end zero; a sentence when it cannot be read. */
function mediumPage(k: Kernel, raw: Bytes, index: number): Bytes | string {
  const size = rawSize(raw);
  let page = zeroPage;
  if ((raw.u32(0x20) & INODE_FLAG.inlineData) !== 0) {
    const place = findInlineData(raw);
    if (place === undefined || place === 'corrupt') return 'inline flag without a sound system.data';
    if (index === 0) page = page.splice(0, readInlineData(raw, place, Math.min(size, place.inlineSize)));
    return page;
  }
  const root = raw.slice(I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
  for (let i = 0; i < k.blocksPerPage; i++) {
    const lblk = index * k.blocksPerPage + i;
    if (lblk * k.blockSize >= size) break;
    const found = lookup(root, lblk, (block) => readMedium(k, block));
    if (isErr(found)) return `extent tree: ${found.errno}`;
    if (found.kind === 'hole' || found.unwritten) continue;
    page = page.splice(i * k.blockSize, readMedium(k, found.pblk));
  }
  const inside = Math.max(0, Math.min(PAGE_SIZE, size - index * PAGE_SIZE));
  return page.fillRange(0, inside, PAGE_SIZE);
}

/**
 * The first difference between the medium and the model, over all files the model follows.
 * @param what  `all`: everything (after an unmount); `promised`: every promised byte must be the promised or the
 *              current one, and the size one of the two (after a crash)
 * @returns     one line, or null
 */
export function mediumMismatch(k: Kernel, what: 'all' | 'promised'): string | null {
  for (const ino of k.world.firstKeys('ghost')) {
    const ghost = k.ghost(ino);
    if (!ghost.live || (what === 'promised' && !ghost.promised)) continue;
    const raw = mediumInode(k, ino);
    if (k.geo.metadataCsum && !inodeChecksumOk(raw, ino, k.geo.csumSeed))
      return `ino ${ino}: wrong inode checksum`;
    const size = rawSize(raw);
    const sizeOk = size === ghost.size || (what === 'promised' && size === ghost.promisedSize);
    if (!sizeOk)
      return `ino ${ino}: size ${size} instead of ${what === 'all' ? ghost.size : ghost.promisedSize}`;
    for (const index of pagesOf(k, ino)) {
      const page = mediumPage(k, raw, index);
      if (typeof page === 'string') return `ino ${ino}: ${page}`;
      const now = k.ghostPage(ino, index).data ?? zeroPage;
      const then = k.ghostPage(ino, index).promised ?? zeroPage;
      const at = firstBad(page, now, what === 'promised' ? then : now);
      if (at < 0) continue;
      const pos = index * PAGE_SIZE + at;
      const want = (what === 'promised' ? then : now).u8(at);
      return `ino ${ino}: byte ${pos} is 0x${hex(page.u8(at))} on the medium, should be 0x${hex(want)}`;
    }
  }
  return null;
}

/** Files larger than this are not followed by the model when they come with the image. */
const ADOPT_MAX_BYTES = 1 << 20;

/** A file that came with the image: the model starts from what the medium holds. Inside a step. */
export function modelAdopt(k: Kernel, ino: number): void {
  const raw = mediumInode(k, ino);
  const size = rawSize(raw);
  const pages: Bytes[] = [];
  if (size <= ADOPT_MAX_BYTES) {
    for (let index = 0; index * PAGE_SIZE < size; index++) {
      const page = mediumPage(k, raw, index);
      if (typeof page === 'string') return;
      pages.push(page);
    }
  } else if ((raw.u32(0x1c) | raw.u16(0x74)) !== 0) return;
  modelBirth(k, ino, size);
  pages.forEach((page, index) => {
    if (!page.isZero()) k.ghostPage(ino, index).data = page;
  });
}

/**
 * Where power may fail: the names of the image and the files that they mean, all of it promised.
 * @param image  what the medium holds
 */
export function adoptTree(k: Kernel, image: Image): void {
  const todo: number[] = [RESERVED_INO.root];
  for (const dir of todo) {
    const names = listDir(image, dir);
    if (isErr(names)) continue;
    for (const { name, ino } of names) {
      const text = byteString(name);
      if (text === '.' || text === '..') continue;
      const kind = fileKind(image.inode(ino).mode);
      if (kind === 'file' && !k.ghost(ino).live) modelAdopt(k, ino);
      if (kind === 'directory' && !todo.includes(ino)) todo.push(ino);
      modelName(k, dir, text, ino);
    }
  }
  for (const promise of modelSnapshotAll(k)) modelPromise(k, promise);
}

/**
 * After a crash a file is what recovery gave back, and all of that is on the medium: it is what the next crash must
 * leave. Files that are gone are gone. Inside a step.
 */
export function modelRecover(k: Kernel): void {
  for (const ino of k.world.firstKeys('ghost')) {
    if (!k.ghost(ino).live) continue;
    modelDeath(k, ino);
    const raw = mediumInode(k, ino);
    if (!isReg(raw.u16(0x00)) || raw.u16(0x1a) === 0) continue;
    modelAdopt(k, ino);
    modelPromise(k, modelSnapshot(k, ino));
  }
}

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/** Pages the model knows anything about, and page 0. */
function pagesOf(k: Kernel, ino: number): readonly number[] {
  const known = k.world.secondKeys('ghostPage', ino);
  return known.includes(0) ? known : [0, ...known];
}

function firstBad(page: Bytes, a: Bytes, b: Bytes): number {
  if (page.equals(a)) return -1;
  for (let at = 0; at < PAGE_SIZE; at++) if (page.u8(at) !== a.u8(at) && page.u8(at) !== b.u8(at)) return at;
  return -1;
}
