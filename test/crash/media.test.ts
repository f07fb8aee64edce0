/** Which media a power failure leaves: counted by hand on small write caches. */
import { describe, expect, it } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { DEFAULT_MEDIA, media } from '../../src/crash/media.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { flushDevice, writeMedium } from '../../src/device/medium.ts';
import type { Kernel } from '../../src/kernel.ts';
import type { MountOption } from '../../src/scenario/image.ts';
import { makeKernel, mountOptions } from '../../src/scenario/session.ts';
import { FlatWorld } from '../../src/state/flat.ts';
import { mkfsImage } from '../../src/volume/mkfs.ts';

const image = mkfsImage({ blockSize: 4096, inodeSize: 256, blocks: 2048 });
const block = (byte: number): Bytes => Bytes.zero(4096).fillRange(byte, 0, 4096);

function kernel(...options: MountOption[]): Kernel {
  return makeKernel(new FlatWorld(), image, mountOptions(options, true), DESIGNS[0]!, { powerFails: true });
}

/** What each medium holds in some blocks, by their first byte. */
function contents(
  k: Kernel,
  blocks: readonly number[],
  options = { ...DEFAULT_MEDIA, torn: false },
): string[] {
  const { media: list } = media(k, options);
  return list.map(({ losses }) =>
    blocks
      .map((nr) => {
        const lost = losses.find((each) => each.block === nr);
        return (lost === undefined ? k.medium(nr).data : lost.data)?.u8(0) ?? 0;
      })
      .join(' '),
  );
}

describe('media', () => {
  it('of a quiet device: one', () => {
    expect(media(kernel(), DEFAULT_MEDIA).media).toHaveLength(1);
  });

  it('have each block old or new, whatever the others have', () => {
    const k = kernel();
    writeMedium(k, 1900, block(1), 'a');
    writeMedium(k, 1901, block(2), 'b');
    expect(contents(k, [1900, 1901]).sort()).toEqual(['0 0', '0 2', '1 0', '1 2']);
    expect(contents(k, [1900, 1901])[0]).toBe('1 2');
  });

  it('have every version of a block that was written twice', () => {
    const k = kernel();
    writeMedium(k, 1900, block(1), 'a');
    writeMedium(k, 1900, block(2), 'b');
    expect(contents(k, [1900]).sort()).toEqual(['0', '1', '2']);
  });

  it('have what was flushed', () => {
    const k = kernel();
    writeMedium(k, 1900, block(1), 'a');
    flushDevice(k);
    writeMedium(k, 1901, block(2), 'b');
    expect(contents(k, [1900, 1901]).sort()).toEqual(['1 0', '1 2']);
  });

  it('know no flush with nobarrier', () => {
    const k = kernel('nobarrier');
    writeMedium(k, 1900, block(1), 'a');
    flushDevice(k);
    expect(contents(k, [1900]).sort()).toEqual(['0', '1']);
  });

  it('leave alone what the log brings back', () => {
    const k = kernel();
    writeMedium(k, 1900, block(1), 'a');
    k.journal.log = [{ blocks: [[1900, block(1)]] }];
    expect(contents(k, [1900])).toEqual(['1']);
  });

  it('lack the end of the log with nobarrier', () => {
    const k = kernel('nobarrier');
    k.journal.log = [{ blocks: [[1900, block(1)]] }, { blocks: [[1901, block(2)]] }];
    k.journal.unflushed = 1;
    const logs = media(k, DEFAULT_MEDIA).media.map(({ log, transactions }) => [log.length, transactions]);
    expect(logs).toEqual([
      [2, 0],
      [1, 1],
    ]);
  });

  it('tear a block into sectors, one of them alone old or new', () => {
    const k = kernel();
    writeMedium(k, 1900, block(1), 'a');
    const torn = media(k, DEFAULT_MEDIA).media.flatMap(({ losses }) =>
      losses.filter((each) => each.torn !== null),
    );
    expect(torn).toHaveLength(16);
    const first = torn.find(({ torn: how }) => how!.sector === 0 && how!.is === 'old')!.data!;
    expect([first.u8(0), first.u8(511), first.u8(512), first.u8(4095)]).toEqual([0, 0, 1, 1]);
  });

  it('past the limit: one block at a time, and say so', () => {
    const k = kernel();
    for (let nr = 1900; nr < 1910; nr++) writeMedium(k, nr, block(1), 'a');
    const few = media(k, { limit: 100, torn: false });
    expect(few.all).toBe(false);
    expect(few.media.length).toBeLessThan(50);
    const all = media(k, { limit: 1024, torn: false });
    expect([all.all, all.media.length]).toEqual([true, 1024]);
  });
});
