/**
 * The plain model of names: what a name of a directory means, and what it meant before. Kept only where power may fail,
 * to say what a crash may give back. A file is named by its inode number and how often that was freed before.
 *
 * All functions run inside a step, in that which changes the directory.
 */
import type { Kernel } from './kernel.ts';
import type { GhostName } from './state/tables.ts';

/** The file that an inode number means now. */
export function fileId(k: Kernel, ino: number): string {
  return `${ino}.${k.ghost(ino).births}`;
}

/** The inode number of a file. */
export const inoOf = (file: string): number => Number.parseInt(file, 10);

/** A name means another file now; 0 for none. */
export function modelName(k: Kernel, dir: number, name: string, ino: number): void {
  if (!k.powerFails) return;
  const ghost = k.ghostDir(dir);
  const names = ghost.names ?? [];
  const at = names.findIndex((each) => each.name === name);
  const file = ino === 0 ? null : fileId(k, ino);
  const known = names[at] ?? { name, meant: [null], floor: 0 };
  const before = known.meant.at(-1) ?? null;
  if (before === file) return;
  const next = { ...known, meant: [...known.meant, file] };
  ghost.names = at < 0 ? [...names, next].sort((a, b) => (a.name < b.name ? -1 : 1)) : names.with(at, next);
  if (before !== null && !isNamed(k, before)) k.ghost(inoOf(before)).nameless = true;
}

/** Does any name mean this file now? */
export function isNamed(k: Kernel, file: string): boolean {
  return k.world
    .firstKeys('ghostDir')
    .some((dir) => k.ghostDir(dir).names?.some(({ meant }) => meant.at(-1) === file));
}

/** What a directory's names mean when a durability call starts: for each, how many meanings it had. */
export function modelNamesOf(k: Kernel, dir: number): readonly GhostName[] {
  return k.powerFails ? (k.ghostDir(dir).names ?? []) : [];
}

/** The call returned: a crash gives back what names meant when it started, or later. */
export function modelPromiseNames(k: Kernel, dir: number, then: readonly GhostName[]): void {
  if (!k.powerFails) return;
  const ghost = k.ghostDir(dir);
  const floors = new Map(then.map(({ name, meant }) => [name, meant.length - 1]));
  const names = (ghost.names ?? []).map((each) => ({
    ...each,
    floor: Math.max(each.floor, floors.get(each.name) ?? 0),
  }));
  if (names.length > 0) ghost.names = names;
}
