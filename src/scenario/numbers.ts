/**
 * Numbers as xfs_io reads them (`cvtnum` of xfsprogs, checked against xfs_io 6.1.0): decimal, `0x` hex or octal
 * with a leading 0, then at most one unit letter in either case.
 *
 *     s 512 · b 4096 · k 2^10 · m 2^20 · g 2^30 · t 2^40 · p 2^50 · e 2^60
 *
 * `b` is 4096 whatever the block size of the volume: xfs_io knows the geometry of xfs only. Letters that are hex
 * digits belong to the number: `0x1b` is 27, `0x1e` is 30.
 *
 * Stricter than xfs_io: no sign, no value of 2^53 or more (xfs_io saturates there and writes until the disk is
 * full), and the number must be the whole word.
 */

/** A value read from text, or what is wrong with the text. `hint` says what to write instead. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string; readonly hint?: string };

const UNITS: Readonly<Record<string, bigint>> = {
  s: 512n,
  b: 4096n,
  k: 1n << 10n,
  m: 1n << 20n,
  g: 1n << 30n,
  t: 1n << 40n,
  p: 1n << 50n,
  e: 1n << 60n,
};

const UNIT_HINT = 'units are s (512), b (4096), k, m, g, t, p and e, one letter each';

/**
 * An offset, length or count.
 * @param text  one word, without spaces
 * @returns     a safe integer ≥ 0, in bytes where a unit letter was given
 */
export function parseNumber(text: string): Parsed<number> {
  const match = /^(0[xX][0-9a-fA-F]+|[0-9]+)([a-zA-Z]?)$/.exec(text);
  if (match === null) return { problem: `${quote(text)} is not a number`, ...whyNot(text) };
  const [, digits, unit] = match as unknown as [string, string, string];
  const base = baseValue(digits);
  if (base === null) {
    return { problem: `${quote(text)} is not a number`, hint: 'a leading 0 means octal: digits 0 to 7' };
  }
  const factor = unit === '' ? 1n : UNITS[unit.toLowerCase()];
  if (factor === undefined)
    return { problem: `${quote(text)} has an unknown unit ${quote(unit)}`, hint: UNIT_HINT };
  const value = base * factor;
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    return { problem: `${quote(text)} is too large`, hint: 'below 2^53' };
  return { value: Number(value) };
}

/** A plain count or index: as `parseNumber`, without a unit. */
export function parseIndex(text: string): Parsed<number> {
  if (/^[0-9]+[a-zA-Z]$/.test(text)) return { problem: `${quote(text)} is not a plain number` };
  return parseNumber(text);
}

/** A fill byte, as the argument of `-S`: 0 to 255. xfs_io takes more and uses the low 8 bits; we refuse. */
export function parseByte(text: string): Parsed<number> {
  const parsed = parseIndex(text);
  if ('problem' in parsed) return parsed;
  if (parsed.value > 0xff)
    return { problem: `${quote(text)} is not a byte`, hint: '0 to 255, or 0x00 to 0xff' };
  return parsed;
}

/** Literal bytes in hex, with or without `0x`. @returns lower-case hex digits, two per byte, at least one byte */
export function parseHex(text: string): Parsed<string> {
  const digits = text.replace(/^0[xX]/, '');
  if (digits === '') return { problem: `${quote(text)} holds no hex digits` };
  if (!/^[0-9a-fA-F]*$/.test(digits))
    return { problem: `${quote(text)} is not hex`, hint: 'two digits a byte: 4142' };
  if (digits.length % 2 !== 0) return { problem: `${quote(text)} has an odd number of hex digits` };
  return { value: digits.toLowerCase() };
}

/** Text in a message: quoted, shortened, control characters made visible. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 39)}…` : text);
}

function baseValue(digits: string): bigint | null {
  if (/^0[xX]/.test(digits)) return BigInt(digits);
  if (digits.length > 1 && digits.startsWith('0'))
    return /^[0-7]+$/.test(digits) ? BigInt(`0o${digits}`) : null;
  return BigInt(digits);
}

function whyNot(text: string): { hint?: string } {
  if (/^[-+]/.test(text)) return { hint: 'no sign: offsets and lengths are 0 or more' };
  if (/^[0-9]+[.,]/.test(text)) return { hint: 'whole numbers only: 1536 or 0x600, not 1.5k' };
  if (/^[0-9]+[a-zA-Z]{2,}$/.test(text)) return { hint: UNIT_HINT };
  if (/^0[xX]/.test(text)) return { hint: 'hex digits after 0x' };
  return {};
}
