/** Raw inodes for tests: the golden inode 12 of a volume that a kernel wrote, and bare ones of any shape. */
import { Bytes } from '../../src/bytes/bytes.ts';
import { EMPTY_EXTENT_ROOT, I_BLOCK_AT, inodeLayout, S_IFREG } from '../../src/inode/layout.ts';

/** UUID 00112233-4455-6677-8899-aabbccddeeff without csum_seed. */
export const GOLDEN_SEED = 0xb720167d;

/** Inode 12: mode 0100644, 100 bytes 0x01..0x64 inline, generation 0xAB6150EE, extra_isize 32. */
export const goldenInode: Bytes = Bytes.fromHex(
  [
    'a4810000640000000803016b0803016b0803016b000000000000010000000000',
    '00000010010000000102030405060708090a0b0c0d0e0f101112131415161718',
    '191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738',
    '393a3b3cee5061ab000000000000000000000000000000000000000047bc0000',
    '2000ea3ed8993d2cd8993d2cd8993d2c0803016bd8993d2c0000000000000000',
    '000002ea04073400000000002800000000000000646174610000000000000000',
    '0000000000000000000000000000000000000000000000003d3e3f4041424344',
    '45464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f6061626364',
  ].join(''),
);

/** A new regular file: empty extent root, no xattr. */
export function bareInode(inodeSize = 256, extraIsize = 32, mode = S_IFREG | 0o644): Bytes {
  const raw = inodeLayout.put(Bytes.zero(Math.max(inodeSize, 160)), {
    mode,
    linksCount: 1,
    flags: 0x80000,
    generation: 0x1234abcd,
  });
  const cut = raw.slice(0, inodeSize).splice(I_BLOCK_AT, Uint8Array.from(EMPTY_EXTENT_ROOT));
  return inodeSize > 128 ? cut.putU16(0x80, extraIsize) : cut;
}
