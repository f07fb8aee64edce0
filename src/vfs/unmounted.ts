/**
 * The volume as an unmount leaves it: the medium, with the superblock's counts brought up to date; and what our own
 * check says about it.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { readMedium } from '../device/medium.ts';
import type { Kernel } from '../kernel.ts';
import { checkImage } from '../volume/check.ts';
import type { Image } from '../volume/image.ts';
import {
  FS_STATE,
  freeBlocksCountFields,
  RO_COMPAT,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockLayout,
  withSuperblockChecksum,
} from '../volume/superblock.ts';

/** Everything dirty has been written: see `syncFilesystem`. Reads only. @source fs/ext4/super.c ext4_put_super */
export function unmountedImage(k: Kernel, image: Image): Image {
  const changes = new Map<number, Bytes>();
  for (const block of k.world.firstKeys('medium')) changes.set(block, readMedium(k, block));
  const block = Math.floor(SUPERBLOCK_OFFSET / k.blockSize);
  const offset = SUPERBLOCK_OFFSET % k.blockSize;
  const before = changes.get(block) ?? k.baseBlock(block);
  const sb = superblockLayout.put(before.slice(offset, offset + SUPERBLOCK_SIZE), {
    ...freeBlocksCountFields(k.sb.freeBlocks),
    freeInodesCount: k.sb.freeInodes,
    state: FS_STATE.VALID,
    featureRoCompat: k.geo.features.roCompat & ~RO_COMPAT.orphan_present,
  });
  changes.set(block, before.splice(offset, withSuperblockChecksum(sb)));
  return image.with(changes);
}

/** The first error of our check on the unmounted volume; null when it is sound, or when there is no image to lay it on. */
export function unmountedComplaint(k: Kernel): string | null {
  const { image } = k.setup;
  if (image === undefined) return null;
  const key = [k.sb.freeBlocks, k.sb.freeInodes];
  for (const block of k.world.firstKeys('medium')) {
    const { data } = k.medium(block);
    if (data !== null) key.push(block, data.lo, data.hi);
  }
  const text = key.join(' ');
  let known = checked.get(image);
  if (known === undefined) checked.set(image, (known = new Map()));
  let answer = known.get(text);
  if (answer === undefined) {
    const error = checkImage(unmountedImage(k, image)).find(({ severity }) => severity === 'error');
    if (error === undefined) answer = null;
    else {
      const { structure, message } = error;
      answer = message.startsWith(structure) ? message : `${structure}: ${message}`;
    }
    known.set(text, answer);
  }
  return answer;
}

/** What was answered before for the same bytes: a search unmounts the same volume many times. */
const checked = new WeakMap<Image, Map<string, string | null>>();
