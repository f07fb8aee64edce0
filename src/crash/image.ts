/** A crash state as an image: the medium as power left it, with the log in jbd2's own format, waiting for recovery. */
import type { Bytes } from '../bytes/bytes.ts';
import { readMedium } from '../device/medium.ts';
import type { Kernel } from '../kernel.ts';
import type { Image } from '../volume/image.ts';
import { withLog } from '../volume/journalWrite.ts';
import type { Medium } from './media.ts';

/**
 * @param image  the volume before the session
 * @throws       RangeError when the transactions do not fit the journal, which the emulated kernel never looks at
 */
export function crashImage(k: Kernel, image: Image, medium: Medium): Image {
  const blocks = new Map<number, Bytes>();
  for (const block of k.world.firstKeys('medium')) blocks.set(block, readMedium(k, block));
  for (const { block, data } of medium.losses) blocks.set(block, data ?? k.baseBlock(block));
  return withLog(image.with(blocks), medium.log);
}
