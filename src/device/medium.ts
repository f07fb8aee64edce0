/**
 * The medium: what survives when power fails. A block that was never written reads as in the loaded image.
 *
 * Writes arrive here whole and in order, and are read back at once: that is the device with its write cache. Where
 * power may fail (`k.powerFails`), a block also keeps what it held at the last flush and since, because any of that is
 * what it may hold afterwards. A flush reaches everything that was submitted before it.
 */
import type { Bytes } from '../bytes/bytes.ts';
import type { Kernel } from '../kernel.ts';

/** @returns the bytes of a block as the medium holds them */
export function readMedium(k: Kernel, block: number): Bytes {
  return k.medium(block).data ?? k.baseBlock(block);
}

/** Inside a step. @param why  what wrote it, for traces: `writepages ino 12`, `checkpoint` */
export function writeMedium(k: Kernel, block: number, data: Bytes, why: string): void {
  const record = k.medium(block);
  const next = data.equals(k.baseBlock(block)) ? null : data;
  if (k.powerFails && next !== record.data) record.unflushed = [...(record.unflushed ?? []), record.data];
  record.data = next;
  if (k.sink.listen !== null) k.emit({ type: 'submit', block, data, why });
}

/**
 * Inside a step: what was written is on the medium for good. Nothing with nobarrier.
 * @source block/blk-flush.c blkdev_issue_flush
 */
export function flushDevice(k: Kernel): void {
  if (!k.mount.barrier) return;
  if (k.powerFails) {
    for (const block of k.world.firstKeys('medium')) k.medium(block).unflushed = null;
    k.journal.unflushed = 0;
  }
  if (k.sink.listen !== null) k.emit({ type: 'flush' });
}
