/**
 * The plain model: a file is a byte array. It is kept in ghost records that the kernel code never reads, changed in
 * the very step that changes the real thing, so that it is right under every interleaving:
 *
 *   write(2)     when the bytes are in the folio          mapped store   when the bytes are in the folio
 *   truncate(2)  when i_size is set                        fsync …        `promise`: what must survive from here on
 *
 * A read, a mapped load and a stat compare with it at the moment they look. Bytes past i_size belong to nobody: a
 * store there is not part of the file. But one beside a call that makes the file longer may come before or after it:
 * when i_size is set, the file has those of these bytes that the folio has, and the call may still zero what nobody
 * has read.
 *
 * All functions run inside a step.
 */
import { Bytes } from './bytes/bytes.ts';
import type { Kernel } from './kernel.ts';
import { PAGE_SIZE } from './kernel.ts';
import { fileId, isNamed, modelNamesOf, modelPromiseNames } from './modelNames.ts';
import type { FormerFile, GhostName } from './state/tables.ts';

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

function setPage(k: Kernel, ino: number, index: number, data: Bytes | null): void {
  const page = k.ghostPage(ino, index);
  if (k.powerFails && data !== page.data) page.past = [...(page.past ?? []), page.data];
  page.data = data;
}

function setSize(k: Kernel, ino: number, size: number): void {
  const ghost = k.ghost(ino);
  if (k.powerFails && size !== ghost.size) ghost.pastSizes = [...(ghost.pastSizes ?? []), ghost.size];
  ghost.size = size;
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
  if (k.powerFails) {
    if (ghost.live) ghost.formers = [...(ghost.formers ?? []), former(k, ino)];
    ghost.births++;
    ghost.pastSizes = null;
    ghost.floorSize = 0;
    ghost.nameless = false;
  }
  ghost.live = ghost.promised = ghost.beyond = false;
  ghost.size = ghost.promisedSize = ghost.growTo = 0;
  for (const index of k.world.secondKeys('ghostPage', ino)) {
    const page = k.ghostPage(ino, index);
    page.data = page.promised = page.past = page.beyond = null;
    page.floor = 0;
  }
}

/** Everything the model knows of the content of a file. */
export function former(k: Kernel, ino: number): FormerFile {
  const { births, promised, size, pastSizes, floorSize } = k.ghost(ino);
  const pages = k.world.secondKeys('ghostPage', ino).flatMap((index) => {
    const { data, past, floor } = k.ghostPage(ino, index);
    return data === null && past === null ? [] : [{ index, versions: [...(past ?? []), data], floor }];
  });
  return { births, promised, sizes: [...(pastSizes ?? []), size], floorSize, pages };
}

/** Bytes arrive inside one page. They do not change the size: `modelGrow` does. */
export function modelWrite(k: Kernel, ino: number, pos: number, data: Bytes): void {
  if (!k.ghost(ino).live || data.length === 0) return;
  const index = Math.floor(pos / PAGE_SIZE);
  const page = k.ghostPage(ino, index).data ?? zeroPage;
  setPage(k, ino, index, nullIfZero(page.splice(pos % PAGE_SIZE, data)));
}

/** A store inside a page through a mapping: only the part inside the file is in the file. */
export function modelStore(k: Kernel, ino: number, pos: number, data: Bytes): void {
  const { size, growTo } = k.ghost(ino);
  const inside = Math.min(data.length, Math.max(0, size - pos));
  if (inside > 0) modelWrite(k, ino, pos, data.slice(0, inside));
  const past = data.slice(inside, Math.min(data.length, Math.max(inside, growTo - pos)));
  if (growTo <= size || past.length === 0) return;
  const page = k.ghostPage(ino, Math.floor(pos / PAGE_SIZE));
  page.beyond = [...(page.beyond ?? []), [(pos % PAGE_SIZE) + inside, past]];
  k.ghost(ino).beyond = true;
}

/** A call begins that may make the file end at `end`: what is stored past its end from here on is stored beside it. */
export function modelExtend(k: Kernel, ino: number, end: number): void {
  const ghost = k.ghost(ino);
  if (!ghost.live) return;
  forgetBeyond(k, ino);
  const growTo = end > ghost.size ? end : 0;
  if (ghost.growTo !== growTo) ghost.growTo = growTo;
}

/** i_size grows to `size`. */
export function modelGrow(k: Kernel, ino: number, size: number): void {
  const ghost = k.ghost(ino);
  if (!ghost.live || size <= ghost.size) return;
  setSize(k, ino, size);
  if (size >= ghost.growTo && ghost.growTo > 0) ghost.growTo = 0;
  if (!ghost.beyond) return;
  for (const index of k.world.secondKeys('ghostPage', ino)) {
    for (const [at, data] of k.ghostPage(ino, index).beyond ?? []) {
      const bytes = data.slice(0, Math.min(data.length, Math.max(0, size - index * PAGE_SIZE - at)));
      const { present, data: page } = k.folio(ino, index);
      if (present && (page ?? zeroPage).slice(at, at + bytes.length).equals(bytes))
        modelWrite(k, ino, index * PAGE_SIZE + at, bytes);
    }
  }
}

/** The kernel zeroes bytes [from, to) of one page behind the old end: what was stored there beside the call is gone. */
export function modelZeroBeyond(k: Kernel, ino: number, from: number, to: number): void {
  for (const [at, data] of forgetBeyond(k, ino, from, to))
    modelZero(k, ino, Math.max(from, at), Math.min(to, at + data.length));
}

/** @returns what was stored beside the call in [from, to), by place in the file */
function forgetBeyond(
  k: Kernel,
  ino: number,
  from = 0,
  to = Number.POSITIVE_INFINITY,
): (readonly [at: number, data: Bytes])[] {
  const ghost = k.ghost(ino);
  if (!ghost.beyond) return [];
  ghost.beyond = false;
  return k.world.secondKeys('ghostPage', ino).flatMap((index) => {
    const page = k.ghostPage(ino, index);
    if (page.beyond === null) return [];
    const start = index * PAGE_SIZE;
    const outside = page.beyond.filter(([at, { length }]) => start + at >= to || start + at + length <= from);
    const inside = page.beyond.filter((each) => !outside.includes(each));
    page.beyond = outside.length === 0 ? null : outside;
    if (outside.length > 0) ghost.beyond = true;
    return inside.map(([at, data]) => [start + at, data] as const);
  });
}

/** i_size becomes `size`; bytes past it are gone and read as zeros when the file grows again. */
export function modelTruncate(k: Kernel, ino: number, size: number): void {
  const ghost = k.ghost(ino);
  if (!ghost.live) return;
  if (size > ghost.size) return modelGrow(k, ino, size);
  modelZero(k, ino, size, ghost.size);
  setSize(k, ino, size);
}

/** Bytes [from, to) become zero: a hole, a zeroed range. */
export function modelZero(k: Kernel, ino: number, from: number, to: number): void {
  for (const index of k.world.secondKeys('ghostPage', ino)) {
    const { data } = k.ghostPage(ino, index);
    const start = Math.max(from - index * PAGE_SIZE, 0);
    const end = Math.min(to - index * PAGE_SIZE, PAGE_SIZE);
    if (data !== null && end > start) setPage(k, ino, index, nullIfZero(data.fillRange(0, start, end)));
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
  for (const index of k.world.secondKeys('ghostPage', ino)) setPage(k, ino, index, null);
  setSize(k, ino, bytes.length);
  for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
    const piece = bytes.slice(at, Math.min(bytes.length, at + PAGE_SIZE));
    if (!piece.isZero()) modelWrite(k, ino, at, piece);
  }
}

/** What a durability call will have promised: taken when it starts, given to `modelPromise` when it returns. */
export interface PromiseOf {
  readonly ino: number;
  /** Of a directory, where power may fail. */
  readonly names: readonly GhostName[];
  readonly size: number;
  readonly pages: readonly (readonly [index: number, data: Bytes | null])[];
}

/** Everything as it is when sync(2) or syncfs(2) starts. */
export function modelSnapshotAll(k: Kernel): readonly PromiseOf[] {
  const all = new Set([...k.world.firstKeys('ghost'), ...k.world.firstKeys('ghostDir')]);
  return [...all].flatMap((ino) => modelSnapshot(k, ino) ?? []);
}

/** The file as it is when a durability call starts; null for one that the model does not follow. */
export function modelSnapshot(k: Kernel, ino: number): PromiseOf | null {
  const ghost = k.ghost(ino);
  const names = modelNamesOf(k, ino);
  if (!ghost.live && names.length === 0) return null;
  const pages = k.world
    .secondKeys('ghostPage', ino)
    .map((index) => [index, k.ghostPage(ino, index).data] as const);
  return { ino, names, size: ghost.size, pages: pages.filter(([, data]) => data !== null) };
}

/**
 * The call returned: this must survive, and what was promised before outside bytes [from, to), which are whole pages.
 */
export function modelPromise(
  k: Kernel,
  what: PromiseOf | null,
  from = 0,
  to: number = Number.POSITIVE_INFINITY,
): void {
  if (what === null) return;
  const { ino } = what;
  modelPromiseNames(k, ino, what.names);
  const ghost = k.ghost(ino);
  if (!ghost.live) return;
  const inside = (index: number): boolean => index * PAGE_SIZE >= from && index * PAGE_SIZE < to;
  ghost.promised = true;
  ghost.promisedSize =
    to === Number.POSITIVE_INFINITY ? what.size : Math.min(what.size, Math.max(ghost.promisedSize, to));
  if (k.powerFails) {
    ghost.nameless = !isNamed(k, fileId(k, ino));
    if (to >= what.size)
      ghost.floorSize = lastOf([...(ghost.pastSizes ?? []), ghost.size], (size) => size === what.size);
    const promised = new Map(what.pages);
    for (const index of k.world.secondKeys('ghostPage', ino)) {
      if (!inside(index)) continue;
      const page = k.ghostPage(ino, index);
      const then = promised.get(index) ?? null;
      page.floor = lastOf([...(page.past ?? []), page.data], (data) => sameBytes(data, then));
    }
  }
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
  forgetBeyond(k, ino, pos, Math.min(size, pos + seen.length));
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

/** Where it was last so; 0 when it never was. */
function lastOf<T>(all: readonly T[], is: (one: T) => boolean): number {
  return Math.max(0, all.findLastIndex(is));
}

const sameBytes = (a: Bytes | null, b: Bytes | null): boolean =>
  a === b || (a !== null && b !== null && a.equals(b));

const nullIfZero = (data: Bytes): Bytes | null => (data.isZero() ? null : data);
