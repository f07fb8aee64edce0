import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import {
  crc16,
  groupDesc64Layout,
  groupDescChecksum,
  putGroupDesc,
  readGroupDesc,
  storedBitmapCsum,
} from '../../src/volume/groupDesc.ts';
import { Image } from '../../src/volume/image.ts';
import { mke2fs, refereed } from '../support/referee.ts';

describe('group descriptor', () => {
  test('Do the fields tile all 64 bytes?', () => {
    let at = 0;
    for (const field of Object.values(groupDesc64Layout.fields)) {
      expect(field.at).toBe(at);
      at += field.size;
    }
    expect(at).toBe(64);
  });

  test('Do low and high halves survive a round trip in both sizes?', () => {
    const wide = {
      blockBitmap: 0x1_2345_6789,
      inodeBitmap: 0x2_0000_0001,
      inodeTable: 0x3_ffff_ffff,
      freeBlocks: 0x1_8000,
      freeInodes: 0x2_0001,
      usedDirs: 0x3_0002,
      itableUnused: 0x4_0003,
      flags: 5,
      blockBitmapCsum: 0xdeadbeef,
      inodeBitmapCsum: 0xcafef00d,
      checksum: 0xabcd,
    };
    expect(readGroupDesc(putGroupDesc(Bytes.zero(64), wide))).toEqual(wide);
    const narrow = readGroupDesc(putGroupDesc(Bytes.zero(32), wide));
    expect(narrow.blockBitmap).toBe(0x2345_6789);
    expect(narrow.freeBlocks).toBe(0x8000);
    expect(narrow.blockBitmapCsum).toBe(0xbeef);
  });

  test('Is a bitmap checksum cut to 16 bits where the descriptor has no high half?', () => {
    expect(storedBitmapCsum('block', 32, 0xdeadbeef)).toBe(0xbeef);
    expect(storedBitmapCsum('block', 64, 0xdeadbeef)).toBe(0xdeadbeef);
    expect(storedBitmapCsum('inode', 64, 0xdeadbeef)).toBe(0xdeadbeef);
  });

  test('Is crc16 the kernel one, and is a descriptor unsummed without the features?', () => {
    expect(crc16(0, new TextEncoder().encode('123456789'))).toBe(0xbb3d);
    const none = { metadataCsum: false, gdtCsum: false, csumSeed: 0, uuid: '0'.repeat(32) };
    expect(groupDescChecksum(none, 0, Bytes.zero(32))).toBe(0);
  });

  refereed('Are the descriptor checksums of mke2fs ours, in every flavour?', ['mke2fs'], () => {
    const flavours = [
      'metadata_csum,^64bit',
      'metadata_csum,64bit',
      '^metadata_csum,uninit_bg',
      '^metadata_csum,uninit_bg,64bit',
    ];
    for (const flavour of flavours) {
      const image = Image.load(mke2fs(['-t', 'ext4', '-b', '1024', '-O', `${flavour},^has_journal`, '20M']));
      expect(image.geometry.groupCount).toBe(3);
      expect(image.readOnlyReason).toBeUndefined();
    }
  });
});
