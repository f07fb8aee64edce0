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

/** Two hex digits of each byte, as characters; and back: the value of a digit's character, −1 for any other. */
const DIGITS: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  const [high, low] = byte.toString(16).padStart(2, '0');
  return high!.charCodeAt(0) | (low!.charCodeAt(0) << 8);
});
const VALUES: Int8Array = Int8Array.from({ length: 128 }, (_, char) => {
  const digit = String.fromCharCode(char);
  return /[0-9a-fA-F]/.test(digit) ? Number.parseInt(digit, 16) : -1;
});
const ASCII = new TextDecoder();

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

/**
 * Handing over. A program that lives in one state (the library) replaces a folio's 4096 bytes to change 100 of them,
 * and nobody looks at the old value again. So while `handOver` is on, `splice` and its kin may write into the buffer
 * of the value they start from: the new value takes the buffer over, and what was there is kept behind the content,
 * from where the old value can be put together again when somebody does look.
 *
 *     room   │ content, `length` bytes │ old bytes of version 0→1 │ of 1→2 │ … free │
 *
 * A value that lost its buffer reads right and costs a copy at its first read. Off, every value has its own buffer.
 */
let handOver = false;

/** Switches handing over; returns how it was. Only a matter of speed: values are the same. */
export function setHandOver(on: boolean): boolean {
  const before = handOver;
  handOver = on;
  return before;
}

/** Longest value whose every byte `edit` keeps aside; a longer one is copied. */
const EDIT_MAX = 1024;

const roundUp4 = (n: number): number => (n + 3) & ~3;

/**
 * A buffer with room behind it, and how to get from its present version back to each older one: the old bytes, filled
 * up to whole words, and behind them the words `from` and `to`.
 */
class Store {
  readonly room: Uint8Array;
  /** The same, four bytes at a time. */
  readonly words: Int32Array;
  /** Bytes of the content. */
  readonly length: number;
  version = 0;
  /** A multiple of 4. */
  used: number;

  constructor(room: Uint8Array, length: number) {
    this.room = room;
    this.words = new Int32Array(room.buffer, room.byteOffset, room.length >> 2);
    this.length = length;
    this.used = roundUp4(length);
  }

  /** Keeps [from, to) aside and goes on to the next version; false when there is no room left. */
  keep(from: number, to: number): boolean {
    const { used, words } = this;
    const end = used + roundUp4(to - from);
    if (end + 8 > this.room.length) return false;
    this.room.copyWithin(used, from, to);
    words[end >> 2] = from;
    words[(end >> 2) + 1] = to;
    this.used = end + 8;
    this.version++;
    return true;
  }
}

/**
 * A checksum that is owed: two 16-bit fields that are worked out when somebody looks at them, because most are written
 * over before anybody does. `base` is the content that is summed.
 */
interface Owed {
  readonly lo: number;
  /** -1: there is none. */
  readonly hi: number;
  readonly base: Bytes;
  readonly sum: (base: Bytes) => number;
}

/** A copy of [from, to) of `u8` that nobody else writes to. */
function copyRange(u8: Uint8Array, from: number, to: number): Uint8Array {
  const copy = take(to - from);
  copy.set(from === 0 && to === u8.length ? u8 : u8.subarray(from, to));
  return copy;
}

/** Bytes that never change: a private buffer, hashed, shared between states. */
export class Bytes {
  /** The content, exactly; stale when `#store` has gone on to another version. A slice looks into its parent's. */
  #u8: Uint8Array;
  #store: Store | null = null;
  #version = 0;
  /** Where in the store's content this value begins: not 0 only in slices. */
  #offset = 0;
  #owed: Owed | null = null;
  #lo = 0;
  #hi = 0;
  #digested = false;

  private constructor(u8: Uint8Array) {
    this.#u8 = u8;
  }

  /** The content. */
  #view(): Uint8Array {
    if (this.#owed !== null) this.#pay(this.#owed);
    return this.#known();
  }

  /** The content for somebody who looks at [from, to) only. */
  #around(from: number, to: number): Uint8Array {
    const owed = this.#owed;
    if (owed !== null) {
      const { lo, hi } = owed;
      if ((from < lo + 2 && to > lo) || (hi >= 0 && from < hi + 2 && to > hi)) this.#pay(owed);
    }
    return this.#known();
  }

  /** The content but for what is owed. */
  #known(): Uint8Array {
    const store = this.#store;
    return store === null || store.version === this.#version ? this.#u8 : this.#restore(store);
  }

  /** Works out what is owed, in a buffer of its own. */
  #pay({ lo, hi, base, sum }: Owed): void {
    const value = sum(base);
    const u8 = copyOf(this.#known());
    u8[lo] = value;
    u8[lo + 1] = value >>> 8;
    if (hi >= 0) {
      u8[hi] = value >>> 16;
      u8[hi + 1] = value >>> 24;
    }
    this.#u8 = u8;
    this.#store = null;
    this.#owed = null;
  }

  /** The same content by another name, owing something else. */
  #owing(owed: Owed | null): Bytes {
    const same = new Bytes(this.#u8);
    same.#store = this.#store;
    same.#version = this.#version;
    same.#offset = this.#offset;
    same.#owed = owed;
    return same;
  }

  /** Puts an old version together again, in a buffer of its own. */
  #restore(store: Store): Uint8Array {
    const u8 = copyOf(this.#u8);
    const first = this.#offset;
    const { words, room } = store;
    for (let version = store.version, end = store.used; version > this.#version; version--) {
      const from = words[(end >> 2) - 2]!;
      const to = words[(end >> 2) - 1]!;
      end -= 8 + roundUp4(to - from);
      // Old bytes from..to lie at `end`; what of them is in this value goes back to its place.
      const low = Math.max(from, first);
      const high = Math.min(to, first + u8.length);
      if (low < high) u8.set(room.subarray(end + low - from, end + high - from), low - first);
    }
    this.#u8 = u8;
    this.#store = null;
    return u8;
  }

  /** A value equal to this one whose bytes [from, to) the caller is about to write, and no others. */
  #successor(from: number, to: number): Bytes {
    const next = this.#unowing(this.#around(from, to), from, to);
    next.#owed = this.#owed;
    return next;
  }

  #unowing(u8: Uint8Array, from: number, to: number): Bytes {
    if (!handOver || (to - from) * 2 > u8.length) return new Bytes(copyOf(u8));
    const store = this.#store;
    if (store === null || u8.length !== store.length || !store.keep(from, to)) return Bytes.#roomy(u8);
    const next = new Bytes(u8);
    next.#store = store;
    next.#version = store.version;
    return next;
  }

  /** A copy with room to go on from. */
  static #roomy(u8: Uint8Array): Bytes {
    const { length } = u8;
    const room = take(roundUp4(length) + Math.max(roundUp4(length), 4096));
    room.set(u8);
    const copy = new Bytes(room.subarray(0, length));
    copy.#store = new Store(room, length);
    return copy;
  }

  /** A copy of `source`; later writes to `source` are not seen. */
  static of(source: ArrayLike<number>): Bytes {
    return new Bytes(Uint8Array.from(source));
  }

  /** A copy of `source[from..to)`. */
  static copy(source: Uint8Array, from = 0, to: number = source.length): Bytes {
    return new Bytes(copyRange(source, from, to));
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
    const u8 = new Uint8Array(hex.length >> 1);
    let wrong = hex.length & 1;
    for (let i = 0; i < u8.length; i++) {
      const byte = ((VALUES[hex.charCodeAt(2 * i)] ?? -1) << 4) | (VALUES[hex.charCodeAt(2 * i + 1)] ?? -1);
      u8[i] = byte;
      wrong |= byte >>> 8;
    }
    if (wrong !== 0) throw new RangeError(`not a hex string: ${hex}`);
    return new Bytes(u8);
  }

  static fromText(text: string): Bytes {
    return new Bytes(new TextEncoder().encode(text));
  }

  static concat(parts: readonly Bytes[]): Bytes {
    const u8 = take(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      u8.set(part.#view(), at);
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
    const u8 = this.#view();
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
    return this.#around(at, at + 1)[at]!;
  }

  /** Little endian. */
  u16(at: number): number {
    this.#range(at, 2);
    const u8 = this.#around(at, at + 2);
    return u8[at]! | (u8[at + 1]! << 8);
  }

  /** Little endian, unsigned. */
  u32(at: number): number {
    this.#range(at, 4);
    const u8 = this.#around(at, at + 4);
    return (u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24)) >>> 0;
  }

  /** Big endian, unsigned: the byte order of the journal. */
  u32be(at: number): number {
    this.#range(at, 4);
    const u8 = this.#around(at, at + 4);
    return ((u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!) >>> 0;
  }

  /** Looks into this value's buffer: nothing is copied. */
  slice(from: number, to: number = this.#u8.length): Bytes {
    this.#range(from, to - from);
    if (from === 0 && to === this.#u8.length) return this;
    const u8 = this.#around(from, to);
    const part = new Bytes(u8.subarray(from, to));
    if (this.#store !== null) {
      part.#store = this.#store;
      part.#version = this.#version;
      part.#offset = this.#offset + from;
    }
    return part;
  }

  /** A new value with `source[from..to)` laid over this one at `at`; the length stays. */
  splice(at: number, source: Bytes | Uint8Array, from = 0, to: number = source.length): Bytes {
    if (source instanceof Bytes) source.#range(from, to - from);
    const src = source instanceof Bytes ? source.#around(from, to) : source;
    const end = at + to - from;
    this.#range(at, to - from);
    if (end <= at) return this;
    const next = this.#successor(at, end);
    const u8 = next.#u8;
    if (from === 0 && to === src.length) u8.set(src, at);
    else if (source instanceof Bytes && source.#store === next.#store) u8.set(src.subarray(from, to), at);
    // Other memory, and little of it: less than a view costs.
    else for (let i = from, past = at - from; i < to; i++) u8[i + past] = src[i]!;
    if (this.#digested) this.#digestOf(next, at, end);
    return next;
  }

  /** A new value with `[from, to)` set to `byte`. */
  fillRange(byte: number, from: number, to: number): Bytes {
    if (to <= from) return this;
    this.#range(from, to - from);
    const next = this.#successor(from, to);
    next.#u8.fill(byte, from, to);
    if (this.#digested) this.#digestOf(next, from, to);
    return next;
  }

  putU8(at: number, value: number): Bytes {
    return this.splice(at, Uint8Array.of(value));
  }

  /** This value itself when it says so already. */
  putU16(at: number, value: number): Bytes {
    if (this.u16(at) === (value & 0xffff)) return this;
    const next = this.#successor(at, at + 2);
    next.#u8[at] = value;
    next.#u8[at + 1] = value >>> 8;
    if (this.#digested) this.#digestOf(next, at, at + 2);
    return next;
  }

  /**
   * This value with a checksum of it in two 16-bit fields, which the sum must not depend on: its low half at `lo`, its
   * high half at `hi`, nowhere when that is negative.
   * @param sum  asked now, or when somebody looks at the fields: whatever else it depends on must not change
   */
  withSum(lo: number, hi: number, sum: (base: Bytes) => number): Bytes {
    if (handOver) {
      const owed = this.#owed;
      // A sum in the same place goes unpaid: it is written over.
      const same = owed !== null && owed.lo === lo && owed.hi === hi;
      if (owed !== null && !same) this.#pay(owed);
      return this.#owing({ lo, hi, base: same ? this.#owing(null) : this, sum });
    }
    const value = sum(this);
    const low = this.putU16(lo, value);
    return hi < 0 ? low : low.putU16(hi, value >>> 16);
  }

  putU32(at: number, value: number): Bytes {
    return this.splice(at, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  /**
   * Several little edits at one copy: `edit` gets a scratch buffer that must not be kept.
   * @param from  first byte that `edit` may look at and change
   * @param to    the one past the last
   */
  edit(edit: (scratch: Uint8Array) => void, from = 0, to: number = this.#u8.length): Bytes {
    if (handOver && to - from <= EDIT_MAX) return this.#editInPlace(edit, from, to);
    const before = this.#around(from, to);
    const u8 = copyOf(before);
    edit(u8);
    while (from < to && u8[from] === before[from]) from++;
    while (to > from && u8[to - 1] === before[to - 1]) to--;
    if (from === to) return this;
    const next = new Bytes(u8);
    next.#owed = this.#owed;
    if (this.#digested) this.#digestOf(next, from, to);
    return next;
  }

  #editInPlace(edit: (scratch: Uint8Array) => void, from: number, to: number): Bytes {
    // Kept aside in whole words, so that they can be compared as words.
    from &= ~3;
    to = Math.min(roundUp4(to), this.length);
    const next = this.#successor(from, to);
    const u8 = next.#u8;
    const store = next.#store;
    if (store === null || store.version === 0) {
      edit(u8);
      const before = this.#u8;
      while (from < to && u8[from] === before[from]) from++;
      return from === to ? this : next;
    }
    const { room, words } = store;
    const kept = store.used - 8 - roundUp4(to - from);
    try {
      edit(u8);
    } catch (error) {
      u8.set(room.subarray(kept, kept + to - from), from);
      store.version--;
      store.used = kept;
      throw error;
    }
    const past = (kept >> 2) - (from >> 2);
    for (let at = from >> 2, end = to >> 2; at < end; at++) if (words[at] !== words[at + past]) return next;
    for (let at = to & ~3; at < to; at++) if (u8[at] !== room[kept + at - from]) return next;
    store.version--;
    store.used = kept;
    return this;
  }

  /** The digest of a value that differs from this one in [from, to), from this one's. */
  #digestOf(next: Bytes, from: number, to: number): void {
    // A value that took this one's buffer over has nothing to compare with: it is digested when somebody asks.
    if (next.#u8 === this.#u8) return;
    const old = this.#u8;
    const u8 = next.#u8;
    let lo = this.#lo;
    let hi = this.#hi;
    for (let index = from >> 2; index << 2 < to; index++) {
      const before = wordAt(old, index << 2);
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

  equals(other: Bytes): boolean {
    if (other === this) return true;
    const a = this.#view();
    const b = other.#view();
    if (a.length !== b.length) return false;
    if (this.#digested && other.#digested && (this.#lo !== other.#lo || this.#hi !== other.#hi)) return false;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  /** Are the bytes from `at` on those of `other[from..to)`? */
  rangeEquals(at: number, other: Bytes, from: number, to: number): boolean {
    this.#range(at, to - from);
    other.#range(from, to - from);
    const a = this.#view();
    const b = other.#view();
    for (let i = from, past = at - from; i < to; i++) if (a[i + past] !== b[i]) return false;
    return true;
  }

  /** True when every byte of `[from, to)` is zero. */
  isZero(from = 0, to: number = this.#u8.length): boolean {
    const u8 = this.#view();
    for (let i = from; i < to; i++) if (u8[i] !== 0) return false;
    return true;
  }

  /** A fresh copy that the caller may write to. */
  toUint8Array(): Uint8Array {
    return this.#view().slice();
  }

  /** Copies `[from, to)` into `target` at `at`. */
  copyTo(target: Uint8Array, at: number, from = 0, to: number = this.#u8.length): void {
    const u8 = this.#view();
    target.set(from === 0 && to === u8.length ? u8 : u8.subarray(from, to), at);
  }

  toHex(): string {
    const u8 = this.#view();
    // Added up digit by digit, a string of a file's bytes is a million little ones.
    const digits = new Uint8Array(u8.length * 2);
    for (let i = 0; i < u8.length; i++) {
      const pair = DIGITS[u8[i]!]!;
      digits[2 * i] = pair;
      digits[2 * i + 1] = pair >>> 8;
    }
    return ASCII.decode(digits);
  }

  /** Latin-1 text; what a test or a message prints. */
  toText(): string {
    return Array.from(this.#view(), (byte) => String.fromCharCode(byte)).join('');
  }

  toJSON(): string {
    return this.toHex();
  }

  /** 16 hex digits that name the content in traces. */
  digest(): string {
    return (this.hi >>> 0).toString(16).padStart(8, '0') + (this.lo >>> 0).toString(16).padStart(8, '0');
  }

  /** As `reading`, for a `read` that does not look at what `withSum` put there. */
  glance<T>(read: (view: Uint8Array) => T): T {
    return read(this.#known());
  }

  /** Runs `read` over the private buffer; `read` must neither write to it nor keep it. For checksums. */
  reading<T>(read: (view: Uint8Array) => T): T {
    return read(this.#view());
  }
}

const zeros = new Map<number, Bytes>();
