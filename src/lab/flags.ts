/**
 * The flags of open(2), as node:fs writes them: `r`, `r+`, `w`, `wx`, `a+`, … or a number of O_ bits (Linux x86-64).
 */
import { badArgument } from './errors.ts';

export interface Flags {
  readonly read: boolean;
  readonly write: boolean;
  readonly create: boolean;
  readonly exclusive: boolean;
  readonly truncate: boolean;
  readonly append: boolean;
  readonly sync: boolean;
  // Only numbers can ask for what follows.
  readonly direct: boolean;
  readonly nofollow: boolean;
  readonly directory: boolean;
  readonly tmpfile: boolean;
}

/** What matters while a file is opened, and not later. */
export const NOTHING_ASKED = {
  create: false,
  exclusive: false,
  truncate: false,
  nofollow: false,
  directory: false,
  tmpfile: false,
} as const;

const O = {
  WRONLY: 0o1,
  RDWR: 0o2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  DSYNC: 0o10000,
  DIRECT: 0o40000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  TMPFILE: 0o20000000,
  SYNC: 0o4010000,
} as const;

/** @throws TypeError for flags that node:fs does not know either */
export function parseFlags(flags: string | number): Flags {
  if (typeof flags === 'number') return ofBits(flags);
  const found = /^(rs?|sr|wx?|xw|a[sx]?|[sx]a)(\+?)$/.exec(flags);
  if (found === null) throw badArgument('flags', 'is invalid', flags);
  const letters = found[1]!;
  const plus = found[2] === '+';
  const create = !letters.includes('r');
  return {
    ...NOTHING_ASKED,
    read: !create || plus,
    write: create || plus,
    create,
    exclusive: letters.includes('x'),
    truncate: letters.includes('w'),
    append: letters.includes('a'),
    sync: letters.includes('s'),
    direct: false,
  };
}

function ofBits(bits: number): Flags {
  const access = bits & 3;
  return {
    read: access !== O.WRONLY,
    write: access === O.WRONLY || access === O.RDWR,
    create: (bits & O.CREAT) !== 0,
    exclusive: (bits & O.CREAT) !== 0 && (bits & O.EXCL) !== 0,
    truncate: (bits & O.TRUNC) !== 0,
    append: (bits & O.APPEND) !== 0,
    sync: (bits & (O.DSYNC | O.SYNC)) !== 0,
    direct: (bits & O.DIRECT) !== 0,
    nofollow: (bits & O.NOFOLLOW) !== 0,
    // O_TMPFILE contains O_DIRECTORY.
    directory: (bits & O.DIRECTORY) !== 0 && (bits & O.TMPFILE) === 0,
    tmpfile: (bits & O.TMPFILE) !== 0,
  };
}
