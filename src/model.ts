/**
 * The plain model: a file is a byte array. It is kept in ghost records that the kernel code never reads, changed in
 * the very step that changes the real thing, so that it is right under every interleaving:
 *
 *   write(2)     when the bytes are in the folio          mapped store   when the bytes are in the folio
 *   truncate(2)  when i_size is set                        fsync …        `promise`: what must survive from here on
 *
 * A read, a mapped load and a stat compare with it at the moment they look. Bytes past i_size belong to nobody: a
 * store there is not part of the file.
 *
 * All functions run inside a step.
 */
import { Bytes } from './bytes/bytes.ts';
import type { Kernel } from './kernel.ts';
import { PAGE_SIZE } from './kernel.ts';

const zeroPage = Bytes.zero(PAGE_SIZE);

/** The file as the model has it, from `pos`; bytes past its size are left out. */
export function modelRead(k: Kernel, ino: number, pos: number, length: number): Bytes {
  const { size } = k.ghost(ino);
  const end = Math.min(size, pos + length);
  if (end <= pos) return Bytes.zero(0);
  const out = new Uint8Array(end - pos);
  for (let at = pos; at < end; ) {
    const index = Math.floor(at / PAGE_SIZE);
    const from = at % PAGE_SIZE;
    const take = Math.min(PAGE_SIZE - from, end - at);
    (k.ghostPage(ino, index).data ?? zeroPage).copyTo(out, at - pos, from, from + take);
    at += take;
  }
  return Bytes.adopt(out);
}

/** A file is born, or first seen, with this size. */
export function modelBirth(k: Kernel, ino: number, size: number): void {
  const ghost = k.ghost(ino);
  ghost.live = true;
  ghost.size = size;
}

/** The file is gone for good. */
export function modelDeath(k: Kernel, ino: number): void {
  const ghost = k.ghost(ino);
  ghost.live = ghost.promised = false;
  ghost.size = ghost.promisedSize = 0;
  for (const index of k.world.secondKeys('ghostPage', ino)) {
    const page = k.ghostPage(ino, index);
    page.data = page.promised = null;
  }
}

/** Bytes arrive inside one page. They do not change the size: `modelGrow` does. */
export function modelWrite(k: Kernel, ino: number, pos: number, data: Bytes): void {
  if (!k.ghost(ino).live || data.length === 0) return;
  const page = k.ghostPage(ino, Math.floor(pos / PAGE_SIZE));
  page.data = nullIfZero((page.data ?? zeroPage).splice(pos % PAGE_SIZE, data));
}

/** A store through a mapping: only the part inside the file is in the file. */
export function modelStore(k: Kernel, ino: number, pos: number, data: Bytes): void {
  const inside = Math.min(data.length, k.ghost(ino).size - pos);
  if (inside > 0) modelWrite(k, ino, pos, data.slice(0, inside));
}

/** i_size grows to `size`. */
export function modelGrow(k: Kernel, ino: number, size: number): void {
  const ghost = k.ghost(ino);
  if (ghost.live && size > ghost.size) ghost.size = size;
}

/** i_size becomes `size`; bytes past it are gone and read as zeros when the file grows again. */
export function modelTruncate(k: Kernel, ino: number, size: number): void {
  const ghost = k.ghost(ino);
  if (!ghost.live) return;
  if (size < ghost.size) modelZero(k, ino, size, ghost.size);
  ghost.size = size;
}

/** Bytes [from, to) become zero: a hole, a zeroed range. */
export function modelZero(k: Kernel, ino: number, from: number, to: number): void {
  for (const index of k.world.secondKeys('ghostPage', ino)) {
    const page = k.ghostPage(ino, index);
    const start = Math.max(from - index * PAGE_SIZE, 0);
    const end = Math.min(to - index * PAGE_SIZE, PAGE_SIZE);
    if (page.data !== null && end > start) page.data = nullIfZero(page.data.fillRange(0, start, end));
  }
}

/** Bytes [from, to) are cut out, or as many zeros are put in at `from`: what follows moves. */
export function modelShift(
  k: Kernel,
  ino: number,
  from: number,
  to: number,
  how: 'collapse' | 'insert',
): void {
  const ghost = k.ghost(ino);
  if (!ghost.live) return;
  const { size } = ghost;
  const head = modelRead(k, ino, 0, from);
  const gone = how === 'collapse';
  const rest = modelRead(k, ino, gone ? to : from, size);
  const parts = gone ? [head, rest] : [head, Bytes.zero(to - from), rest];
  const bytes = Bytes.concat(parts);
  for (const index of k.world.secondKeys('ghostPage', ino)) k.ghostPage(ino, index).data = null;
  ghost.size = bytes.length;
  for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
    const piece = bytes.slice(at, Math.min(bytes.length, at + PAGE_SIZE));
    if (!piece.isZero()) modelWrite(k, ino, at, piece);
  }
}

/** What a durability call will have promised: taken when it starts, given to `modelPromise` when it returns. */
export interface PromiseOf {
  readonly size: number;
  readonly pages: readonly (readonly [index: number, data: Bytes | null])[];
}

/** The file as it is when a durability call starts; null for a file the model does not follow. */
export function modelSnapshot(k: Kernel, ino: number): PromiseOf | null {
  const ghost = k.ghost(ino);
  if (!ghost.live) return null;
  const pages = k.world
    .secondKeys('ghostPage', ino)
    .map((index) => [index, k.ghostPage(ino, index).data] as const);
  return { size: ghost.size, pages: pages.filter(([, data]) => data !== null) };
}

/**
 * The call returned: this must survive, and what was promised before outside bytes [from, to), which are whole pages.
 */
export function modelPromise(
  k: Kernel,
  ino: number,
  what: PromiseOf | null,
  from = 0,
  to: number = Number.POSITIVE_INFINITY,
): void {
  const ghost = k.ghost(ino);
  if (!ghost.live || what === null) return;
  const inside = (index: number): boolean => index * PAGE_SIZE >= from && index * PAGE_SIZE < to;
  ghost.promised = true;
  ghost.promisedSize =
    to === Number.POSITIVE_INFINITY ? what.size : Math.min(what.size, Math.max(ghost.promisedSize, to));
  for (const index of k.world.secondKeys('ghostPage', ino)) {
    if (inside(index)) k.ghostPage(ino, index).promised = null;
  }
  for (const [index, data] of what.pages) if (inside(index)) k.ghostPage(ino, index).promised = data;
}

/** What was promised, from `pos`, up to the promised size. */
export function promisedRead(k: Kernel, ino: number, pos: number, length: number): Bytes {
  const end = Math.min(k.ghost(ino).promisedSize, pos + length);
  if (end <= pos) return Bytes.zero(0);
  const out = new Uint8Array(end - pos);
  for (let at = pos; at < end; ) {
    const index = Math.floor(at / PAGE_SIZE);
    const from = at % PAGE_SIZE;
    const take = Math.min(PAGE_SIZE - from, end - at);
    (k.ghostPage(ino, index).promised ?? zeroPage).copyTo(out, at - pos, from, from + take);
    at += take;
  }
  return Bytes.adopt(out);
}

/** True when what a read gave is what the model has; otherwise the finding `model-mismatch`. */
export function modelCheck(k: Kernel, ino: number, pos: number, seen: Bytes): boolean {
  const { live, size } = k.ghost(ino);
  if (!live) return true;
  let same = seen.length <= Math.max(0, size - pos);
  for (let at = 0; same && at < seen.length; ) {
    const index = Math.floor((pos + at) / PAGE_SIZE);
    const from = (pos + at) % PAGE_SIZE;
    const take = Math.min(PAGE_SIZE - from, seen.length - at);
    same = (k.ghostPage(ino, index).data ?? zeroPage).rangeEquals(from, seen, at, at + take);
    at += take;
  }
  return !k.warnOn('model-mismatch', !same);
}

const nullIfZero = (data: Bytes): Bytes | null => (data.isZero() ? null : data);
