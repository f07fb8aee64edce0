/**
 * Bytes: the one value that carries content.
 *
 * Immer neither drafts, freezes nor notices typed arrays: an in-place write through a frozen tree silently
 * corrupts every earlier state that shares it. So content lives here and nowhere else: a private buffer, never
 * written after construction, replaced whole by `splice`.
 *
 * Digest. `lo`/`hi` are a sum, over the aligned 4-byte words, of a mix of (word index, word), plus the length.
 * A sum can be updated: `splice` subtracts the words it replaces and adds the new ones, so a 4-byte store into a
 * 4096-byte folio costs a copy and two mixes, not a rehash. Zero words contribute nothing.
 *
 * Invariants: length never changes; two Bytes with equal content and length have equal digests.
 * Not verified: digests of different contents may collide (2^-64 for a pair); `equals` compares bytes.
 */

const mixLo = (index: number, word: number): number => {
  let h = Math.imul(word ^ Math.imul(index + 0x9e3779b9, 0x85ebca6b), 0xcc9e2d51);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return h ^ (h >>> 13);
};
const mixHi = (index: number, word: number): number => {
  let h = Math.imul(word + Math.imul(index ^ 0x7feb352d, 0xc2b2ae35), 0x1b873593);
  h ^= h >>> 13;
  h = Math.imul(h, 0x297a2d39);
  return h ^ (h >>> 16);
};

const wordAt = (u8: Uint8Array, at: number): number =>
  u8[at]! | ((u8[at + 1] ?? 0) << 8) | ((u8[at + 2] ?? 0) << 16) | ((u8[at + 3] ?? 0) << 24);

/**
 * Small buffers are views into shared slabs: V8 takes about a microsecond to allocate a typed array of its own, and
 * a twentieth of that for a view. A slab lives as long as any view of it.
 */
const SLAB_BYTES = 1 << 16;
const SLAB_MAX = 1 << 13;
let slab = new Uint8Array(SLAB_BYTES);
let slabUsed = 0;

/** `length` zero bytes that nobody else writes to. */
function take(length: number): Uint8Array {
  if (length > SLAB_MAX) return new Uint8Array(length);
  if (slabUsed + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  const view = slab.subarray(slabUsed, slabUsed + length);
  slabUsed = (slabUsed + length + 7) & ~7;
  return view;
}

/** A copy of `u8` that nobody else writes to. */
function copyOf(u8: Uint8Array): Uint8Array {
  const copy = take(u8.length);
  copy.set(u8);
  return copy;
}

export class Bytes {
  readonly #u8: Uint8Array;
  #lo = 0;
  #hi = 0;
  #digested = false;

  private constructor(u8: Uint8Array) {
    this.#u8 = u8;
  }

  /** A copy of `source`; later writes to `source` are not seen. */
  static of(source: ArrayLike<number>): Bytes {
    return new Bytes(Uint8Array.from(source));
  }

  /** Takes ownership of `buffer` without copying: the caller must not keep a reference. */
  static adopt(buffer: Uint8Array): Bytes {
    return new Bytes(buffer);
  }

  /** `lengthBytes` zero bytes; one shared value per length. */
  static zero(lengthBytes: number): Bytes {
    let value = zeros.get(lengthBytes);
    if (value === undefined) zeros.set(lengthBytes, (value = new Bytes(new Uint8Array(lengthBytes))));
    return value;
  }

  static fill(byte: number, lengthBytes: number): Bytes {
    return new Bytes(new Uint8Array(lengthBytes).fill(byte));
  }

  /** @throws RangeError when `hex` is not an even number of hex digits. */
  static fromHex(hex: string): Bytes {
    if (hex.length % 2 !== 0 || /[^0-9a-fA-F]/.test(hex)) throw new RangeError(`not a hex string: ${hex}`);
    const u8 = new Uint8Array(hex.length / 2);
    for (let i = 0; i < u8.length; i++) u8[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    return new Bytes(u8);
  }

  static fromText(text: string): Bytes {
    return new Bytes(new TextEncoder().encode(text));
  }

  static concat(parts: readonly Bytes[]): Bytes {
    const u8 = take(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      u8.set(part.#u8, at);
      at += part.length;
    }
    return new Bytes(u8);
  }

  get length(): number {
    return this.#u8.length;
  }

  /** Low 32 bits of the digest, as a signed integer. */
  get lo(): number {
    if (!this.#digested) this.#digest();
    return this.#lo;
  }

  /** High 32 bits of the digest, as a signed integer. */
  get hi(): number {
    if (!this.#digested) this.#digest();
    return this.#hi;
  }

  #digest(): void {
    let lo = Math.imul(this.#u8.length, 0x9e3779b1);
    let hi = Math.imul(this.#u8.length, 0x85ebca77);
    const u8 = this.#u8;
    for (let at = 0, index = 0; at < u8.length; at += 4, index++) {
      const word = wordAt(u8, at);
      if (word === 0) continue;
      lo = (lo + mixLo(index, word)) | 0;
      hi = (hi + mixHi(index, word)) | 0;
    }
    this.#lo = lo;
    this.#hi = hi;
    this.#digested = true;
  }

  #range(at: number, size: number): void {
    if (!(Number.isInteger(at) && at >= 0 && at + size <= this.#u8.length)) {
      throw new RangeError(`bytes ${at}..${at + size} are outside 0..${this.#u8.length}`);
    }
  }

  u8(at: number): number {
    this.#range(at, 1);
    return this.#u8[at]!;
  }

  /** Little endian. */
  u16(at: number): number {
    this.#range(at, 2);
    return this.#u8[at]! | (this.#u8[at + 1]! << 8);
  }

  /** Little endian, unsigned. */
  u32(at: number): number {
    this.#range(at, 4);
    return wordAt(this.#u8, at) >>> 0;
  }

  /** Big endian, unsigned: the byte order of the journal. */
  u32be(at: number): number {
    this.#range(at, 4);
    const u8 = this.#u8;
    return ((u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!) >>> 0;
  }

  slice(from: number, to: number = this.#u8.length): Bytes {
    this.#range(from, to - from);
    return from === 0 && to === this.#u8.length ? this : new Bytes(copyOf(this.#u8.subarray(from, to)));
  }

  /** A new value with `source` laid over this one at `at`; the length stays. */
  splice(at: number, source: Bytes | Uint8Array): Bytes {
    const src = source instanceof Bytes ? source.#u8 : source;
    this.#range(at, src.length);
    if (src.length === 0) return this;
    const u8 = copyOf(this.#u8);
    u8.set(src, at);
    return this.#changed(u8, at, at + src.length);
  }

  /** A new value with `[from, to)` set to `byte`. */
  fillRange(byte: number, from: number, to: number): Bytes {
    if (to <= from) return this;
    this.#range(from, to - from);
    const u8 = copyOf(this.#u8);
    u8.fill(byte, from, to);
    return this.#changed(u8, from, to);
  }

  putU8(at: number, value: number): Bytes {
    return this.splice(at, Uint8Array.of(value));
  }

  putU16(at: number, value: number): Bytes {
    return this.splice(at, Uint8Array.of(value, value >>> 8));
  }

  putU32(at: number, value: number): Bytes {
    return this.splice(at, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  /** Several little edits at one copy: `edit` gets a scratch buffer that must not be kept. */
  edit(edit: (scratch: Uint8Array) => void): Bytes {
    const u8 = copyOf(this.#u8);
    edit(u8);
    let from = 0;
    let to = u8.length;
    while (from < to && u8[from] === this.#u8[from]) from++;
    while (to > from && u8[to - 1] === this.#u8[to - 1]) to--;
    return from === to ? this : this.#changed(u8, from, to);
  }

  #changed(u8: Uint8Array, from: number, to: number): Bytes {
    const next = new Bytes(u8);
    if (this.#digested) {
      let lo = this.#lo;
      let hi = this.#hi;
      for (let index = from >> 2; index << 2 < to; index++) {
        const before = wordAt(this.#u8, index << 2);
        const after = wordAt(u8, index << 2);
        if (before === after) continue;
        if (before !== 0) {
          lo = (lo - mixLo(index, before)) | 0;
          hi = (hi - mixHi(index, before)) | 0;
        }
        if (after !== 0) {
          lo = (lo + mixLo(index, after)) | 0;
          hi = (hi + mixHi(index, after)) | 0;
        }
      }
      next.#lo = lo;
      next.#hi = hi;
      next.#digested = true;
    }
    return next;
  }

  equals(other: Bytes): boolean {
    if (other === this) return true;
    const a = this.#u8;
    const b = other.#u8;
    if (a.length !== b.length) return false;
    if (this.#digested && other.#digested && (this.#lo !== other.#lo || this.#hi !== other.#hi)) return false;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  /** True when every byte of `[from, to)` is zero. */
  isZero(from = 0, to: number = this.#u8.length): boolean {
    for (let i = from; i < to; i++) if (this.#u8[i] !== 0) return false;
    return true;
  }

  /** A fresh copy that the caller may write to. */
  toUint8Array(): Uint8Array {
    return this.#u8.slice();
  }

  /** Copies `[from, to)` into `target` at `at`. */
  copyTo(target: Uint8Array, at: number, from = 0, to: number = this.#u8.length): void {
    target.set(from === 0 && to === this.#u8.length ? this.#u8 : this.#u8.subarray(from, to), at);
  }

  toHex(): string {
    let hex = '';
    for (const byte of this.#u8) hex += byte.toString(16).padStart(2, '0');
    return hex;
  }

  /** Latin-1 text; what a test or a message prints. */
  toText(): string {
    return Array.from(this.#u8, (byte) => String.fromCharCode(byte)).join('');
  }

  toJSON(): string {
    return this.toHex();
  }

  /** 16 hex digits that name the content in traces. */
  digest(): string {
    return (this.hi >>> 0).toString(16).padStart(8, '0') + (this.lo >>> 0).toString(16).padStart(8, '0');
  }

  /** Runs `read` over the private buffer; `read` must neither write to it nor keep it. For checksums. */
  reading<T>(read: (view: Uint8Array) => T): T {
    return read(this.#u8);
  }
}

const zeros = new Map<number, Bytes>();
