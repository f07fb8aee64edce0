/**
 * What both worlds offer. Ops never see it: they see records through `Kernel`.
 */
import type { FieldValue } from './schema.ts';
import type { Rec, TableName } from './tables.ts';

export interface World {
  /** The record, made on first use; a record nobody wrote reads as defaults. Its identity is stable. */
  rec<T extends TableName>(table: T, a: number, b: number): Rec<T>;
  /** The same by the table's number. */
  recAt(table: number, a: number, b: number): unknown;
  /** First keys under which records of the table exist, ascending. Includes records at their defaults. */
  firstKeys(table: TableName): readonly number[];
  /** Second keys of (table, a), ascending. Includes records at their defaults. */
  secondKeys(table: TableName, a: number): readonly number[];
  /** 64-bit digest of the data, in 16 hex digits: the same for equal states in both worlds. */
  digest(): string;
}

/** A state as plain frozen data: table → "a" or "a,b" → field → value. Records at their defaults are left out. */
export type Snapshot = {
  readonly [T in TableName]?: { readonly [key: string]: Readonly<Record<string, FieldValue>> };
};
