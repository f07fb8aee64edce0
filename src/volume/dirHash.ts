/**
 * The hashes of directory entry names: what an htree is sorted by, and the order in which a volume with dir_index
 * returns names. Each is seeded by the superblock; the lowest bit of the result is always 0, because an htree uses
 * it to say that equal hashes go on in the next block.
 */
import type { Bytes } from '../bytes/bytes.ts';
import type { Geometry } from './geometry.ts';

/** Values of `s_def_hash_version` and of an htree root. @source fs/ext4/ext4.h DX_HASH_LEGACY */
export const HASH_VERSION = { legacy: 0, halfMd4: 1, tea: 2 } as const;

/** The part of a Geometry that hashing needs. */
export type HashSeed = Pick<Geometry, 'hashSeed' | 'hashUnsigned'>;

export interface NameHash {
  /** 32 bits, the lowest 0. */
  readonly hash: number;
  /** Decides between equal hashes in readdir order. */
  readonly minorHash: number;
}

/**
 * @param version  of `HASH_VERSION`
 * @returns        undefined for a version this cannot compute
 * @source         fs/ext4/hash.c __ext4fs_dirhash
 */
export function dirHash(name: Bytes, version: number, seed: HashSeed): NameHash | undefined {
  const chars = charsOf(name, seed.hashUnsigned);
  if (version === HASH_VERSION.legacy) return result(legacyHash(chars), 0);
  const buf = initialState(seed.hashSeed);
  if (version === HASH_VERSION.halfMd4) {
    for (let at = 0; at < chars.length; at += 32) halfMd4(buf, hashBuffer(chars, at, 8));
    return result(buf[1]!, buf[2]!);
  }
  if (version === HASH_VERSION.tea) {
    for (let at = 0; at < chars.length; at += 16) tea(buf, hashBuffer(chars, at, 4));
    return result(buf[0]!, buf[1]!);
  }
  return undefined;
}

/** Largest hash a name may have is below this one, which ends readdir. @source fs/ext4/ext4.h EXT4_HTREE_EOF_32BIT */
const HTREE_EOF = 0xfffffffe;

function result(hash: number, minorHash: number): NameHash {
  const even = (hash & ~1) >>> 0;
  return { hash: even === HTREE_EOF ? HTREE_EOF - 2 : even, minorHash: minorHash >>> 0 };
}

/** Name bytes as the C type `char` or `unsigned char` has them. */
function charsOf(name: Bytes, unsigned: boolean): Int32Array {
  const chars = Int32Array.from(name.toUint8Array());
  return unsigned ? chars : chars.map((byte) => (byte << 24) >> 24);
}

/** The seed's four words, or MD4's when they are all zero. */
function initialState(seed: string): Int32Array {
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  if (/^0*$/.test(seed)) return state;
  for (let i = 0; i < 4; i++) {
    const word = seed.slice(8 * i, 8 * i + 8).replace(/(..)(..)(..)(..)/, '$4$3$2$1');
    state[i] = Number.parseInt(word, 16);
  }
  return state;
}

/** `words` 32-bit words from the characters at `at`, padded with the length. @source fs/ext4/hash.c str2hashbuf_signed */
function hashBuffer(chars: Int32Array, at: number, words: number): Int32Array {
  const rest = chars.length - at;
  const pad = Math.imul(rest, 0x01010101); // a name has at most 255 bytes
  const out = new Int32Array(words).fill(pad);
  const count = Math.min(rest, words * 4);
  let value = pad;
  for (let i = 0; i < count; i++) {
    value = (chars[at + i]! + (value << 8)) | 0;
    if (i % 4 !== 3) continue;
    out[i >> 2] = value;
    value = pad;
  }
  if (count % 4 !== 0) out[count >> 2] = value;
  return out;
}

/** @source fs/ext4/hash.c dx_hack_hash_signed */
function legacyHash(chars: Int32Array): number {
  let hash0 = 0x12a3fe2d;
  let hash1 = 0x37abe8f9;
  for (const char of chars) {
    let hash = (hash1 + (hash0 ^ Math.imul(char, 7152373))) | 0;
    if (hash < 0) hash = (hash - 0x7fffffff) | 0;
    hash1 = hash0;
    hash0 = hash;
  }
  return hash0 << 1;
}

/** @source fs/ext4/hash.c TEA_transform */
function tea(buf: Int32Array, input: Int32Array): void {
  let sum = 0;
  let b0 = buf[0]!;
  let b1 = buf[1]!;
  const [a, b, c, d] = input as unknown as [number, number, number, number];
  for (let n = 0; n < 16; n++) {
    sum = (sum + 0x9e3779b9) | 0;
    b0 = (b0 + (((b1 << 4) + a) ^ (b1 + sum) ^ ((b1 >>> 5) + b))) | 0;
    b1 = (b1 + (((b0 << 4) + c) ^ (b0 + sum) ^ ((b0 >>> 5) + d))) | 0;
  }
  buf[0] = buf[0]! + b0;
  buf[1] = buf[1]! + b1;
}

const K2 = 0x5a827999;
const K3 = 0x6ed9eba1;

/** Input word and rotation of each step, eight steps a round. */
const ROUNDS: readonly (readonly [word: number, rotate: number])[][] = [
  [0, 1, 2, 3, 4, 5, 6, 7].map((word, i) => [word, [3, 7, 11, 19][i % 4]!] as const),
  [1, 3, 5, 7, 0, 2, 4, 6].map((word, i) => [word, [3, 5, 9, 13][i % 4]!] as const),
  [3, 7, 2, 6, 1, 5, 0, 4].map((word, i) => [word, [3, 9, 11, 15][i % 4]!] as const),
];

const MIX: readonly ((x: number, y: number, z: number) => number)[] = [
  (x, y, z) => z ^ (x & (y ^ z)),
  (x, y, z) => ((x & y) + ((x ^ y) & z) + K2) | 0,
  (x, y, z) => ((x ^ y ^ z) + K3) | 0,
];

/** @source fs/ext4/hash.c half_md4_transform */
function halfMd4(buf: Int32Array, input: Int32Array): void {
  let [a, b, c, d] = buf as unknown as [number, number, number, number];
  for (const [round, steps] of ROUNDS.entries()) {
    const mix = MIX[round]!;
    for (const [word, rotate] of steps) {
      const sum = (a + mix(b, c, d) + input[word]!) | 0;
      const turned = (sum << rotate) | (sum >>> (32 - rotate));
      // The kernel names the four words in turn; here they move instead.
      [a, b, c, d] = [d, turned, b, c];
    }
  }
  buf[0] = buf[0]! + a;
  buf[1] = buf[1]! + b;
  buf[2] = buf[2]! + c;
  buf[3] = buf[3]! + d;
}
