/**
 * crc32c as ext4 uses it: the reflected Castagnoli polynomial, the initial value passed in, the raw register
 * returned (no inversion at either end; libraries invert both, which is why this one is ours).
 */
import type { Bytes } from './bytes.ts';

const tables: Int32Array[] = [];
for (let k = 0; k < 8; k++) tables.push(new Int32Array(256));
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  tables[0]![n] = c;
}
for (let n = 0; n < 256; n++) {
  for (let k = 1; k < 8; k++) {
    const c = tables[k - 1]![n]!;
    tables[k]![n] = (c >>> 8) ^ tables[0]![c & 0xff]!;
  }
}
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/**
 * @param seed  register to start from; `~0` (0xFFFFFFFF) for the superblock and the file system seed
 * @returns     the register after `data[from..to)`, unsigned 32 bit
 * @source      lib/crc32.c __crc32c_le
 */
export function crc32c(seed: number, data: Uint8Array, from = 0, to: number = data.length): number {
  let crc = seed | 0;
  let i = from;
  for (; i + 8 <= to; i += 8) {
    crc ^= data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[data[i + 4]!]! ^
      t2[data[i + 5]!]! ^
      t1[data[i + 6]!]! ^
      t0[data[i + 7]!]!;
  }
  for (; i < to; i++) crc = (crc >>> 8) ^ t0[(crc ^ data[i]!) & 0xff]!;
  return crc >>> 0;
}

/** The register after the four little-endian bytes of `value`. */
export function crc32cU32(seed: number, value: number): number {
  const crc = seed ^ value;
  return (t3[crc & 0xff]! ^ t2[(crc >>> 8) & 0xff]! ^ t1[(crc >>> 16) & 0xff]! ^ t0[crc >>> 24]!) >>> 0;
}

/** The register after `bytes[from..to)`. */
export function crc32cBytes(seed: number, bytes: Bytes, from = 0, to: number = bytes.length): number {
  return bytes.reading((view) => crc32c(seed, view, from, to));
}
