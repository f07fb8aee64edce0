/**
 * What a program's memory is mapped to, and the bytes its arguments are. A call's pointer arguments are copied to their
 * addresses before the call, and the kernel copies results there: where such an address lies in a mapped file, that is
 * a store to the file which no call of the program shows.
 */
import type { Arg, Call } from './program.ts';

/** A piece of memory that is a file's. */
export interface Mapping {
  readonly address: bigint;
  readonly length: number;
  /** Of the file, bytes. */
  readonly offset: number;
  readonly fd: number;
}

/** Bytes that come to lie at an address. */
export interface Copy {
  readonly at: number;
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** The size is not known: consts have the width that the call's description gives them. */
  readonly guessed: boolean;
}

/** What syz-executor copies in before a call, outermost first. */
export function copiesIn(call: Call): Copy[] {
  return call.args.flatMap((arg) => copiesOf(arg));
}

function copiesOf(arg: Arg): Copy[] {
  if (arg.kind === 'pointer') {
    if (arg.arg === null) return [];
    const inner = innerPointers(arg.arg);
    if (arg.address === null) return inner;
    // What the call gives out is not copied in.
    if (makesResult(arg.arg)) return inner;
    const image = bytesOf(arg.arg);
    const own =
      image.bytes.length === 0
        ? []
        : [{ at: arg.at, address: arg.address, bytes: image.bytes, guessed: image.guessed }];
    return [...own, ...inner];
  }
  return innerPointers(arg);
}

function innerPointers(arg: Arg): Copy[] {
  switch (arg.kind) {
    case 'pointer':
      return copiesOf(arg);
    case 'struct':
    case 'array':
      return arg.args.flatMap(innerPointers);
    case 'union':
      return arg.arg === null ? [] : innerPointers(arg.arg);
    case 'result':
      return innerPointers(arg.arg);
    default:
      return [];
  }
}

function makesResult(arg: Arg): boolean {
  if (arg.kind === 'struct' || arg.kind === 'array')
    return arg.args.length > 0 && arg.args.every(makesResult);
  return arg.kind === 'result';
}

const WORD_BYTES = 8;

/** The bytes of a value as they lie in memory; numbers of unknown width are taken as 8 bytes. */
export function bytesOf(arg: Arg): { readonly bytes: Uint8Array; readonly guessed: boolean } {
  switch (arg.kind) {
    case 'data': {
      // An empty text with a size is a buffer for the kernel to fill.
      if (arg.bytes.length === 0) return { bytes: arg.bytes, guessed: false };
      const bytes = new Uint8Array(arg.size);
      bytes.set(arg.bytes.subarray(0, arg.size));
      return { bytes, guessed: false };
    }
    case 'const':
      return { bytes: word(arg.value), guessed: true };
    case 'pointer':
      return { bytes: word(arg.address ?? 0n), guessed: true };
    case 'result':
    case 'resource':
      return { bytes: word(0n), guessed: true };
    case 'struct':
    case 'array': {
      const parts = arg.args.map(bytesOf);
      const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.length, 0));
      let at = 0;
      for (const part of parts) {
        bytes.set(part.bytes, at);
        at += part.bytes.length;
      }
      return { bytes, guessed: parts.some(({ guessed }) => guessed) };
    }
    case 'union':
      return anyBytes(arg) ?? (arg.arg === null ? { bytes: word(0n), guessed: true } : bytesOf(arg.arg));
    default:
      return { bytes: new Uint8Array(0), guessed: false };
  }
}

/** Of ANY blobs: bytes that a value takes, and its digits where it is text. */
const ANY: Readonly<Record<string, readonly [size: number, base: number, prefix: string]>> = {
  ANYRES8: [1, 0, ''],
  ANYRES16: [2, 0, ''],
  ANYRES32: [4, 0, ''],
  ANYRES64: [8, 0, ''],
  ANYRESDEC: [20, 10, ''],
  ANYRESHEX: [18, 16, '0x'],
  ANYRESOCT: [23, 8, ''],
};

/** Pieces of squashed arguments, whose name says how wide they are. @source syzkaller prog/any.go */
function anyBytes(arg: Arg & { kind: 'union' }): { bytes: Uint8Array; guessed: boolean } | null {
  if (!Object.hasOwn(ANY, arg.field)) return null;
  const [size, base, prefix] = ANY[arg.field]!;
  const known = arg.arg?.kind === 'const';
  const value = arg.arg?.kind === 'const' ? arg.arg.value : 0n;
  const bytes =
    base === 0
      ? word(value).slice(0, size)
      : new TextEncoder().encode(prefix + value.toString(base).padStart(size - prefix.length, '0'));
  return { bytes, guessed: !known };
}

function word(value: bigint): Uint8Array {
  const bytes = new Uint8Array(WORD_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, value & ((1n << 64n) - 1n), true);
  return bytes;
}

/** Every address that a call names, with what it points at. */
export function pointersOf(call: Call): (Arg & { kind: 'pointer' })[] {
  const found: (Arg & { kind: 'pointer' })[] = [];
  const look = (arg: Arg): void => {
    if (arg.kind === 'pointer') {
      found.push(arg);
      if (arg.arg !== null) look(arg.arg);
    } else if (arg.kind === 'struct' || arg.kind === 'array') arg.args.forEach(look);
    else if ((arg.kind === 'union' || arg.kind === 'result') && arg.arg !== null) look(arg.arg);
  };
  call.args.forEach(look);
  return found;
}

/** Where the kernel writes when the call succeeds: argument number and bytes. */
export const KERNEL_WRITES: Readonly<
  Record<string, readonly (readonly [argument: number, bytes: number])[]>
> = {
  pipe: [[0, 8]],
  pipe2: [[0, 8]],
  socketpair: [[3, 8]],
  stat: [[1, 144]],
  lstat: [[1, 144]],
  fstat: [[1, 144]],
  newfstatat: [[2, 144]],
  statfs: [[1, 120]],
  fstatfs: [[1, 120]],
  uname: [[0, 390]],
  sysinfo: [[0, 112]],
  times: [[0, 32]],
  getrusage: [[1, 144]],
  clock_gettime: [[1, 16]],
  gettimeofday: [[0, 16]],
  sendfile: [[2, 8]],
};
