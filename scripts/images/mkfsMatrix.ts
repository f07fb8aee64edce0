/** Our mkfs beside mke2fs, option by option: which bytes differ. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_HASH_SEED, DEFAULT_UUID, type MkfsOptions, mkfs } from '../../src/volume/mkfs.ts';

export interface MkfsCase {
  readonly name: string;
  readonly options: MkfsOptions;
  /** Arguments of mke2fs that ask for the same. */
  readonly args: readonly string[];
}

const PLAIN = [
  'ext_attr',
  'dir_index',
  'filetype',
  'extent',
  'sparse_super',
  'large_file',
  'huge_file',
  'dir_nlink',
];
const MODERN = ['extra_isize', 'inline_data'];

/** What is added to, or taken from, the features above. */
const VARIANTS: readonly (readonly string[])[] = [
  ['metadata_csum'],
  ['metadata_csum', '64bit', 'flex_bg', 'resize_inode'],
  ['resize_inode'],
  ['metadata_csum', 'flex_bg', '64bit'],
  ['uninit_bg', 'flex_bg'],
  ['uninit_bg', '64bit'],
  ['metadata_csum', 'sparse_super2', 'large_dir'],
  ['metadata_csum', 'stable_inodes', 'verity', 'ea_inode'],
  ['metadata_csum', '^filetype', '^sparse_super', '^dir_index'],
  ['metadata_csum', '^inline_data', '^extra_isize', 'resize_inode', 'flex_bg', 'metadata_csum_seed'],
  ['^large_file', '^huge_file', '^dir_nlink', '^ext_attr', '^inline_data'],
];

/** Every block and inode size × features × journal × sizes of one group and of several. */
export function mkfsCases(): MkfsCase[] {
  const cases: MkfsCase[] = [];
  for (const blockSize of [1024, 2048, 4096]) {
    for (const inodeSize of [128, 256, 512, 1024, 2048, 4096].filter((size) => size <= blockSize)) {
      for (const variant of VARIANTS) {
        for (const journal of [false, true]) {
          for (const mebibytes of [9, 36]) {
            if (journal && blockSize === 4096 && mebibytes === 9) continue; // mke2fs: journal too big
            const all = [
              ...PLAIN,
              ...(inodeSize === 128 ? [] : MODERN),
              ...variant,
              ...(journal ? ['has_journal'] : []),
            ];
            const features = all.filter((name) => !name.startsWith('^') && !all.includes(`^${name}`));
            const blocks = (mebibytes * 2 ** 20) / blockSize;
            // By default we make fewer large inodes than mke2fs does, which refuses some of these.
            const inodes = Math.floor((mebibytes * 2 ** 20) / Math.max(4096, 8 * inodeSize));
            const name = `${blockSize} ${inodeSize} ${mebibytes}M ${variant.join(',')}${journal ? ' journal' : ''}`;
            cases.push({
              name,
              options: {
                blockSize,
                inodeSize,
                blocks,
                inodes,
                label: 'lab',
                features: ['none', ...features],
              },
              args: [
                ...['-O', `none,${features.join(',')}`, '-b', String(blockSize), '-I', String(inodeSize)],
                ...['-N', String(inodes), '-L', 'lab'],
                ...(journal ? ['-J', `size=${blockSize / 1024}`] : []),
                String(blocks),
              ],
            });
          }
        }
      }
    }
  }
  return cases;
}

const dashed = (hex: string): string => hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
const env = {
  ...process.env,
  PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`,
  LC_ALL: 'C',
  E2FSPROGS_FAKE_TIME: '1600000000',
};

/**
 * Bytes that differ, as `offset: ours, theirs`; at most ten. Masked: s_kbytes_written, which counts what mke2fs wrote,
 * and the checksum of the superblock behind it, in the superblock and in its copies.
 */
export function compareMkfs({ options, args }: MkfsCase): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'ext4lab-'));
  try {
    const path = join(dir, 'image');
    const fixed = `lazy_itable_init=0,root_owner=0:0,hash_seed=${dashed(DEFAULT_HASH_SEED)}`;
    const words = ['-q', '-F', '-t', 'ext4', '-U', dashed(DEFAULT_UUID), '-E', fixed, ...args.slice(0, -1)];
    execFileSync('mke2fs', [...words, path, args.at(-1)!], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const theirs = readFileSync(path);
    const ours = mkfs(options);
    const differing: string[] = [];
    if (ours.length !== theirs.length) return [`${ours.length} bytes, ${theirs.length}`];
    const { blockSize = 4096 } = options;
    for (let at = 0; at < ours.length && differing.length < 10; at++) {
      if (ours[at] !== theirs[at] && !isMasked(at, blockSize))
        differing.push(`${at}: ${ours[at]}, ${theirs[at]}`);
    }
    return differing;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function isMasked(at: number, blockSize: number): boolean {
  const first = blockSize === 1024 ? 1 : 0;
  const block = Math.floor(at / blockSize) - first;
  const isCopy = block > 0 && block % (8 * blockSize) === 0;
  const within = at < 4096 ? at - 1024 : isCopy ? at % blockSize : -1;
  return (within >= 0x178 && within < 0x180) || (within >= 0x3fc && within < 0x400);
}
