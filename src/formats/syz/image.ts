/** The image inside `syz_mount_image$ext4`: where it is, how it is unpacked, what its superblock says. */
import { describeImage } from '../../volume/describe.ts';
import { Image } from '../../volume/image.ts';
import type { Source } from '../source.ts';
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
  let bytes: Uint8Array;
  try {
    bytes = unpack(packed);
  } catch (error) {
    return none(`it is no zlib stream: ${(error as Error).message}`);
  }
  try {
    return { bytes, image: Image.load(bytes), problem: null };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'BadImage') throw error;
    return { bytes, image: null, problem: error.message };
  }
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

/** Every compressed image of a program, for whoever must unpack them beforehand. */
export function packedImages(calls: readonly Call[]): Uint8Array[] {
  return calls.flatMap((call) => packedImage(call)?.bytes ?? []);
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
};

export interface MountArgs {
  readonly dir: Arg | undefined;
  readonly flags: Arg | undefined;
  readonly options: readonly string[];
  /** Options that change nothing that is modelled. */
  readonly others: readonly string[];
  readonly chdir: boolean;
}

/**
 * The arguments of `syz_mount_image$ext4(fs, dir, flags, opts, chdir, size, image)`. Before 2022 it was
 * `(fs, dir, size, nsegs, segments, flags, opts)`.
 * @throws ScenarioError for that older form
 */
export function mountArgs(call: Call, source: Source): MountArgs {
  const [, dir, flags, opts, chdir] = call.args;
  if (call.args.length !== 7 && call.args.length !== 8)
    source.fail(
      call.at,
      `${call.name} with ${call.args.length} arguments`,
      'it takes 7: fs, dir, flags, opts, chdir, size, image',
    );
  if (opts !== undefined && opts.kind !== 'pointer')
    source.fail(
      opts.at,
      `${call.name} in the form of before 2022`,
      'its image is a list of segments; convert it with a newer syzkaller',
    );
  const names = unionNames(opts);
  const known = names.flatMap((name) => (Object.hasOwn(OPTIONS, name) ? [OPTIONS[name]!] : []));
  return {
    dir,
    flags,
    options: [...new Set(known)],
    others: names.filter((name) => !Object.hasOwn(OPTIONS, name)),
    chdir: chdir?.kind === 'const' && chdir.value !== 0n,
  };
}

function unionNames(arg: Arg | undefined | null): string[] {
  if (arg === undefined || arg === null) return [];
  if (arg.kind === 'union') return [arg.field];
  if (arg.kind === 'pointer') return unionNames(arg.arg);
  if (arg.kind === 'struct' || arg.kind === 'array') return arg.args.flatMap(unionNames);
  return [];
}
