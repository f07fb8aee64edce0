/**
 * A recovered volume against the plain model: what a crash gives back must be something that the programs made, and
 * nothing older than what they were promised.
 *
 *   name     means a file that it meant when its directory was last promised, or later; no other names
 *   file     its size and each of its bytes are one of those it had when it was last promised, or later; a file that was
 *            promised and always had a name still has one
 *   bytes    no byte is one that the file never had: other files' bytes, or what the block held before
 *
 * Bytes are taken one by one: a crash may mix writes that nobody promised. Zeros are anybody's where the file was once
 * shorter or nothing was promised.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { isErr } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { former } from '../model.ts';
import { fileId, inoOf } from '../modelNames.ts';
import type { FormerFile, GhostName } from '../state/tables.ts';
import { listDir, readFile } from '../volume/file.ts';
import type { Image } from '../volume/image.ts';
import { fileKind } from '../volume/rawInode.ts';

export interface Broken {
  /** A promise of fsync, sync and the like. */
  readonly promise: string | null;
  /** Bytes that were never the file's. */
  readonly foreign: string | null;
}

const FINE: Broken = { promise: null, foreign: null };
const UNKNOWN_NAMES = new Set(['.', '..', 'lost+found']);

/** The first of each kind, in the order of directories and names. */
export function compareRecovered(k: Kernel, image: Image): Broken {
  let promise: string | null = null;
  let foreign: string | null = null;
  const seen = new Set<string>();
  const note = (found: Broken): void => {
    promise ??= found.promise;
    foreign ??= found.foreign;
  };
  for (const { path, ino: dir } of directories(k, image)) {
    const there = namesOf(image, dir);
    if (typeof there === 'string') {
      note({ promise: `${path}: ${there}`, foreign: null });
      continue;
    }
    const known = k.ghostDir(dir).names ?? [];
    for (const each of known)
      note(compareName(k, image, `${path}${each.name}`, each, there.get(each.name) ?? null, seen));
    for (const name of there.keys()) {
      if (known.some((each) => each.name === name) || UNKNOWN_NAMES.has(name)) continue;
      note({ promise: `${path}${name} is there, and nobody made it`, foreign: null });
    }
  }
  note(lostFiles(k, seen));
  return promise === null && foreign === null ? FINE : { promise, foreign };
}

/** Directories of the recovered volume whose names the model follows, from the root down. */
function* directories(k: Kernel, image: Image): Generator<{ path: string; ino: number }> {
  const todo = [{ path: '/', ino: 2 }];
  const done = new Set<number>();
  for (let at = 0; at < todo.length; at++) {
    const { path, ino } = todo[at]!;
    if (done.has(ino)) continue;
    done.add(ino);
    yield { path, ino };
    const names = namesOf(image, ino);
    if (typeof names === 'string') continue;
    for (const [name, child] of names) {
      if (UNKNOWN_NAMES.has(name) || fileKind(image.inode(child).mode) !== 'directory') continue;
      if (k.ghostDir(child).names !== null) todo.push({ path: `${path}${name}/`, ino: child });
    }
  }
}

function namesOf(image: Image, dir: number): ReadonlyMap<string, number> | string {
  const listed = listDir(image, dir);
  if (isErr(listed)) return `cannot be listed: ${listed.errno}`;
  return new Map(listed.map(({ name, ino }) => [String.fromCharCode(...name.toUint8Array()), ino]));
}

function compareName(
  k: Kernel,
  image: Image,
  path: string,
  { meant, floor }: GhostName,
  ino: number | null,
  seen: Set<string>,
): Broken {
  const allowed = meant.slice(floor);
  if (ino === null) {
    if (allowed.includes(null)) return FINE;
    return { promise: `${path} is gone`, foreign: null };
  }
  const files = allowed.filter((file): file is string => file !== null && inoOf(file) === ino);
  if (files.length === 0) return { promise: `${path} is ino ${ino}, which it did not mean`, foreign: null };
  let first: Broken | null = null;
  for (const file of files) {
    const history = historyOf(k, file);
    const found = history === null ? FINE : compareFile(image, path, ino, history);
    if (found === FINE) {
      seen.add(file);
      return FINE;
    }
    first ??= found;
  }
  for (const file of files) seen.add(file);
  return first!;
}

/** What the model knows of a file, alive or not; null when it does not follow it. */
function historyOf(k: Kernel, file: string): FormerFile | null {
  const ino = inoOf(file);
  const ghost = k.ghost(ino);
  if (fileId(k, ino) === file) return ghost.live ? former(k, ino) : null;
  return ghost.formers?.find(({ births }) => `${ino}.${births}` === file) ?? null;
}

function compareFile(image: Image, path: string, ino: number, history: FormerFile): Broken {
  const { promised, sizes, floorSize, pages } = history;
  const inode = image.inode(ino);
  const { size } = inode;
  const allowedSizes = promised ? sizes.slice(floorSize) : sizes;
  if (!allowedSizes.includes(size)) {
    const want = [...new Set(allowedSizes)].join(' or ');
    // A size that was promised is a promise; without one a size between two is what a long write leaves.
    if (promised)
      return { promise: `${path} (ino ${ino}) has size ${size} instead of ${want}`, foreign: null };
  }
  const content = readFile(image, ino);
  if (isErr(content))
    return { promise: `${path} (ino ${ino}) cannot be read: ${content.errno}`, foreign: null };
  let promise: string | null = null;
  let foreign: string | null = null;
  const shortest = promised ? Math.min(...allowedSizes) : 0;
  for (let index = 0; index * PAGE_SIZE < size; index++) {
    const page = pages.find((each) => each.index === index);
    const versions = page?.versions ?? NEVER_WRITTEN;
    const floor = promised ? (page?.floor ?? 0) : 0;
    if (matches(content, index, versions.at(-1) ?? null)) continue;
    const end = Math.min(PAGE_SIZE, size - index * PAGE_SIZE);
    for (let at = 0; at < end; at++) {
      const pos = index * PAGE_SIZE + at;
      const byte = content.u8(pos);
      if ((byte === 0 && shortest <= pos) || isOneOf(byte, at, versions, floor)) continue;
      const what = `${path} (ino ${ino}): byte ${pos} is ${hex(byte)}`;
      const had = byte === 0 || isOneOf(byte, at, versions, 0);
      if (had) promise ??= `${what}, promised ${hex(versions[floor]?.u8(at) ?? 0)}`;
      else foreign ??= `${what}, which the file never had there`;
    }
  }
  return promise === null && foreign === null ? FINE : { promise, foreign };
}

const NEVER_WRITTEN: readonly (Bytes | null)[] = [null];

/** Is the byte that of some version from `from` on? A plain loop: it is asked for every byte of every medium. */
function isOneOf(byte: number, at: number, versions: readonly (Bytes | null)[], from: number): boolean {
  for (let i = from; i < versions.length; i++) {
    const data = versions[i]!;
    if (data === null ? byte === 0 : data.u8(at) === byte) return true;
  }
  return false;
}

function matches(content: Bytes, index: number, page: Bytes | null): boolean {
  const from = index * PAGE_SIZE;
  const to = Math.min(content.length, from + PAGE_SIZE);
  return page === null ? content.isZero(from, to) : page.rangeEquals(0, content, from, to);
}

/** Files that were promised, always had a name, and have none now. */
function lostFiles(k: Kernel, seen: ReadonlySet<string>): Broken {
  for (const ino of k.world.firstKeys('ghost')) {
    const { live, promised, nameless } = k.ghost(ino);
    if (!live || !promised || nameless || seen.has(fileId(k, ino))) continue;
    return { promise: `ino ${ino} was promised and has no name`, foreign: null };
  }
  return FINE;
}

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;
