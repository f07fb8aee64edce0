/**
 * A saved image: what the medium holds after an unmount, with the superblock's counts brought up to date.
 */
import type { Kernel } from '../kernel.ts';
import { RecordingWorld } from '../state/recording.ts';
import type { Snapshot } from '../state/world.ts';
import { evictUnlinked } from '../vfs/evict.ts';
import { unmountedImage } from '../vfs/unmounted.ts';
import type { Image } from '../volume/image.ts';
import { syncFilesystem } from '../writeback/sync.ts';
import { makeKernel, runToEnd, type Session } from './session.ts';

/**
 * The image that an unmount of this state would leave, all programs gone. The state itself is not changed.
 * @param state  any state of the session, at a point where no task stands inside the kernel
 */
export function saveImage(session: Pick<Session, 'image' | 'mount' | 'design'>, state: Snapshot): Image {
  const world = new RecordingWorld(state);
  const k = makeKernel(world, session.image, session.mount, session.design);
  const unmount = {
    name: 'umount',
    mm: 0,
    last: false,
    *program(task: Kernel) {
      yield* evictUnlinked(task);
      yield* syncFilesystem(task);
    },
  };
  runToEnd(k, [unmount], undefined, (_, body) => world.step(body).value);
  return unmountedImage(k, session.image);
}
