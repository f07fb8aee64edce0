/**
 * Good volumes to break: every on-disk structure that is read has one here, small enough to be copied 100,000 times.
 * Our own, filled by a script of the emulator; and mke2fs's, where it is there, filled by debugfs.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { designNamed } from '../../src/cli/designOption.ts';
import { parseScript } from '../../src/scenario/lane.ts';
import { laneTask } from '../../src/scenario/program.ts';
import { saveImage } from '../../src/scenario/save.ts';
import { runToEnd, startSession } from '../../src/scenario/session.ts';
import type { Image } from '../../src/volume/image.ts';
import { type MkfsOptions, mkfsImage } from '../../src/volume/mkfs.ts';

export interface Base {
  readonly name: string;
  readonly file: Uint8Array;
}

/** Inline, mapped, sparse, unwritten and deep files; inline, linear and hashed directories; links; xattrs of all places. */
const FILL = `
open -f /inline
pwrite -S 0x41 0 100
close
open -f /short
pwrite -S 0x42 0 20
close
open -f /blocks
pwrite -S 0x43 0 5000
close
open -f /deep
${Array.from({ length: 12 }, (_, i) => `pwrite -S 0x${(0x50 + i).toString(16)} ${8192 * i} 1024`).join('\n')}
close
open -f /unwritten
falloc 0 20000
pwrite -S 0x44 4096 100
close
mkdir /d
mkdir /d/e
ln -s short-target /fast
ln -s ${'long-target/'.repeat(9)} /slow
ln /inline /d/second
setfattr -n user.a -v 0x010203 /inline
setfattr -n user.big -v 0x${'5a'.repeat(400)} /blocks
setfattr -n user.big -v 0x${'5a'.repeat(400)} /deep
setfattr -n trusted.t -v 0x${'79'.repeat(100)} /blocks
mkdir /linear
${Array.from({ length: 30 }, (_, i) => `ln /short /linear/name-number-${i}`).join('\n')}
mkdir /hashed
${Array.from({ length: 90 }, (_, i) => `ln /short /hashed/a-rather-long-name-number-${i}`).join('\n')}
`;

const OWN: readonly (readonly [string, MkfsOptions])[] = [
  ['1k-256', { blockSize: 1024, blocks: 640, inodes: 64 }],
  ['1k-256-journal', { blockSize: 1024, blocks: 1800, inodes: 64, features: ['has_journal'] }],
  [
    '1k-512-64bit',
    { blockSize: 1024, inodeSize: 512, blocks: 700, inodes: 48, features: ['64bit', 'metadata_csum_seed'] },
  ],
  ['1k-256-plain', { blockSize: 1024, blocks: 640, inodes: 64, features: ['^metadata_csum'] }],
  ['1k-128', { blockSize: 1024, inodeSize: 128, blocks: 640, inodes: 64 }],
  ['2k-256', { blockSize: 2048, blocks: 500, inodes: 64 }],
  ['4k-256', { blockSize: 4096, blocks: 300, inodes: 64 }],
  ['4k-1024', { blockSize: 4096, inodeSize: 1024, blocks: 300, inodes: 64 }],
];

/** A volume after a script ran on it and was unmounted. */
export function filled(image: Image, script: string): Image {
  const session = startSession(
    { setup: [], lanes: [], after: [], freeBlocks: null },
    image,
    designNamed('mkwrite-convert'),
    ['delalloc'],
  );
  runToEnd(session.k, [laneTask('script', parseScript(script, 'fill'), 0)]);
  return saveImage(session, session.world.snapshot());
}

export function ownBases(): Base[] {
  return OWN.map(([name, options]) => ({ name, file: filled(mkfsImage(options), FILL).toUint8Array() }));
}

const MADE: readonly (readonly [string, readonly string[]])[] = [
  ['mke2fs-ext4', ['-t', 'ext4', '-O', 'inline_data', '-b', '1024', '-N', '64', '-J', 'size=1', '2100']],
  ['mke2fs-ext2', ['-t', 'ext2', '-b', '1024', '-N', '64', '700']],
  [
    'mke2fs-gdt-csum',
    [
      '-t',
      'ext4',
      '-O',
      '^metadata_csum,uninit_bg,^has_journal,inline_data',
      '-b',
      '1024',
      '-g',
      '256',
      '-N',
      '64',
      '700',
    ],
  ],
];

const env = {
  ...process.env,
  PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`,
  LC_ALL: 'C',
  E2FSPROGS_FAKE_TIME: '1600000000',
};

/** Volumes of mke2fs; none where it is missing. */
export function madeBases(): Base[] {
  if (spawnSync('mke2fs', ['-V'], { env }).status !== 0) return [];
  const dir = mkdtempSync(join(tmpdir(), 'ext4lab-'));
  try {
    return MADE.map(([name, args]) => {
      const path = join(dir, name);
      const fixed = [
        '-U',
        '00112233-4455-6677-8899-aabbccddeeff',
        '-E',
        'root_owner=0:0,hash_seed=00112233-4455-6677-8899-aabbccddee00',
      ];
      execFileSync('mke2fs', ['-q', '-F', ...fixed, ...args.slice(0, -1), path, args.at(-1)!], {
        env,
        stdio: 'pipe',
      });
      for (const [file, size] of [
        ['small', 40],
        ['inline', 110],
        ['blocks', 3000],
        ['mapped', 40000],
      ] as const)
        writeFileSync(join(dir, file), Buffer.alloc(size, file));
      const commands = [
        ...['small', 'inline', 'blocks', 'mapped'].map((file) => `write ${file} ${file}`),
        'mkdir d',
        'symlink fast target',
        `symlink slow ${'t/'.repeat(50)}`,
        'ea_set blocks user.a 12345',
      ];
      execFileSync('debugfs', ['-w', '-f', '-', path], {
        env,
        cwd: dir,
        input: `${commands.join('\n')}\n`,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      return { name, file: new Uint8Array(readFileSync(path)) };
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
