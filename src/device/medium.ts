/**
 * The medium: what survives when power fails. A block that was never written reads as in the loaded image.
 *
 * Writes arrive here whole and in order; what a device may lose or reorder is the business of the crash explorer,
 * which reads the `submit` effects.
 */
import type { Bytes } from '../bytes/bytes.ts';
import type { Kernel } from '../kernel.ts';

/** @returns the bytes of a block as the medium holds them */
export function readMedium(k: Kernel, block: number): Bytes {
  return k.medium(block).data ?? k.baseBlock(block);
}

/** Inside a step. @param why  what wrote it, for traces: `writepages ino 12`, `checkpoint` */
export function writeMedium(k: Kernel, block: number, data: Bytes, why: string): void {
  k.medium(block).data = data.equals(k.baseBlock(block)) ? null : data;
  if (k.sink.listen !== null) k.emit({ type: 'submit', block, data, why });
}
