/**
 * Bytes for people: hexdump and difference, with a name for every byte when a label is given.
 *
 * A label is a function from byte offset to name; `labelOf` makes one from a layout table, `inodeByteLabel` in
 * xattr/ibody.ts knows a whole raw inode.
 */
import type { Bytes } from './bytes.ts';
import type { Fields, Layout } from './layout.ts';

/** The name of byte `at`, undefined where there is none. */
export type ByteLabel = (at: number) => string | undefined;

/** The label of a layout table laid at `base`. */
export function labelOf<F extends Fields>(layout: Layout<F>, base = 0): ByteLabel {
  return (at) => layout.fieldAt(at - base);
}

export interface HexdumpOptions {
  /** First byte shown, and the one past the last. */
  readonly from?: number;
  readonly to?: number;
  /** Bytes per line at most; 16. */
  readonly width?: number;
  /** Added to the offsets printed: where the bytes lie in something larger. */
  readonly base?: number;
  /** Given, a line ends where the name changes, and the name stands in place of the text column. */
  readonly label?: ByteLabel;
}

const hex2 = (byte: number): string => byte.toString(16).padStart(2, '0');

/**
 * ```
 * 0028  01 00 00 00  |....|          without a label
 * 0028  01 00 00 00  iBlock          with one
 * ```
 * A line that repeats the bytes (and name) of the one before is replaced by `*`, once per run; the last line is
 * always shown.
 * @returns lines joined by newlines, without one at the end; '' for no bytes
 */
export function hexdump(bytes: Bytes, options: HexdumpOptions = {}): string {
  const { from = 0, to = bytes.length, width = 16, base = 0, label } = options;
  const digits = Math.max(4, (base + to).toString(16).length);
  const lines: string[] = [];
  let previous: string | undefined;
  let starred = false;
  for (let at = from; at < to; ) {
    const name = label?.(at);
    let end = Math.min(at + width, to);
    if (label !== undefined) {
      let same = at + 1;
      while (same < end && label(same) === name) same++;
      end = same;
    }
    const row = Array.from({ length: end - at }, (_, i) => bytes.u8(at + i));
    const text = label === undefined ? `|${row.map(printable).join('')}|` : (name ?? '');
    const body = `${row
      .map(hex2)
      .join(' ')
      .padEnd(width * 3 - 1)}  ${text}`.trimEnd();
    if (body === previous && end < to) {
      if (!starred) lines.push('*');
      starred = true;
    } else {
      lines.push(`${(base + at).toString(16).padStart(digits, '0')}  ${body}`);
      starred = false;
    }
    previous = body;
    at = end;
  }
  return lines.join('\n');
}

const printable = (byte: number): string => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.');

/** A run of bytes that differ. One side is shorter where the values have different lengths. */
export interface ByteDiff {
  readonly at: number;
  readonly before: Bytes;
  readonly after: Bytes;
  /** The name of the run's bytes; '' without a label or where it has none. */
  readonly field: string;
}

/**
 * The runs of bytes that differ, in order. A run ends where the bytes agree, where the name changes, and where the
 * shorter value ends.
 */
export function diffBytes(before: Bytes, after: Bytes, label?: ByteLabel): ByteDiff[] {
  const runs: ByteDiff[] = [];
  const common = Math.min(before.length, after.length);
  const length = Math.max(before.length, after.length);
  const name = (at: number): string => label?.(at) ?? '';
  const differs = (at: number): boolean => at >= common || before.u8(at) !== after.u8(at);
  for (let at = 0; at < length; ) {
    if (!differs(at)) {
      at++;
      continue;
    }
    const field = name(at);
    const limit = at < common ? common : length;
    let end = at + 1;
    while (end < limit && differs(end) && name(end) === field) end++;
    const side = (bytes: Bytes): Bytes =>
      bytes.slice(Math.min(at, bytes.length), Math.min(end, bytes.length));
    runs.push({ at, before: side(before), after: side(after), field });
    at = end;
  }
  return runs;
}

/** One line per run: `0x0004 sizeLo: 64000000 → 65000000`. */
export function formatDiff(runs: readonly ByteDiff[]): string {
  return runs
    .map(({ at, before, after, field }) => {
      const place = `0x${at.toString(16).padStart(4, '0')}${field === '' ? '' : ` ${field}`}`;
      return `${place}: ${before.toHex() || '–'} → ${after.toHex() || '–'}`;
    })
    .join('\n');
}
