/** The image inside `syz_mount_image$ext4`: where it is, how it is unpacked, what its superblock says. */
import { MOUNT_OPTIONS } from '../../scenario/image.ts';
import { describeImage } from '../../volume/describe.ts';
import { Image } from '../../volume/image.ts';
import type { Source } from '../source.ts';
import { bytesOf } from './memory.ts';
import type { Arg, Call } from './program.ts';

/** zlib's inflate. Handed in: node has one, a browser another. */
export type Unpack = (packed: Uint8Array) => Uint8Array;

/** The call's compressed image, null where it brings none (or not as one piece). */
export function packedImage(call: Call): (Arg & { kind: 'data' }) | null {
  if (call.base !== 'syz_mount_image') return null;
  for (const arg of call.args) {
    const inner = arg.kind === 'pointer' ? arg.arg : null;
    if (inner?.kind === 'data' && inner.form === 'base64') return inner;
  }
  return null;
}

export interface Unpacked {
  /** null: it cannot be had; `problem` says why. */
  readonly bytes: Uint8Array | null;
  /** As the emulator takes it; null: it does not. */
  readonly image: Image | null;
  readonly problem: string | null;
}

/** Never throws: an image that is none is an answer. */
export function unpackImage(packed: Uint8Array, unpack: Unpack | undefined): Unpacked {
  const none = (problem: string): Unpacked => ({ bytes: null, image: null, problem });
  if (unpack === undefined) return none('nothing here can unpack it');
  try {
    return load(unpack(packed));
  } catch (error) {
    return none(`it is no zlib stream: ${(error as Error).message}`);
  }
}

function load(bytes: Uint8Array): Unpacked {
  try {
    return { bytes, image: Image.load(bytes), problem: null };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'BadImage') throw error;
    return { bytes, image: null, problem: error.message };
  }
}

/** IMAGE_MAX_SIZE of syzkaller's executor. */
const MAX_IMAGE_BYTES = 129 << 20;

/** What a call mounts, and where it stands: one compressed piece, or as before 2022 a list of pieces. */
export function imageOf(
  call: Call,
  unpack: Unpack | undefined,
): { readonly at: number; readonly unpacked: Unpacked } | null {
  const packed = packedImage(call);
  if (packed !== null) return { at: packed.at, unpacked: unpackImage(packed.bytes, unpack) };
  const list = isOldMount(call) ? call.args[4] : undefined;
  if (list?.kind !== 'pointer' || list.arg?.kind !== 'array' || list.arg.args.length === 0) return null;
  const pieces = list.arg.args.map(pieceOf);
  const size = call.args[2]?.kind === 'const' ? Number(call.args[2].value) : 0;
  const end = pieces.reduce((most, { bytes, offset }) => Math.max(most, offset + bytes.length), size);
  if (end > MAX_IMAGE_BYTES)
    return { at: list.at, unpacked: { bytes: null, image: null, problem: `it has ${end} bytes` } };
  const bytes = new Uint8Array(end);
  for (const piece of pieces) bytes.set(piece.bytes, piece.offset);
  return { at: list.at, unpacked: load(bytes) };
}

/** `{&(0x…)="…", size, offset}` */
function pieceOf(piece: Arg): { bytes: Uint8Array; offset: number } {
  const [data, size, offset] = piece.kind === 'struct' ? piece.args : [];
  const inner = data?.kind === 'pointer' && data.arg?.kind === 'data' ? data.arg : null;
  const number = (arg: Arg | undefined): number =>
    arg?.kind === 'const' && arg.value < 1n << 32n ? Number(arg.value) : 0;
  const bytes = new Uint8Array(Math.min(number(size), inner?.size ?? 0));
  if (inner !== null) bytes.set(inner.bytes.subarray(0, bytes.length));
  return { bytes, offset: number(offset) };
}

/** `(fs, dir, size, nsegs, segments, flags, opts[, chdir])`, as syzkaller wrote it before 2022. */
export function isOldMount(call: Call): boolean {
  const [, , , opts, segments] = call.args;
  return (
    call.base === 'syz_mount_image' &&
    (segments?.kind === 'pointer' || (opts?.kind === 'const' && opts.value !== 0n))
  );
}

/** The superblock in a few words. */
export function imageSummary({ bytes, image, problem }: Unpacked): string[] {
  if (bytes === null) return [`image: ${problem}`];
  const lines = [`image: ${bytes.length} bytes unpacked`];
  if (image !== null) {
    const { superblock: sb, journal } = describeImage(image);
    lines.push(
      `  ${sb.blocksCount} blocks of ${sb.blockSize} bytes, ${sb.inodesCount} inodes of ${sb.inodeSize} bytes`,
      `  features: ${sb.features.join(' ')}`,
      ...(image.readOnlyReason === undefined ? [] : [`  ext4lab only reads it: ${image.readOnlyReason}`]),
      `  inline_data: ${sb.features.includes('inline_data') ? 'yes' : 'no'}; journal: ${journal === undefined ? 'none' : `inode ${journal.ino}${journal.needsRecovery ? ', needs recovery' : ''}`}`,
    );
  } else lines.push(`  ext4lab cannot take it: ${problem}`, ...rawSuperblock(bytes));
  return lines;
}

const INLINE_DATA = 0x8000;

/** What can be said of a superblock that nobody accepts. */
function rawSuperblock(bytes: Uint8Array): string[] {
  if (bytes.length < 2048) return ['  too short to hold a superblock'];
  const view = new DataView(bytes.buffer, bytes.byteOffset + 1024, 1024);
  const hex = (at: number): string => `0x${view.getUint32(at, true).toString(16)}`;
  if (view.getUint16(0x38, true) !== 0xef53)
    return [`  no ext4 magic: 0x${view.getUint16(0x38, true).toString(16)}`];
  const incompat = view.getUint32(0x60, true);
  return [
    `  superblock: ${view.getUint32(4, true)} blocks, log_block_size ${view.getUint32(0x18, true)}, inode_size ${view.getUint16(0x58, true)}`,
    `  features: compat ${hex(0x5c)}, incompat ${hex(0x60)}, ro_compat ${hex(0x64)}; inline_data: ${incompat & INLINE_DATA ? 'yes' : 'no'}`,
  ];
}

/** Names of mount options as syzkaller's union fields have them, with what we do with them. */
const OPTIONS: Readonly<Record<string, string | null>> = {
  delalloc: 'delalloc',
  nodelalloc: 'nodelalloc',
  data_journal: 'data=journal',
  data_ordered: 'data=ordered',
  data_writeback: 'data=writeback',
  dioread_nolock: 'dioread_nolock',
  dioread_lock: 'dioread_lock',
  auto_da_alloc: 'auto_da_alloc',
  noauto_da_alloc: 'noauto_da_alloc',
  barrier: 'barrier',
  nobarrier: 'nobarrier',
  nodioread_nolock: 'dioread_lock',
};
/** Options with a number, of which 0 means no. */
const SWITCHES: readonly string[] = ['barrier', 'auto_da_alloc'];

export interface MountArgs {
  /** `ext4`, `ext3`, …; empty where it is not said. */
  readonly type: string;
  readonly dir: Arg | undefined;
  readonly flags: bigint;
  /** In order; of two that do not go together the later one, as the kernel reads them. */
  readonly options: readonly string[];
  /** Options that change nothing that is modelled. */
  readonly others: readonly string[];
  readonly chdir: boolean;
}

/**
 * The arguments of `syz_mount_image$ext4(fs, dir, flags, opts, chdir, size, image)`, or of its older form.
 * @throws ScenarioError where there are more or fewer
 */
export function mountArgs(call: Call, source: Source): MountArgs {
  if (call.args.length !== 7 && call.args.length !== 8)
    source.fail(
      call.at,
      `${call.name} with ${call.args.length} arguments`,
      'it takes 7: fs, dir, flags, opts, chdir, size, image',
    );
  const { args } = call;
  const [fs, dir] = args;
  const [flags, opts, chdir] = isOldMount(call) ? [args[5], args[6], args[7]] : [args[2], args[3], args[4]];
  const type = fs?.kind === 'pointer' && fs.arg?.kind === 'data' ? fs.arg.bytes : new Uint8Array(0);
  const names = optionNames(opts);
  const known = names.flatMap((name) => (Object.hasOwn(OPTIONS, name) ? [OPTIONS[name]!] : []));
  return {
    type: String.fromCharCode(...type).replace(/\0.*$/s, ''),
    dir,
    flags: flags?.kind === 'const' ? flags.value : 0n,
    options: lastOfEach(known),
    others: names.filter((name) => !Object.hasOwn(OPTIONS, name)),
    chdir: chdir?.kind === 'const' && chdir.value !== 0n,
  };
}

function lastOfEach(options: readonly string[]): string[] {
  const row = (option: string): readonly string[] =>
    MOUNT_OPTIONS.find((each) => (each as readonly string[]).includes(option)) ?? [option];
  return options.filter((option, at) => !options.slice(at + 1).some((later) => row(option).includes(later)));
}

/** Options in syzkaller's words (`data_journal`, `noauto_da_alloc`), in order. */
export function optionNames(arg: Arg | undefined | null): string[] {
  if (arg === undefined || arg === null) return [];
  if (arg.kind === 'pointer') return optionNames(arg.arg);
  if (arg.kind === 'union') return [withNumber(arg.field, arg.arg)];
  if (arg.kind !== 'struct' && arg.kind !== 'array') return [];
  if (!isSquashed(arg)) return arg.args.flatMap(optionNames);
  // Squashed: the text as mount(2) gets it.
  const text = String.fromCharCode(...bytesOf(arg).bytes).replace(/\0.*$/s, '');
  return text
    .split(',')
    .filter((word) => word !== '')
    .map((word) => {
      const [name = '', value] = word.split('=');
      if (name === 'data') return `data_${value}`;
      if (value !== undefined && SWITCHES.includes(name)) return value === '0' ? `no${name}` : name;
      return /^[\x21-\x7e]+$/.test(word) ? word : 'unreadable ones';
    });
}

/** Did syzkaller write it as one blob (ANY)? */
export function isSquashed(arg: Arg): boolean {
  return (
    (arg.kind === 'struct' || arg.kind === 'array') &&
    arg.args.some((each) => each.kind === 'union' && each.field.startsWith('ANY'))
  );
}

/** `@barrier_val={'barrier', 0x3d, 0x0}` is nobarrier. */
function withNumber(field: string, arg: Arg | null): string {
  const name = field.replace(/_val$/, '');
  if (name === field || !SWITCHES.includes(name)) return field;
  const value = arg?.kind === 'struct' ? arg.args.at(-1) : undefined;
  return value?.kind === 'const' && value.value === 0n ? `no${name}` : name;
}
