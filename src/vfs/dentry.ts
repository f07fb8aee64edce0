/**
 * The dentry by which a file was opened: a name in a directory. An open file, and a mapping that outlives it, refer to
 * it, and it refers to its directory: one that was removed lives on for them. Of a file that has two names only the
 * directories in which it is open are kept. rename(2) moves dentries with their names.
 *
 * All functions run inside a step.
 */
import type { Kernel } from '../kernel.ts';
import type { Rec } from '../state/tables.ts';
import { nameBytes } from '../volume/dirent.ts';

/** A name in a directory. */
export interface DentryName {
  /** Inode number of the directory. */
  readonly dir: number;
  readonly name: string;
}

/** What holds a dentry: open files, and mappings. */
function holders(k: Kernel): (Rec<'file'> | Rec<'vma'>)[] {
  const all: (Rec<'file'> | Rec<'vma'>)[] = [];
  for (const task of k.world.firstKeys('file')) {
    for (const slot of k.world.secondKeys('file', task)) {
      if (k.file(task, slot).open) all.push(k.file(task, slot));
    }
  }
  for (const mm of k.world.firstKeys('vma')) {
    for (const slot of k.world.secondKeys('vma', mm)) {
      if (k.vma(mm, slot).live) all.push(k.vma(mm, slot));
    }
  }
  return all;
}

/** Is something open or mapped whose dentry is in this directory? */
export function holdsDentry(k: Kernel, dir: number): boolean {
  return holders(k).some((holder) => holder.dentryDir === dir);
}

function holdersOf(k: Kernel, { dir, name }: DentryName): (Rec<'file'> | Rec<'vma'>)[] {
  const bytes = nameBytes(name);
  return holders(k).filter((holder) => holder.dentryDir === dir && holder.dentryName?.equals(bytes) === true);
}

/**
 * A name has moved. What had the new name before keeps its dentry there.
 * @param ino  what has moved
 * @source     fs/dcache.c d_move
 */
export function moveDentry(k: Kernel, ino: number, from: DentryName, to: DentryName): void {
  for (const holder of holdersOf(k, from)) {
    if (holder.ino !== ino) continue;
    holder.dentryDir = to.dir;
    holder.dentryName = nameBytes(to.name);
  }
}

/** Two names have changed places. @source fs/dcache.c d_exchange */
export function exchangeDentries(k: Kernel, a: DentryName, b: DentryName): void {
  const [ofA, ofB] = [holdersOf(k, a), holdersOf(k, b)];
  for (const [some, to] of [[ofA, b] as const, [ofB, a] as const]) {
    for (const holder of some) {
      holder.dentryDir = to.dir;
      holder.dentryName = nameBytes(to.name);
    }
  }
}
