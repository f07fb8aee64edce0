/**
 * A volume of ours in place of an image that is only read here (bigalloc, mmp, block maps, …): blocks, inodes and features
 * as far as mkfs makes them, and lines that make the image's files, with a remount so that nothing of them is cached.
 *
 * Not taken over: owners, times, xattrs, special files, what stands in encrypted names, where on the medium things lie.
 */
import { isErr } from '../../errno.ts';
import { type FEATURES, type FeatureSwitch, makeVolume } from '../../scenario/image.ts';
import type { ScenarioFile } from '../../scenario/schema.ts';
import { paths } from '../../volume/describe.ts';
import { readFile } from '../../volume/file.ts';
import type { Image } from '../../volume/image.ts';
import { fileKind } from '../../volume/rawInode.ts';
import { hasFeature } from '../../volume/superblock.ts';
import { quotePath, type Step } from '../draft.ts';

export interface StandIn {
  readonly image: ScenarioFile['image'];
  readonly steps: readonly Step[];
  readonly files: readonly { readonly path: string; readonly size: number }[];
  /** What was done, in a sentence without a full stop. */
  readonly note: string;
}

/** @source fs/ext4/ext4.h EXT4_ENCRYPT_FL */
const ENCRYPT_FL = 0x800;
const PRINTABLE = /^[\x21-\x7e]+$/;
const MAX_FILES = 24;
const MAX_CONTENT = 1 << 16;
const MIN_BLOCKS = 64;
/** What decides how files lie: the rest is as our mkfs makes it. */
const TAKEN: readonly (typeof FEATURES)[number][] = [
  'inline_data',
  'has_journal',
  'metadata_csum',
  '64bit',
  'dir_index',
  'extra_isize',
];

/** @param step  makes a line of the scenario */
export function standIn(image: Image, step: (line: string) => Step): StandIn {
  const { blockSize, inodeSize, inodesCount, features } = image.geometry;
  const bytes = image.blocksCount * blockSize;
  const wanted = TAKEN.map((name): FeatureSwitch => (hasFeature(features, name) ? name : `^${name}`));
  const mkfs = { blockSize, inodeSize, features: wanted };
  // Metadata takes more room here where the image has bigalloc or shares its tables: then more blocks.
  const blocks = [Math.max(image.blocksCount, MIN_BLOCKS), 2048].find((count) =>
    canMake({ ...mkfs, blocks: count }),
  );
  const { lines, files, left } = linesOf(image);
  const missing = left.length === 0 ? '' : `; left out: ${left.join(', ')}`;
  return {
    image: { mkfs: { ...mkfs, ...(blocks === undefined ? {} : { blocks }) } as { blockSize: 4096 } },
    steps: [...lines, ...(lines.length === 0 ? [] : ['sync', '@remount'])].map(step),
    files,
    note: `a volume of ours with blocks of ${blockSize} and inodes of ${inodeSize} bytes stands in for its ${bytes} bytes and ${inodesCount} inodes${missing}`,
  };
}

function canMake(spec: {
  blockSize: number;
  inodeSize: number;
  blocks: number;
  features: readonly FeatureSwitch[];
}): boolean {
  try {
    makeVolume(spec);
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === 'ScenarioError') return false;
    throw error;
  }
}

/** Lines that make what is in the image. */
function linesOf(image: Image): { lines: string[]; files: { path: string; size: number }[]; left: string[] } {
  const lines: string[] = [];
  const files: { path: string; size: number }[] = [];
  const left: string[] = [];
  const names = new Map<number, string>();
  for (const [path, ino] of paths(image)) {
    if (path === '/' || path === '/lost+found') continue;
    const made =
      left.some((dir) => path.startsWith(`${dir}/`)) || names.size >= MAX_FILES
        ? null
        : linesFor(image, path, ino, names.get(ino));
    if (made === null) {
      left.push(path);
      continue;
    }
    lines.push(...made);
    names.set(ino, path);
    files.push({ path, size: image.inode(ino).size });
  }
  return { lines, files, left };
}

/** @param other  a name that the inode has already */
function linesFor(image: Image, path: string, ino: number, other: string | undefined): string[] | null {
  if (!PRINTABLE.test(path) || ino > image.geometry.inodesCount) return null;
  const inode = image.inode(ino);
  const kind = fileKind(inode.mode);
  const mode = (inode.mode & 0o7777).toString(8);
  const name = quotePath(path);
  if ((inode.flags & ENCRYPT_FL) !== 0) return null;
  if (kind === 'directory') return [`mkdir -m ${mode} ${name}`];
  if (other !== undefined) return [`ln ${quotePath(other)} ${name}`];
  if (kind !== 'file' && kind !== 'symlink') return null;
  if (inode.size > MAX_CONTENT) return null;
  const content = readFile(image, ino);
  if (isErr(content)) return null;
  if (kind === 'symlink') {
    const target = new TextDecoder().decode(content.toUint8Array());
    return PRINTABLE.test(target) ? [`ln -s ${quotePath(target)} ${name}`] : null;
  }
  return [
    `open -f -m ${mode} ${name}`,
    ...(content.length === 0 ? [] : [`pwrite -x ${content.toHex()} -b ${content.length} 0`]),
    'close',
  ];
}
