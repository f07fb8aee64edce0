/**
 * Layout tables: one table per on-disk structure drives decoding, encoding, hexdump labels and the docs.
 *
 * A field is `{ at, size, kind }`; offsets are hex, in on-disk order. Integers are little endian unless the kind
 * says `be` (the journal). 64-bit integers are plain numbers and must stay below 2^53.
 */
import type { Bytes } from './bytes.ts';

export type FieldKind = 'u8' | 'u16' | 'u32' | 'u64' | 'be16' | 'be32' | 'be64' | 'bytes';

export interface Field<K extends FieldKind = FieldKind> {
  readonly at: number;
  readonly size: number;
  readonly kind: K;
  /** What the field means, for the hexdump and the docs; empty when the name says it. */
  readonly note: string;
}

const field =
  <K extends FieldKind>(kind: K, size: number) =>
  (at: number, note = ''): Field<K> => ({ at, size, kind, note });

export const u8: (at: number, note?: string) => Field<'u8'> = field('u8', 1);
export const u16: (at: number, note?: string) => Field<'u16'> = field('u16', 2);
export const u32: (at: number, note?: string) => Field<'u32'> = field('u32', 4);
export const u64: (at: number, note?: string) => Field<'u64'> = field('u64', 8);
export const be16: (at: number, note?: string) => Field<'be16'> = field('be16', 2);
export const be32: (at: number, note?: string) => Field<'be32'> = field('be32', 4);
export const be64: (at: number, note?: string) => Field<'be64'> = field('be64', 8);
export const raw = (at: number, size: number, note = ''): Field<'bytes'> => ({
  at,
  size,
  kind: 'bytes',
  note,
});

export type Fields = Readonly<Record<string, Field>>;
export type Value<F extends Field> = F['kind'] extends 'bytes' ? Bytes : number;
export type Record_<F extends Fields> = { [N in keyof F]: Value<F[N]> };

const readInt = (bytes: Bytes, f: Field, base: number): number => {
  const at = base + f.at;
  switch (f.kind) {
    case 'u8':
      return bytes.u8(at);
    case 'u16':
      return bytes.u16(at);
    case 'u32':
      return bytes.u32(at);
    case 'u64':
      return bytes.u32(at) + bytes.u32(at + 4) * 0x1_0000_0000;
    case 'be16':
      return (bytes.u8(at) << 8) | bytes.u8(at + 1);
    case 'be32':
      return bytes.u32be(at);
    case 'be64':
      return bytes.u32be(at) * 0x1_0000_0000 + bytes.u32be(at + 4);
    case 'bytes':
      throw new RangeError('a bytes field is not an integer');
  }
};

const writeInt = (target: Uint8Array, f: Field, base: number, value: number): void => {
  const at = base + f.at;
  const lo = value >>> 0;
  const hi = Math.floor(value / 0x1_0000_0000);
  const le = (to: number, n: number, v: number) => {
    for (let i = 0; i < n; i++) target[to + i] = v >>> (8 * i);
  };
  const be = (to: number, n: number, v: number) => {
    for (let i = 0; i < n; i++) target[to + i] = v >>> (8 * (n - 1 - i));
  };
  switch (f.kind) {
    case 'u8':
    case 'u16':
    case 'u32':
      return le(at, f.size, lo);
    case 'u64':
      le(at, 4, lo);
      return le(at + 4, 4, hi);
    case 'be16':
    case 'be32':
      return be(at, f.size, lo);
    case 'be64':
      be(at, 4, hi);
      return be(at + 4, 4, lo);
    case 'bytes':
      throw new RangeError('a bytes field is not an integer');
  }
};

export class Layout<F extends Fields> {
  readonly name: string;
  readonly size: number;
  readonly fields: F;

  constructor(name: string, size: number, fields: F) {
    this.name = name;
    this.size = size;
    this.fields = fields;
    for (const [key, f] of Object.entries(fields)) {
      if (f.at + f.size > size) throw new RangeError(`${name}.${key} ends past the structure`);
    }
  }

  get<N extends keyof F>(bytes: Bytes, name: N, base = 0): Value<F[N]> {
    const f = this.fields[name]!;
    const value =
      f.kind === 'bytes' ? bytes.slice(base + f.at, base + f.at + f.size) : readInt(bytes, f, base);
    return value as Value<F[N]>;
  }

  /** Writes some fields at one copy. */
  put(bytes: Bytes, values: Partial<Record_<F>>, base = 0): Bytes {
    return bytes.edit((target) => this.write(target, values, base));
  }

  /** Writes some fields into a scratch buffer. */
  write(target: Uint8Array, values: Partial<Record_<F>>, base = 0): void {
    for (const [key, value] of Object.entries(values)) {
      const f = this.fields[key];
      if (f === undefined) throw new RangeError(`${this.name} has no field ${key}`);
      if (f.kind !== 'bytes') writeInt(target, f, base, value as number);
      else {
        if ((value as Bytes).length !== f.size)
          throw new RangeError(`${this.name}.${key} takes ${f.size} bytes`);
        (value as Bytes).copyTo(target, base + f.at);
      }
    }
  }

  decode(bytes: Bytes, base = 0): Record_<F> {
    const out: Record<string, number | Bytes> = {};
    for (const key of Object.keys(this.fields)) out[key] = this.get(bytes, key, base);
    return out as Record_<F>;
  }

  /** The field that covers byte `at`, for labels; undefined in a gap. */
  fieldAt(at: number): string | undefined {
    for (const [key, f] of Object.entries(this.fields)) if (at >= f.at && at < f.at + f.size) return key;
    return undefined;
  }
}

/** @param size  bytes of the whole structure; every field must lie inside */
export function layout<F extends Fields>(name: string, size: number, fields: F): Layout<F> {
  return new Layout(name, size, fields);
}
