/**
 * The language in which `tables.ts` declares state. A table is a set of records; a record has one or two integer
 * keys and fields of five kinds. A record whose fields are all at their default is the same as no record.
 *
 *   int    a signed 32-bit integer, default 0
 *   u53    an integer 0…2^53−1 (a size, an offset), default 0
 *   bool   default false
 *   bytes  a `Bytes` or null, default null
 *   value  any immutable plain JSON value that may hold `Bytes`, replaced whole, or null; default null
 *
 * From the declaration come the typed facade, both worlds, the digest and the names in diffs and traces.
 */
import { Bytes } from '../bytes/bytes.ts';

export type Kind = 'int' | 'u53' | 'bool' | 'bytes' | 'value';

export interface FieldSpec<K extends Kind = Kind, T = unknown> {
  readonly kind: K;
  /** Only for types: never there at run time. */
  readonly type?: T;
}

export const int: FieldSpec<'int', number> = { kind: 'int' };
export const u53: FieldSpec<'u53', number> = { kind: 'u53' };
export const bool: FieldSpec<'bool', boolean> = { kind: 'bool' };
export const bytes: FieldSpec<'bytes', Bytes | null> = { kind: 'bytes' };
export const value = <T>(): FieldSpec<'value', T | null> => ({ kind: 'value' });

export type FieldSpecs = Readonly<Record<string, FieldSpec>>;

/** The record as ops see it: fields that can be read and assigned, inside a step. */
export type RecordOf<F extends FieldSpecs> = {
  -readonly [N in keyof F]: NonNullable<F[N]['type']> | Nullable<F[N]>;
};
type Nullable<S extends FieldSpec> = null extends S['type'] ? null : never;

export interface TableSpec<F extends FieldSpecs = FieldSpecs> {
  readonly name: string;
  /** What the keys are, in words: one or two. */
  readonly keys: readonly string[];
  readonly fields: F;
}

export function table<F extends FieldSpecs>(name: string, keys: readonly string[], fields: F): TableSpec<F> {
  return { name, keys, fields };
}

export type FieldValue = number | boolean | Bytes | object | null;

/** The default of a field kind. */
export function defaultOf(kind: Kind): FieldValue {
  return kind === 'bool' ? false : kind === 'bytes' || kind === 'value' ? null : 0;
}

// ---- digest: the same number for equal states, in both worlds and on every machine

/** Mixes one non-zero word into 32 bits; zero contributes nothing, so that a default record is no record. */
export function mix1(salt: number, word: number): number {
  if (word === 0) return 0;
  let h = Math.imul(word ^ salt, 0xcc9e2d51);
  h ^= h >>> 15;
  h = Math.imul(h + salt, 0x2c1b3c6d);
  return h ^ (h >>> 13);
}

/** The second half of the 64-bit digest. */
export function mix2(salt: number, word: number): number {
  if (word === 0) return 0;
  let h = Math.imul(word + salt, 0x1b873593);
  h ^= h >>> 13;
  h = Math.imul(h ^ salt, 0x297a2d39);
  return h ^ (h >>> 16);
}

/** The salt of word `word` of record (table, a, b). */
export function saltOf(tableIndex: number, a: number, b: number, word: number): number {
  let h = Math.imul(tableIndex + 1, 0x9e3779b1);
  for (const part of [a, b, Math.floor(b / 0x1_0000_0000), word]) {
    h = Math.imul(h ^ part, 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h + 0x7f4a7c15, 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h;
}

/** Two 32-bit digests of a `value` field: text of its JSON with Bytes named by their own digests. */
export function valueDigest(v: unknown): readonly [number, number] {
  const text = canonical(v);
  let lo = 0x811c9dc5;
  let hi = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    lo = Math.imul(lo ^ c, 0x01000193);
    hi = Math.imul(hi + c, 0x5bd1e995);
    hi ^= hi >>> 15;
  }
  return [lo | 0 || 1, hi | 0 || 1];
}

/** One text per value: object keys sorted, Bytes by length and digest. */
export function canonical(v: unknown): string {
  if (v instanceof Bytes) return `#${v.length}:${v.digest()}`;
  if (Array.isArray(v)) return `[${v.map(canonical).join(',')}]`;
  if (v !== null && typeof v === 'object') {
    return `{${Object.keys(v)
      .sort()
      .map((key) => `${key}:${canonical((v as Record<string, unknown>)[key])}`)
      .join(',')}}`;
  }
  return JSON.stringify(v) ?? 'null';
}
