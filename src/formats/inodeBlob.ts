/**
 * One raw inode from elsewhere: its bytes, as they were cut from an image (128 to 4096 of them), or as text: hex digits,
 * `debugfs inode_dump` (octal offsets, `*` for rows that repeat), xxd, `xxd -i`, hexdump (with and without -C),
 * `od -t x1` and `od -x`. Words without -C and with -x are little-endian, as the machines are that ext4 is dumped on.
 *
 * No image is at hand, so nothing outside the inode is looked at. A checksum can be checked when the inode's number and
 * the volume's seed are known.
 */
import { Bytes } from '../bytes/bytes.ts';
import { crc32c } from '../bytes/crc32c.ts';
import { hexdump } from '../bytes/hexdump.ts';
import { inodeChecksum, storedInodeChecksum } from '../inode/checksum.ts';
import { fitsInInode } from '../inode/layout.ts';
import { ScenarioError } from '../scenario/error.ts';
import { quote } from '../scenario/numbers.ts';
import { inodeFlagNames } from '../volume/describe.ts';
import { iBlockLabel } from '../volume/iBlockLabel.ts';
import { fileKind, INODE_FLAGS, rawInodeExtraLayout, rawInodeLayout } from '../volume/rawInode.ts';
import { ibodyOf, xattrName } from '../volume/rawXattr.ts';
import { checkIbody, inodeByteLabel } from '../xattr/ibody.ts';
import { Source } from './source.ts';

const SIZES = [128, 256, 512, 1024, 2048, 4096];
const MAX_BYTES = 4096;
const SIZE_HINT = `an inode has ${SIZES.join(', ')} bytes`;

/**
 * @param bytes  the file
 * @throws       ScenarioError naming line and column of a text, or the size of raw bytes
 */
export function readInodeBlob(bytes: Uint8Array, file: string): Bytes {
  const isText = bytes.every(
    (byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13,
  );
  if (isText && bytes.length > 0)
    return new DumpReader(new Source(new TextDecoder().decode(bytes), file)).read();
  if (!SIZES.includes(bytes.length))
    throw new ScenarioError(`${bytes.length} bytes are no inode`, { file }, SIZE_HINT);
  return Bytes.copy(bytes);
}

interface Row {
  readonly at: number;
  /** null: the row repeats until the next offset. */
  readonly offset: string | null;
  readonly bytes: readonly number[];
}

class DumpReader {
  private readonly source: Source;

  constructor(source: Source) {
    this.source = source;
  }

  read(): Bytes {
    const rows = this.source.lines().flatMap((line) => this.row(line.text, line.at));
    const [first] = rows;
    if (first === undefined) this.source.fail(0, 'no bytes', 'hex digits, or a dump with offsets');
    const bytes = first!.offset === '' ? rows.flatMap((row) => row.bytes) : this.placed(rows);
    if (!SIZES.includes(bytes.length))
      this.source.fail(rows.at(-1)!.at, `${bytes.length} bytes are no inode`, SIZE_HINT);
    return Bytes.of(bytes);
  }

  /** A line of the dump; `offset` is '' where there is none. */
  private row(text: string, at: number): Row[] {
    if (/^\s*(#|$|unsigned |\};)/.test(text)) return [];
    if (/^\s*\*\s*$/.test(text)) return [{ at, offset: null, bytes: [] }];
    if (/^0{7} [0-7]{6} [0-7]{6}/.test(text))
      this.source.fail(at, 'od without -t prints octal words', 'od -t x1 prints bytes');
    // A blank alone ends the offset of od and hexdump, before bytes or words of 16 bits.
    const dumped =
      /^\s*(?:0x)?([0-9a-fA-F]{4,8})(?::\s*| {2,}|$)/.exec(text) ??
      /^([0-9a-fA-F]{6,8}) (?=[0-9a-fA-F]{2}(?: |$))/.exec(text) ??
      /^([0-9a-fA-F]{7}) (?=[0-9a-fA-F]{4}(?: |$))/.exec(text);
    const isWords = dumped !== null && /^[0-9a-fA-F]{7} [0-9a-fA-F]{4}(?: |$)/.test(text);
    const offset = dumped === null ? '' : dumped[1]!;
    const start = dumped === null ? 0 : dumped[0].length;
    const body = text.slice(start).replace(/\s*\|[^|]*\|?\s*$|\s+>.*<\s*$/, '');
    const isCanonical = body.length < text.slice(start).length;
    const bytes: number[] = [];
    let from = 0;
    while (from < body.length && (offset === '' || bytes.length < 16)) {
      const found = /^(\s*)(\S+)/.exec(body.slice(from));
      if (found === null) break;
      const [, blank, word] = found as unknown as [string, string, string];
      // Two blanks end the bytes of a short row; what follows is their text.
      if (offset !== '' && bytes.length > 0 && blank.length > 1 && !isCanonical) break;
      const where = at + start + from + blank.length;
      const digits = offset === '' ? word.replace(/^0x([^,]*),?$/, '$1') : word;
      const odd = /[^0-9a-fA-F]/.exec(digits);
      if (odd !== null) this.source.fail(where + odd.index, `${quote(odd[0])} is no hex digit`);
      if (digits.length % 2 !== 0) this.source.fail(where, `${quote(word)} has an odd number of hex digits`);
      const pairs = digits.match(/../g)!.map((pair) => Number.parseInt(pair, 16));
      bytes.push(...(isWords ? pairs.reverse() : pairs));
      if (bytes.length > MAX_BYTES) this.source.fail(where, `more than ${MAX_BYTES} bytes`, SIZE_HINT);
      from += blank.length + word.length;
    }
    return [{ at, offset, bytes }];
  }

  /** Bytes by their offsets: octal in debugfs and od, hex elsewhere, decimal where od was asked for it. */
  private placed(rows: readonly Row[]): number[] {
    const base = this.base(rows);
    const bytes: number[] = [];
    let last: readonly number[] = [];
    let repeats = false;
    for (const row of rows) {
      if (row.offset === null) {
        if (last.length === 0) this.source.fail(row.at, '* with nothing to repeat');
        repeats = true;
        continue;
      }
      if (row.offset === '') this.source.fail(row.at, 'a row without an offset');
      const offset = Number.parseInt(row.offset, base);
      if (Number.isNaN(offset))
        this.source.fail(row.at, `${quote(row.offset)} is no ${BASE_NAMES[base]} offset`);
      if (offset > MAX_BYTES)
        this.source.fail(row.at, `offset ${row.offset} is past the largest inode`, SIZE_HINT);
      while (repeats && bytes.length < offset) bytes.push(...last);
      repeats = false;
      if (bytes.length !== offset)
        this.source.fail(row.at, `offset ${row.offset} where ${bytes.length.toString(base)} should be`);
      bytes.push(...row.bytes);
      if (row.bytes.length > 0) last = row.bytes;
    }
    // Repeated to the end, which is where the next size of an inode is.
    if (repeats) {
      const end = SIZES.find((size) => size > bytes.length) ?? MAX_BYTES;
      while (bytes.length < end) bytes.push(...last);
    }
    return bytes;
  }

  private base(rows: readonly Row[]): 8 | 10 | 16 {
    const [first, second, third] = rows;
    if (first?.offset === null || second?.offset == null)
      return third?.offset == null || second?.offset !== null ? 16 : 8;
    const length = first?.bytes.length ?? 0;
    return ([8, 10, 16] as const).find((base) => Number.parseInt(second.offset!, base) === length) ?? 16;
  }
}

const BASE_NAMES = { 8: 'octal', 10: 'decimal', 16: 'hex' } as const;

/** What names the volume and the inode, where the checksum is to be checked. */
export interface BlobIdentity {
  readonly ino: number;
  /** s_checksum_seed, or crc32c of the uuid. */
  readonly seed: number;
}

/** The checksum seed of a volume from its uuid, as ext4_fill_super computes it. */
export function seedOfUuid(uuid: string): number {
  const hex = uuid.replaceAll('-', '');
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  return crc32c(0xffff_ffff, bytes, 0, bytes.length);
}

/** Every byte's name; a damaged attribute area is one piece. */
export function blobLabel(raw: Bytes): (at: number) => string {
  const extraIsize = extraIsizeOf(raw);
  const isSound = checkIbody(raw) === undefined && ibodyOf(raw, extraIsize).problems.length === 0;
  return (at) => {
    const iBlock = iBlockLabel(raw, at);
    if (iBlock !== undefined) return iBlock;
    if (isSound || at < 128 + Math.min(extraIsize, raw.length - 128)) {
      return isSound ? inodeByteLabel(raw, at) : (labelBelow(raw, at) ?? 'extra');
    }
    return 'ibody (damaged)';
  };
}

function labelBelow(raw: Bytes, at: number): string | undefined {
  return at < 128
    ? rawInodeLayout.fieldAt(at)
    : raw.length > 128
      ? rawInodeExtraLayout.fieldAt(at)
      : undefined;
}

function extraIsizeOf(raw: Bytes): number {
  return raw.length > 128 ? rawInodeExtraLayout.get(raw, 'extraIsize') : 0;
}

/** @param who  left out: the checksum is shown as it is stored */
export function describeInodeBlob(raw: Bytes, who?: BlobIdentity): string[] {
  const get = rawInodeLayout.decode(raw);
  const kind = fileKind(get.mode);
  const row = (name: string, value: unknown): string => `${name.padEnd(18)} ${value}`;
  const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, '0')}`;
  const size = get.sizeLo + (kind === 'file' ? get.sizeHigh * 2 ** 32 : 0);
  const extraIsize = extraIsizeOf(raw);
  const lines = [
    row('inode', `${raw.length} bytes${who === undefined ? '' : `, number ${who.ino}`}`),
    row('type, mode', `${kind ?? 'none'} 0${get.mode.toString(8)}`),
    row('size', `${size} bytes`),
    row('owner', `${get.uidLo + get.uidHigh * 2 ** 16}:${get.gidLo + get.gidHigh * 2 ** 16}`),
    row('links', get.linksCount),
    row('blocks', get.blocksLo + get.blocksHigh * 2 ** 32),
    row('flags', `${hex(get.flags)} ${inodeFlagNames(get.flags).join(' ')}`.trimEnd()),
    row('generation', get.generation),
    row('extra isize', extraIsize),
    row('checksum', checksumText(raw, who)),
  ];
  const problem = checkIbody(raw);
  const area = ibodyOf(raw, extraIsize);
  const sound = problem === undefined && area.problems.length === 0;
  for (const entry of area.entries) {
    const value = entry.value === undefined ? 'cannot be read' : entry.value.toHex();
    const shown = value.length > 32 ? `${value.slice(0, 32)}…` : value;
    lines.push(
      row(
        'xattr',
        `${xattrName(entry)} (entry at ${hex(entry.offset, 2)}, ${entry.valueSize} bytes) ${shown}`,
      ),
    );
  }
  if (!sound) lines.push(row('xattrs', `damaged: ${problem ?? area.problems[0]!.problem}`));
  if ((get.flags & INODE_FLAGS.INLINE_DATA) !== 0) {
    const data = area.entries.find((entry) => xattrName(entry) === 'system.data')?.value;
    const all = data === undefined ? get.iBlock : Bytes.concat([get.iBlock, data]);
    lines.push(
      row('inline room', `${all.length} bytes: 60 in i_block, ${data?.length ?? 0} in system.data`),
      ...(data === undefined ? [row('system.data', 'none, though INLINE_DATA is set')] : []),
      ...(kind === 'file' && size > all.length
        ? [row('i_size', `${size} is larger than the inline room`)]
        : []),
    );
  }
  const label = blobLabel(raw);
  lines.push('', hexdump(raw, { label }));
  return lines;
}

function checksumText(raw: Bytes, who: BlobIdentity | undefined): string {
  const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
  const stored = storedInodeChecksum(raw);
  if (who === undefined) return `${hex(stored)} (to check it, give --ino and --uuid, or an image)`;
  const sum = inodeChecksum(raw, who.ino, who.seed);
  const wanted = raw.length > 128 && fitsInInode(raw, 'checksumHi') ? sum : sum & 0xffff;
  return stored === wanted ? `${hex(stored)} right` : `${hex(stored)} WRONG, should be ${hex(wanted)}`;
}
