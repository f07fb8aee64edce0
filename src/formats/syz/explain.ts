/**
 * A syzkaller program in plain words, also where it cannot be emulated: every call with the names of its arguments and
 * flags, images as what their superblock says, blobs as their length, and what the program does in secret: arguments
 * that are copied into mapped files.
 */

import { Bytes } from '../../bytes/bytes.ts';
import { nameText } from '../../volume/dirent.ts';
import { Source } from '../source.ts';
import {
  FALLOC_FLAGS,
  flagNames,
  MAP_FLAGS,
  MOUNT_FLAGS,
  MSYNC_FLAGS,
  openFlagNames,
  PROT_FLAGS,
  RENAME_FLAGS,
  SYNC_RANGE_FLAGS,
} from './flags.ts';
import { imageOf, imageSummary, isOldMount, isSquashed, optionNames, type Unpack } from './image.ts';
import { copiesIn, KERNEL_WRITES, pointersOf } from './memory.ts';
import { type Arg, type Call, readProgram } from './program.ts';

type Kind =
  | 'fd'
  | 'dirfd'
  | 'path'
  | 'bytes'
  | 'count'
  | 'offset'
  | 'mode'
  | 'open'
  | 'prot'
  | 'map'
  | 'falloc'
  | 'msync'
  | 'range'
  | 'rename'
  | 'mount'
  | 'address'
  | 'any'
  | 'image'
  | 'pieces'
  | 'options';

/** Names and meanings of the arguments of the calls that work on files. */
const CALLS: Readonly<Record<string, readonly (readonly [name: string, kind: Kind])[]>> = {
  open: [
    ['', 'path'],
    ['', 'open'],
    ['mode', 'mode'],
  ],
  openat: [
    ['', 'dirfd'],
    ['', 'path'],
    ['', 'open'],
    ['mode', 'mode'],
  ],
  creat: [
    ['', 'path'],
    ['mode', 'mode'],
  ],
  close: [['', 'fd']],
  dup: [['', 'fd']],
  read: [
    ['', 'fd'],
    ['into', 'bytes'],
    ['count', 'count'],
  ],
  pread64: [
    ['', 'fd'],
    ['into', 'bytes'],
    ['count', 'count'],
    ['offset', 'offset'],
  ],
  write: [
    ['', 'fd'],
    ['', 'bytes'],
    ['count', 'count'],
  ],
  pwrite64: [
    ['', 'fd'],
    ['', 'bytes'],
    ['count', 'count'],
    ['offset', 'offset'],
  ],
  lseek: [
    ['', 'fd'],
    ['offset', 'offset'],
    ['whence', 'count'],
  ],
  mmap: [
    ['', 'address'],
    ['length', 'count'],
    ['', 'prot'],
    ['', 'map'],
    ['', 'fd'],
    ['offset', 'offset'],
  ],
  munmap: [
    ['', 'address'],
    ['length', 'count'],
  ],
  mprotect: [
    ['', 'address'],
    ['length', 'count'],
    ['', 'prot'],
  ],
  madvise: [
    ['', 'address'],
    ['length', 'count'],
    ['advice', 'count'],
  ],
  msync: [
    ['', 'address'],
    ['length', 'count'],
    ['', 'msync'],
  ],
  ftruncate: [
    ['', 'fd'],
    ['size', 'count'],
  ],
  truncate: [
    ['', 'path'],
    ['size', 'count'],
  ],
  fallocate: [
    ['', 'fd'],
    ['', 'falloc'],
    ['offset', 'offset'],
    ['length', 'count'],
  ],
  sendfile: [
    ['to', 'fd'],
    ['from', 'fd'],
    ['offset', 'any'],
    ['count', 'count'],
  ],
  copy_file_range: [
    ['from', 'fd'],
    ['at', 'any'],
    ['to', 'fd'],
    ['at', 'any'],
    ['count', 'count'],
    ['flags', 'count'],
  ],
  fsync: [['', 'fd']],
  fdatasync: [['', 'fd']],
  syncfs: [['', 'fd']],
  sync_file_range: [
    ['', 'fd'],
    ['offset', 'offset'],
    ['length', 'count'],
    ['', 'range'],
  ],
  mkdir: [
    ['', 'path'],
    ['mode', 'mode'],
  ],
  mkdirat: [
    ['', 'dirfd'],
    ['', 'path'],
    ['mode', 'mode'],
  ],
  rmdir: [['', 'path']],
  unlink: [['', 'path']],
  unlinkat: [
    ['', 'dirfd'],
    ['', 'path'],
    ['flags', 'count'],
  ],
  rename: [
    ['', 'path'],
    ['to', 'path'],
  ],
  renameat: [
    ['', 'dirfd'],
    ['', 'path'],
    ['', 'dirfd'],
    ['to', 'path'],
  ],
  renameat2: [
    ['', 'dirfd'],
    ['', 'path'],
    ['', 'dirfd'],
    ['to', 'path'],
    ['', 'rename'],
  ],
  link: [
    ['', 'path'],
    ['as', 'path'],
  ],
  symlink: [
    ['to', 'path'],
    ['as', 'path'],
  ],
  setxattr: [
    ['', 'path'],
    ['name', 'any'],
    ['value', 'bytes'],
    ['size', 'count'],
    ['flags', 'count'],
  ],
  chdir: [['', 'path']],
  mount: [
    ['', 'any'],
    ['on', 'path'],
    ['type', 'any'],
    ['', 'mount'],
    ['options', 'any'],
  ],
  syz_mount_image: [
    ['type', 'path'],
    ['on', 'path'],
    ['', 'mount'],
    ['options', 'options'],
    ['chdir', 'count'],
    ['size', 'count'],
    ['', 'image'],
  ],
};

const OLD_MOUNT: (typeof CALLS)[string] = [
  ['type', 'path'],
  ['on', 'path'],
  ['size', 'count'],
  ['', 'pieces'],
  ['', 'pieces'],
  ['', 'mount'],
  ['options', 'options'],
  ['chdir', 'count'],
];

const DIALECTS = new Set(['open', 'openat', 'creat', 'mmap', 'mount', 'syz_mount_image', 'write', 'read']);

/** @param columns  lines are cut to this width */
export function explainSyz(text: string, file: string, unpack?: Unpack, columns = 80): string[] {
  const source = new Source(text, file);
  const { calls, options } = readProgram(source);
  const out: string[] = [];
  const shown = Object.entries(options).filter(
    ([, value]) => value !== 'false' && value !== '0' && value !== '',
  );
  if (shown.length > 0) {
    const words = shown.map(([key, value]) => (value === 'true' ? key : `${key}=${value}`));
    out.push(
      ...wrapped(`options: ${words.join(' ')}`, '  ', columns),
      ...meaning(options).flatMap((line) => wrapped(line, '  ', columns)),
      '',
    );
  }
  const vmas: { address: bigint; length: bigint; offset: bigint; of: string; line: number }[] = [];
  const digits = String(calls.length).length;
  for (const [index, call] of calls.entries()) {
    const number = String(index + 1).padStart(digits);
    const indent = ' '.repeat(digits + 2);
    for (const comment of call.comments)
      if (comment !== '') out.push(...wrapped(`${indent}# ${comment}`, `${indent}# `, columns));
    for (const copy of copiesIn(call)) {
      const vma = vmas.findLast(
        (each) => copy.address >= each.address && copy.address < each.address + each.length,
      );
      if (vma === undefined) continue;
      const at = vma.offset + copy.address - vma.address;
      out.push(
        ...wrapped(
          `${indent}store: ${copy.bytes.length} bytes to ${vma.of} at ${at}, because call ${vma.line} mapped 0x${copy.address.toString(16)}`,
          `${indent}  `,
          columns,
        ),
      );
    }
    out.push(...wrapped(`${number}  ${callText(call)}`, `${indent}  `, columns));
    const mounted = imageOf(call, unpack);
    if (mounted !== null)
      out.push(
        ...imageSummary(mounted.unpacked).flatMap((line) =>
          wrapped(`${indent}${line}`, `${indent}    `, columns),
        ),
      );
    for (const text of results(call, vmas)) out.push(...wrapped(`${indent}${text}`, `${indent}  `, columns));
    const mapped = mappedBy(call, index + 1);
    if (mapped !== null) vmas.push(mapped);
  }
  return out;
}

function meaning(options: Readonly<Record<string, string>>): string[] {
  const lines: string[] = [];
  if (options.threaded === 'true')
    lines.push('threaded: each call has a thread; one that does not come back in time is overtaken');
  if (options.collide === 'true') lines.push('collide: calls are also issued in pairs, at the same time');
  if (options.repeat === 'true')
    lines.push('repeat: the program runs again and again, each time with a fresh volume');
  const procs = Number(options.procs ?? '1');
  if (procs > 1) lines.push(`procs=${procs}: as many processes run it, each on a volume of its own`);
  if (options.fault === 'true') lines.push('fault: an allocation of one call fails');
  return lines;
}

function callText(call: Call): string {
  const signature = isOldMount(call) ? OLD_MOUNT : Object.hasOwn(CALLS, call.base) ? CALLS[call.base]! : [];
  const variant = call.name === call.base || DIALECTS.has(call.base) ? '' : ` (${call.name})`;
  const args = call.args.map((arg, index) => {
    const [name, kind] = signature[index] ?? (['', 'any'] as const);
    const text = argText(arg, kind);
    return name === '' || text === '' ? text : `${name} ${text}`;
  });
  const said = args.filter((text) => text !== '').join(', ');
  const props = [
    ...(call.async ? ['without waiting for it'] : []),
    ...(call.failNth === null ? [] : [`allocation ${call.failNth} fails`]),
    ...(call.rerun > 0 ? [`${call.rerun} times more`] : []),
  ];
  const name = call.base === 'syz_mount_image' ? 'mount an image' : call.base;
  return `${call.result === null ? '' : `${call.result} = `}${name} ${said}${variant}${props.length === 0 ? '' : ` [${props.join('; ')}]`}`.trimEnd();
}

function argText(arg: Arg, kind: Kind): string {
  if (kind === 'pieces')
    return arg.kind === 'pointer' && arg.arg?.kind === 'array' ? `in ${arg.arg.args.length} pieces` : '';
  if (arg.kind === 'const') return constText(arg.value, kind);
  if (arg.kind === 'nil') return kind === 'address' ? '' : 'NULL';
  if (arg.kind === 'auto') return 'AUTO';
  if (arg.kind === 'resource')
    return `${arg.name}${arg.div === 0n ? '' : `/${arg.div}`}${arg.add === 0n ? '' : `+${arg.add}`}`;
  if (arg.kind === 'result') return `${argText(arg.arg, kind)} → ${arg.name}`;
  if (arg.kind === 'union') return `${arg.field}${arg.arg === null ? '' : ` ${argText(arg.arg, 'any')}`}`;
  if (arg.kind === 'data') return dataText(arg);
  if (arg.kind === 'struct' || arg.kind === 'array') {
    if (kind === 'options' && isSquashed(arg)) return optionNames(arg).join(' ');
    if (kind === 'options')
      return arg.args
        .map((each) => argText(each, 'options'))
        .filter((text) => text !== '')
        .join(' ');
    const [open, close] = arg.kind === 'struct' ? '{}' : '[]';
    return `${open}${arg.args.map((each) => argText(each, 'any')).join(', ')}${close}`;
  }
  if (kind === 'image')
    return arg.arg?.kind === 'data' && arg.arg.form === 'base64'
      ? ''
      : argText(arg.arg ?? { ...arg, kind: 'nil' }, 'any');
  const where = arg.address === null ? 'memory' : `0x${arg.address.toString(16)}`;
  if (kind === 'address') return `at ${where}${arg.area === null ? '' : ` (${sizeText(arg.area)})`}`;
  if (arg.arg === null) return kind === 'options' ? '' : `buffer at ${where}`;
  return argText(arg.arg, kind);
}

const MINUS_ONE = (1n << 64n) - 1n;

function constText(value: bigint, kind: Kind): string {
  switch (kind) {
    case 'open':
      return openFlagNames(value);
    case 'mode':
      return value === 0n ? '0' : `0${(value & 0o7777n).toString(8)}`;
    case 'prot':
      return flagNames(PROT_FLAGS, value, 'PROT_NONE');
    case 'map':
      return flagNames(MAP_FLAGS, value);
    case 'falloc':
      return flagNames(FALLOC_FLAGS, value, 'allocate');
    case 'msync':
      return flagNames(MSYNC_FLAGS, value);
    case 'range':
      return flagNames(SYNC_RANGE_FLAGS, value);
    case 'rename':
      return flagNames(RENAME_FLAGS, value, '');
    case 'mount':
      return value === 0n ? '' : flagNames(MOUNT_FLAGS, value);
    case 'dirfd':
      return value === 0xffffffffffffff9cn ? '' : `fd ${signed(value)}`;
    case 'fd':
      return value === MINUS_ONE ? 'fd -1 (EBADF)' : `fd ${signed(value)}`;
    case 'count':
    case 'offset':
      return sizeText(value);
    case 'path':
      return value === 0n ? 'NULL' : `0x${value.toString(16)}`;
    default:
      return value < 10n
        ? `${value}`
        : value > MINUS_ONE - 4096n
          ? `${signed(value)}`
          : `0x${value.toString(16)}`;
  }
}

const signed = (value: bigint): bigint => BigInt.asIntN(64, value);

/** A number of bytes, as a person says it. */
function sizeText(value: bigint): string {
  if (value > MINUS_ONE - (1n << 32n)) return `${signed(value)}`;
  for (const [unit, shift] of [
    ['GiB', 30n],
    ['MiB', 20n],
    ['KiB', 10n],
  ] as const)
    if (value >= 1n << shift && value % (1n << shift) === 0n) return `${value >> shift} ${unit}`;
  return value >= 1n << 16n ? `${value} (0x${value.toString(16)})` : `${value}`;
}

function dataText({ form, bytes, size }: Arg & { kind: 'data' }): string {
  if (form === 'base64') return `${bytes.length} bytes, compressed`;
  if (bytes.length === 0) return size === 0 ? 'nothing' : `buffer of ${size} bytes`;
  const end = form === 'text' && bytes.at(-1) === 0 && !bytes.subarray(0, -1).includes(0) ? -1 : undefined;
  const shown = bytes.subarray(0, end);
  if (form === 'text' && shown.length <= 64)
    return `'${nameText(Bytes.fromHex(Array.from(shown, (byte) => byte.toString(16).padStart(2, '0')).join('')))}'`;
  const hex = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${size} bytes (${hex}${bytes.length > 8 ? ' …' : ''})`;
}

type Vma = { address: bigint; length: bigint; offset: bigint; of: string; line: number };

function mappedBy(call: Call, line: number): Vma | null {
  if (call.base !== 'mmap') return null;
  const [addr, len, , flags, fd, off] = call.args;
  if (addr?.kind !== 'pointer' || addr.address === null || fd?.kind !== 'resource' || len?.kind !== 'const')
    return null;
  if (flags?.kind !== 'const' || (flags.value & 0x100010n) === 0n) return null;
  return {
    address: addr.address,
    length: len.value,
    offset: off?.kind === 'const' ? off.value : 0n,
    of: fd.name,
    line,
  };
}

/** What the kernel writes into mapped memory. */
function results(call: Call, vmas: readonly Vma[]): string[] {
  const known = KERNEL_WRITES[call.base];
  const targets =
    known?.flatMap(([argument, length]) => {
      const arg = call.args[argument];
      return arg?.kind === 'pointer' && arg.address !== null
        ? [{ address: arg.address, text: `${length} bytes` }]
        : [];
    }) ??
    (/^(read|pread64|recv|getdents)/.test(call.base)
      ? pointersOf(call).flatMap(({ address }) =>
          address === null ? [] : [{ address, text: 'what it reads' }],
        )
      : []);
  return targets.flatMap(({ address, text }) => {
    const vma = vmas.findLast((each) => address >= each.address && address < each.address + each.length);
    return vma === undefined
      ? []
      : [
          `store by the kernel: ${text} to ${vma.of} at ${vma.offset + address - vma.address}, which call ${vma.line} mapped`,
        ];
  });
}

/** Words on lines of at most so many columns; an address of the web stays whole. */
function wrapped(text: string, indent: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<=\S) +/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    const breaks = indent.length + word.length <= columns;
    if (longer.length <= columns || line === '' || !breaks) line = longer;
    else {
      lines.push(line);
      line = indent + word;
    }
  }
  lines.push(line);
  return lines.flatMap((each) => {
    if (each.includes('://')) return [each];
    const pieces: string[] = [];
    for (let at = 0; at < each.length || at === 0; at += columns) pieces.push(each.slice(at, at + columns));
    return pieces;
  });
}
