/**
 * A saved image: what the medium holds after an unmount, with the superblock's counts brought up to date.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { readMedium } from '../device/medium.ts';
import type { Kernel } from '../kernel.ts';
import { RecordingWorld } from '../state/recording.ts';
import type { Snapshot } from '../state/world.ts';
import type { Image } from '../volume/image.ts';
import {
  FS_STATE,
  freeBlocksCountFields,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockLayout,
  withSuperblockChecksum,
} from '../volume/superblock.ts';
import { syncFilesystem } from '../writeback/sync.ts';
import { makeKernel, runToEnd, type Session } from './session.ts';

/**
 * The image that an unmount of this state would leave. The state itself is not changed.
 * @param state  any state of the session, at a point where no task stands inside the kernel
 */
export function saveImage(session: Pick<Session, 'image' | 'mount' | 'design'>, state: Snapshot): Image {
  const world = new RecordingWorld(state);
  const k = makeKernel(world, session.image, session.mount, session.design);
  const unmount = { name: 'umount', mm: 0, last: false, program: (task: Kernel) => syncFilesystem(task) };
  runToEnd(k, [unmount], undefined, (_, body) => world.step(body).value);
  const changes = new Map<number, Bytes>();
  for (const block of world.firstKeys('medium')) changes.set(block, readMedium(k, block));
  return session.image.with(withSuperblock(k, changes));
}

/** Adds the block of the primary superblock with the counts of the mounted volume. */
function withSuperblock(k: Kernel, changes: Map<number, Bytes>): Map<number, Bytes> {
  const block = Math.floor(SUPERBLOCK_OFFSET / k.blockSize);
  const offset = SUPERBLOCK_OFFSET % k.blockSize;
  const before = changes.get(block) ?? k.baseBlock(block);
  const sb = superblockLayout.put(before.slice(offset, offset + SUPERBLOCK_SIZE), {
    ...freeBlocksCountFields(k.sb.freeBlocks),
    freeInodesCount: k.sb.freeInodes,
    state: FS_STATE.VALID,
  });
  changes.set(block, before.splice(offset, withSuperblockChecksum(sb)));
  return changes;
}
