/**
 * What the next mount makes of a medium: journal replay, orphan list, everything written home; then our own check of
 * the volume. Equal media are recovered once.
 *
 * A volume without a journal is mounted as it lies there, as a kernel without e2fsck would, and is not checked: nobody
 * promises that it is consistent.
 */
import { replay } from '../device/journal.ts';
import type { Kernel } from '../kernel.ts';
import { makeKernel, type Session } from '../scenario/session.ts';
import { FlatWorld } from '../state/flat.ts';
import { tableIndex } from '../state/tables.ts';
import { mountVolume } from '../vfs/mount.ts';
import { unmountedImage } from '../vfs/unmounted.ts';
import { checkImage } from '../volume/check.ts';
import { BadImage, type Image } from '../volume/image.ts';
import type { Medium } from './media.ts';

export interface Recovered {
  /** The volume after recovery and an unmount; null when it cannot be mounted. */
  readonly image: Image | null;
  /** What is wrong with it. */
  readonly complaint: string | null;
}

export class Recoverer {
  readonly #image: Image;
  readonly #world = new FlatWorld();
  readonly #k: Kernel;
  readonly #known = new Map<string, Recovered>();

  constructor({ image, mount, design }: Pick<Session, 'image' | 'mount' | 'design'>) {
    this.#image = image;
    this.#k = makeKernel(this.#world, image, mount, design);
    this.#world.logging = true;
  }

  /** Media that differ. */
  get distinct(): number {
    return this.#known.size;
  }

  /** @param of  the kernel whose medium fails */
  recover(of: Kernel, medium: Medium): Recovered {
    const world = this.#world;
    const k = this.#k;
    const mark = world.logLength;
    try {
      for (const block of of.world.firstKeys('medium')) k.medium(block).data = of.medium(block).data;
      for (const { block, data } of medium.losses) k.medium(block).data = data;
      k.journal.log = medium.log;
      replay(k);
      const key = `${world.t1[tableIndex.medium]} ${world.t2[tableIndex.medium]}`;
      let known = this.#known.get(key);
      if (known === undefined) {
        known = this.#mount(medium.log.length > 0);
        this.#known.set(key, known);
      }
      return known;
    } finally {
      world.undo(mark);
    }
  }

  #mount(replayed: boolean): Recovered {
    const k = this.#k;
    try {
      mountVolume(k, replayed);
      if (k.sb.halted) return { image: null, complaint: 'recovery runs into a BUG_ON' };
      const image = unmountedImage(k, this.#image);
      const error = k.hasJournal ? checkImage(image).find(({ severity }) => severity === 'error') : undefined;
      if (error === undefined) return { image, complaint: null };
      const { structure, message } = error;
      return { image, complaint: message.startsWith(structure) ? message : `${structure}: ${message}` };
    } catch (error) {
      if (!(error instanceof BadImage)) throw error;
      return { image: null, complaint: error.message };
    }
  }
}
