/**
 * The bytes of a raw inode as a map: each byte with its field, a letter and a tint for it, and who wrote it when.
 * Fields come from the layout tables by way of the labels of hexdumps; only the letters are made here.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { extraIsizeOf, type InodeField, inodeFlagNames, inodeLayout } from '../inode/layout.ts';
import type { Snapshot } from '../state/world.ts';
import { peekRaw } from '../vfs/peek.ts';
import { iBlockLabel } from '../volume/iBlockLabel.ts';
import { xattrEntryLayout } from '../xattr/entry.ts';
import { ibodyEntries, inodeByteLabel } from '../xattr/ibody.ts';
import type { DesignRun } from './comparison.ts';

export interface ByteField {
  /** As hexdumps label it. */
  readonly label: string;
  readonly letter: string;
  /** Of the palette, 0 to `TINTS` - 1; neighbours differ. */
  readonly tint: number;
}

export const TINTS = 6;

/** Letters of what is no field of struct ext4_inode. */
const PARTS = {
  iBlock: { letter: 'B', tint: 0, note: 'i_block: extents, block map or the first 60 inline bytes' },
  magic: { letter: 'X', tint: 4, note: 'magic of the xattrs in the inode body' },
  data: { letter: 'N', tint: 1, note: 'the system.data entry' },
  dataValue: { letter: 'V', tint: 3, note: 'value of system.data: inline bytes from 60 on' },
  entry: { letter: 'E', tint: 5, note: 'another xattr entry' },
  value: { letter: 'Y', tint: 2, note: 'value of another xattr' },
  free: { letter: '·', tint: -1, note: 'free' },
} as const;

/** Letters of the fields of struct ext4_inode: the first one of the name that is not taken yet. */
const LETTERS: ReadonlyMap<string, { readonly letter: string; readonly tint: number }> = (() => {
  const taken = new Set<string>(Object.values(PARTS).map(({ letter }) => letter));
  const all = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'];
  const letters = new Map<string, { letter: string; tint: number }>();
  Object.keys(inodeLayout.fields).forEach((name, at) => {
    const wanted = [...name].flatMap((char) => [char.toLowerCase(), char.toUpperCase()]);
    const letter = [...wanted, ...all].find((each) => !taken.has(each))!;
    taken.add(letter);
    letters.set(name, { letter, tint: 1 + (at % (TINTS - 1)) });
  });
  return letters;
})();

const NOTES: ReadonlyMap<string, string> = new Map(
  Object.values(PARTS).map(({ letter, note }) => [letter, note]),
);

const known = new WeakMap<Bytes, readonly ByteField[]>();

/** The field of each byte. */
export function byteFields(raw: Bytes): readonly ByteField[] {
  let fields = known.get(raw);
  if (fields === undefined)
    known.set(raw, (fields = Array.from({ length: raw.length }, (_, at) => fieldOf(raw, at))));
  return fields;
}

function fieldOf(raw: Bytes, at: number): ByteField {
  const inBlock = iBlockLabel(raw, at);
  if (inBlock !== undefined) return { label: inBlock, ...PARTS.iBlock };
  const label = inodeByteLabel(raw, at);
  const own = LETTERS.get(label);
  if (own !== undefined) return { label, ...own };
  if (label === 'ibodyHeader.magic') return { label, ...PARTS.magic };
  if (label === '7:data value') return { label, ...PARTS.dataValue };
  if (label.startsWith('7:data.')) return { label, ...PARTS.data };
  if (label.endsWith(' value')) return { label, ...PARTS.value };
  return { label, ...(label.includes('.') ? PARTS.entry : PARTS.free) };
}

/** What the letters mean, for those that some of these inodes have. */
export function legendOf(raws: readonly Bytes[]): { letter: string; tint: number; text: string }[] {
  const legend = new Map<string, { letter: string; tint: number; text: string }>();
  for (const raw of raws) {
    for (const { label, letter, tint } of byteFields(raw))
      if (!legend.has(letter)) legend.set(letter, { letter, tint, text: NOTES.get(letter) ?? label });
  }
  return [...legend.values()];
}

/** The value of the field that byte `at` belongs to, where it has one: `0x10080000 (extents, inlineData)`. */
export function fieldValue(raw: Bytes, at: number): string {
  const name = iBlockLabel(raw, at) === undefined ? inodeByteLabel(raw, at) : undefined;
  const byte = `0x${hex(raw.u8(at), 2)}`;
  if (name === undefined) return byte;
  if (name in inodeLayout.fields && at < 0x80 + Math.max(extraIsizeOf(raw), 0x20)) {
    const field = inodeLayout.fields[name as InodeField];
    if (field.kind === 'bytes') return byte;
    const value = inodeLayout.get(raw, name as Exclude<InodeField, 'iBlock'>);
    const flags = name === 'flags' ? inodeFlagNames(value).join(', ') : `${value}`;
    return `0x${hex(value, 2 * field.size)} (${flags === '' ? 'none' : flags})`;
  }
  const [, part] = /\.(\w+)$/.exec(name) ?? [];
  const entry = ibodyEntries(raw).findLast((each) => each.at <= at);
  if (part === undefined || entry === undefined || !(part in xattrEntryLayout.fields)) return byte;
  const value = xattrEntryLayout.get(raw, part as keyof typeof xattrEntryLayout.fields, entry.at);
  return `0x${hex(value, 2)} (${value})`;
}

/** A step that wrote the raw inode. */
export interface RawWrite {
  readonly step: number;
  readonly before: Bytes;
  readonly after: Bytes;
}

/** Every step of a run that changed the raw inode in the bdev cache, in order. */
export function rawWrites({ steps, at }: DesignRun, ino: number): RawWrite[] {
  const key = `${ino}`;
  return steps.flatMap(({ step, before, after, changes }) =>
    changes.some((change) => change.table === 'raw' && change.key === key)
      ? [{ step, before: rawAt(at, before, ino), after: rawAt(at, after, ino) }].filter(
          (write) => !write.before.equals(write.after),
        )
      : [],
  );
}

/** The raw inode as the bdev cache has it at a state. */
export function rawAt(at: DesignRun['at'], state: Snapshot, ino: number): Bytes {
  return peekRaw(at(state), ino);
}

/** Steps among them that changed byte `at`, with what it was and what it became. */
export function byteHistory(
  writes: readonly RawWrite[],
  at: number,
): { step: number; before: number; after: number }[] {
  return writes.flatMap(({ step, before, after }) =>
    before.u8(at) === after.u8(at) ? [] : [{ step, before: before.u8(at), after: after.u8(at) }],
  );
}

export const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
