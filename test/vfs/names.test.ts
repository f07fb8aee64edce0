/** Names: directories of all three kinds, links, renames, orphans; alone, and raced against each other. */
import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { readImageFile } from '../../src/cli/images.ts';
import { runLinear } from '../../src/compare/emulate.ts';
import type { Run } from '../../src/compare/recording.ts';
import { mkwriteConvert } from '../../src/designs/index.ts';
import { blocksToReplay } from '../../src/device/journal.ts';
import { explore } from '../../src/explore/explore.ts';
import { fileOrphans } from '../../src/inode/orphanFile.ts';
import { INVARIANTS } from '../../src/invariants/index.ts';
import { makeVolume } from '../../src/scenario/image.ts';
import { parseLane } from '../../src/scenario/lane.ts';
import { saveImage } from '../../src/scenario/save.ts';
import { type Session, startSession } from '../../src/scenario/session.ts';
import { Machine } from '../../src/sched/machine.ts';
import { FINDING_IDS } from '../../src/state/findings.ts';
import { unmountedImage } from '../../src/vfs/unmounted.ts';
import { checkImage } from '../../src/volume/check.ts';
import { dirHash } from '../../src/volume/dirHash.ts';
import { Image } from '../../src/volume/image.ts';
import { superblockLayout } from '../../src/volume/superblock.ts';
import { e2fsck, mke2fs, refereed } from '../support/referee.ts';
import { patchSuper } from '../volume/build.ts';

const volume = makeVolume({
  blockSize: 1024,
  inodeSize: 256,
  blocks: 2048,
  inodes: 96,
  features: ['has_journal'],
});
const many = (count: number, line: (i: number) => string): string[] =>
  Array.from({ length: count }, (_, i) => line(i));
const made = (count: number, path: (i: number) => string): string[] =>
  many(count, path).flatMap((each) => [`open -f ${each}`, 'close']);

const parsed = (lines: readonly string[]) => parseLane(lines, { lane: 'CPU0' });

/** Runs the lines, then everything is closed; nothing may be found on the way. */
function session(lines: readonly string[], image: Image = volume): Session {
  const input = { setup: parsed(lines), lanes: [], after: [], freeBlocks: null };
  const started = startSession(input, image, mkwriteConvert, ['delalloc']);
  expect(FINDING_IDS.filter((id) => started.k.finding(id).hit)).toEqual([]);
  return started;
}

/** Runs the lines and stops before anything is closed. */
function halted(lines: readonly string[], image: Image = volume): Session {
  const lanes = [{ name: 'CPU0', lines: parsed(lines) }];
  const started = startSession({ setup: [], lanes, after: [], freeBlocks: null }, image, mkwriteConvert, [
    'delalloc',
  ]);
  const machine = new Machine(started.k, started.specs);
  let done = 0;
  started.k.sink.listen = ({ type }) => {
    if (type === 'result') done++;
  };
  while (done < lines.length) machine.resume(0);
  started.k.sink.listen = null;
  return started;
}

const run = (lines: readonly string[], image: Image = volume): Run =>
  runLinear({ image, mount: ['delalloc'], design: mkwriteConvert, lines: parsed(lines) });

/** errno, names, data or ret of each line. */
const answers = (lines: readonly string[]): unknown[] =>
  run(lines).steps.map(({ result }) => result.errno ?? result.names?.join(' ') ?? result.data ?? result.ret);

const save = (started: Session): Image => saveImage(started, started.world.snapshot());

describe('what the calls answer', () => {
  test.each<[string, readonly (readonly [string, unknown])[]]>([
    [
      'mkdir and rmdir',
      [
        ['mkdir /d', 0],
        ['mkdir /d', 'EEXIST'],
        ['mkdir /', 'EEXIST'],
        ['mkdir /d/.', 'EEXIST'],
        ['mkdir /none/e', 'ENOENT'],
        ['mkdir /d/e/', 0],
        ['open -f /f', 0],
        ['mkdir /f/e', 'ENOTDIR'],
        ['rmdir /d', 'ENOTEMPTY'],
        ['rmdir /f', 'ENOTDIR'],
        ['rmdir /none', 'ENOENT'],
        ['rmdir /', 'EBUSY'],
        ['rmdir /d/.', 'EINVAL'],
        ['rmdir /d/..', 'ENOTEMPTY'],
        ['rmdir /d/e', 0],
        ['rmdir /d', 0],
        [`mkdir /${'x'.repeat(256)}`, 'ENAMETOOLONG'],
        [`mkdir /${'x'.repeat(255)}`, 0],
      ],
    ],
    [
      'unlink and link',
      [
        ['open -f /f', 0],
        ['rm /', 'EISDIR'],
        ['rm /f/', 'ENOTDIR'],
        ['mkdir /d', 0],
        ['rm /d', 'EISDIR'],
        ['rm /d/', 'EISDIR'],
        ['rm /f/x', 'ENOTDIR'],
        ['ln /f /g', 0],
        ['ln /f /g', 'EEXIST'],
        ['ln /d /e', 'EPERM'],
        ['ln /none /e', 'ENOENT'],
        ['ln /f /e/', 'ENOENT'],
        ['ln /none /f/x', 'ENOENT'],
        ['rm /f', 0],
        ['rm /f', 'ENOENT'],
        ['rm /g', 0],
      ],
    ],
    [
      'rename',
      [
        ['mkdir /d', 0],
        ['mkdir /d/e', 0],
        ['open -f /f', 0],
        ['mv /d /d/e/x', 'EINVAL'],
        ['mv /d/e /d', 'ENOTEMPTY'],
        ['mv /f /d', 'EISDIR'],
        ['mv /d /f', 'ENOTDIR'],
        ['mv /f /d/x/', 'ENOTDIR'],
        ['mv / /x', 'EBUSY'],
        ['mv /f /', 'EBUSY'],
        ['mv /f /d/..', 'EBUSY'],
        ['mv /none /x', 'ENOENT'],
        ['mv /none /f/x', 'ENOTDIR'],
        ['mv /d /d', 0],
        ['ln /f /g', 0],
        ['mv /f /g', 0],
        ['mv /d/e /e', 0],
        ['mv /e /d', 0],
        ['ls /d', ''],
      ],
    ],
    [
      'symlinks',
      [
        ['ln -s loop /loop', 0],
        ['open /loop', 'ELOOP'],
        ['open -f /loop', 'ELOOP'],
        ['ln -s /d/new /n', 0],
        ['open -f /n', 'ENOENT'],
        ['mkdir /d', 0],
        ['open -f /n', 0],
        ['ls /d', 'new'],
        ['mkdir /n', 'EEXIST'],
        ['rmdir /n', 'ENOTDIR'],
        ['ln -s .. /up', 0],
        ['ls /up/d/../d', 'new'],
        [`ln -s ${'x'.repeat(1023)} /a`, 0],
        [`ln -s ${'x'.repeat(1024)} /b`, 'ENAMETOOLONG'],
      ],
    ],
    [
      'an open directory',
      [
        ['mkdir /d', 0],
        ['open /d', 'EISDIR'],
        ['open -f -r /d', 'EISDIR'],
        ['open -r /d', 0],
        ['pread 0 10', 'EISDIR'],
        ['mmap -r 0 4k', 'ENODEV'],
        ['fsync', 0],
        ['rmdir /d', 0],
        ['ls /d', 'ENOENT'],
      ],
    ],
  ])('%s', (_, script) => {
    expect(answers(script.map(([line]) => line))).toEqual(script.map(([, answer]) => answer));
  });

  test.each([
    ['signed', 'legacy', 'ä ünïcödé żółw éb éa plain b a'],
    ['signed', 'half-MD4', 'b żółw éb éa plain ünïcödé ä a'],
    ['signed', 'TEA', 'plain żółw ünïcödé ä éa b éb a'],
    ['unsigned', 'legacy', 'ünïcödé żółw ä éb éa plain b a'],
    ['unsigned', 'half-MD4', 'b éb ä plain żółw ünïcödé éa a'],
    ['unsigned', 'TEA', 'plain ünïcödé b éa éb ä żółw a'],
  ])('Is the order of %s %s the one kernel 6.18 gave?', (chars, hash, order) => {
    const image = patchSuper(volume, {
      flags: chars === 'signed' ? 1 : 2,
      defHashVersion: ['legacy', 'half-MD4', 'TEA'].indexOf(hash),
    });
    const names = ['a', 'b', 'éa', 'éb', 'ünïcödé', 'żółw', 'plain', 'ä'];
    const lines = ['mkdir /d', ...names.flatMap((name) => [`open -f /d/${name}`, 'close']), 'ls /d'];
    expect(run(lines, image).steps.at(-1)!.result.names!.join(' ')).toBe(order);
  });

  test('Does readdir give names in hash order?', () => {
    const hash = (name: string) => dirHash(Bytes.fromText(name), 1, volume.geometry)!.hash;
    for (const count of [4, 9, 40]) {
      const names = many(count, (i) => `name-number-${i}`);
      const listed = answers(['mkdir /d', ...made(count, (i) => `/d/name-number-${i}`), 'ls /d']).at(-1);
      expect(listed).toBe(names.toSorted((a, b) => hash(a) - hash(b)).join(' '));
    }
  });
});

test('Are directories spread over the groups as kernel 6.18 spread them, and files put beside their directory?', () => {
  const groups = makeVolume({
    blockSize: 1024,
    inodeSize: 256,
    blocks: 40960,
    inodes: 320,
    features: ['has_journal'],
  });
  const lines = [
    ...many(8, (i) => `mkdir /dir${i}`),
    ...many(4, (i) => `mkdir /dir${i}/sub`),
    ...many(4, (i) => `open -f /dir${i}/f`),
  ];
  const { files } = run(lines, groups).steps.at(-1)!;
  const numbers = lines.map((line) => files[line.split(' ').at(-1)!]!.ino);
  expect(numbers).toEqual([
    ...[65, 193, 257, 66, 194, 258, 259, 67],
    ...[68, 195, 260, 129],
    ...[69, 196, 261, 70],
  ]);
});

/** Lines that leave a volume in an interesting state. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  'inline directories': [
    'mkdir /d',
    'mkdir /d/e',
    ...made(3, (i) => `/d/e/f${i}`),
    'ln -s x /d/s',
    'ln /d/e/f1 /h',
  ],
  'a directory that left its inode': [
    'mkdir /d',
    ...made(14, (i) => `/d/f${i}`),
    'rm /d/f3',
    'mv /d/f4 /d/f3',
  ],
  'an htree of a few leaves': [
    'mkdir /d',
    ...made(60, (i) => `/d/name-of-a-file-${i}`),
    ...many(20, (i) => `rm /d/name-of-a-file-${2 * i}`),
    ...many(9, (i) => `mv /d/name-of-a-file-${2 * i + 1} /d/other-name-${i}`),
  ],
  'directories that moved': [
    'mkdir /a',
    'mkdir /b',
    'mkdir /a/s',
    ...made(14, (i) => `/a/s/f${i}`),
    'mv /a/s /b/s',
    'mv /b /a/b',
    'mkdir /c',
    'mv /c /a/b/s/c',
  ],
  'symlinks of all lengths': many(6, (i) => `ln -s ${'t'.repeat([1, 58, 59, 60, 61, 900][i]!)} /s${i}`),
  'what was deleted while open': [
    'mkdir /d',
    'open -f /d/a',
    'pwrite 0 100',
    'open -f /b',
    'pwrite 0 9000',
    'fsync',
    'rm /d/a',
    'rmdir /d',
    'rm /b',
  ],
  'what a crash cut off': [
    'mkdir /d',
    ...made(14, (i) => `/d/f${i}`),
    '@commit',
    'rm /d/f1',
    'mkdir /e',
    '@crash',
    'mkdir /g',
  ],
  'blocks that were a directory': [
    'mkdir /d',
    ...made(14, (i) => `/d/f${i}`),
    '@commit',
    ...many(14, (i) => `rm /d/f${i}`),
    'rmdir /d',
    '@commit',
    'open -f /x',
    'pwrite -S 0x55 0 9000',
    'fsync',
    '@crash',
  ],
};

describe('what is left on the volume', () => {
  test.each(Object.entries(STATES))('%s: our check is silent', (_, lines) => {
    expect(checkImage(save(session(lines)))).toEqual([]);
  });

  for (const [name, lines] of Object.entries(STATES)) {
    refereed(`${name}: e2fsck is silent`, ['e2fsck'], () => {
      const { code, output } = e2fsck(save(session(lines)).toUint8Array());
      expect(code, output).toBe(0);
    });
  }

  const GROUNDS = [
    '^dir_index',
    '^metadata_csum',
    '^filetype',
    '^inline_data',
    '^has_journal',
    'metadata_csum_seed',
  ];
  for (const feature of GROUNDS) {
    refereed(`on a volume with ${feature}: e2fsck is silent`, ['mke2fs', 'e2fsck'], () => {
      const args = [
        '-t',
        'ext4',
        '-b',
        '1024',
        '-I',
        '256',
        '-N',
        '96',
        '-O',
        `inline_data,${feature}`,
        '4M',
      ];
      const image = Image.load(mke2fs(args));
      for (const [name, lines] of Object.entries(STATES)) {
        if (!image.geometry.hasJournal && lines.includes('@crash')) continue;
        const { code, output } = e2fsck(save(session(lines, image)).toUint8Array());
        expect(code, `${name}: ${output}`).toBe(0);
      }
    });
  }
});

describe('the orphan list', () => {
  const onDisk = ({ k, image }: Session): number[] => {
    const now = unmountedImage(k, image);
    const list: number[] = [];
    let ino = superblockLayout.get(now.superblock, 'lastOrphan');
    for (; ino !== 0; ino = now.rawInode(ino).u32(0x14)) list.push(ino);
    return list;
  };
  const open = ['open -f /a', 'open -f /b', 'open -f /c', 'pwrite 0 3000', 'fsync'];

  test('Is it the deleted files that are open, the last one first, and does a close take one out of the middle?', () => {
    const deleted = [...open, 'rm /a', 'rm /b', 'rm /c'];
    expect(onDisk(halted([...open, 'syncfs']))).toEqual([]);
    expect(onDisk(halted([...deleted, 'syncfs']))).toEqual([14, 13, 12]);
    expect(onDisk(halted([...deleted, 'file 1', 'close', 'syncfs']))).toEqual([14, 12]);
    expect(onDisk(halted([...deleted, 'close', 'close', 'close', 'sync']))).toEqual([]);
  });

  refereed(
    'Is the orphan file used where there is one, and is its checksum right for e2fsck?',
    ['e2fsck'],
    () => {
      const withFile = readImageFile('fixtures/images/4k-256-orphan.img.gz');
      const deleted = ['open -f /a', 'open -f /b', 'open -f /c', 'rm /b', 'rm /a', 'syncfs'];
      const { k, image } = halted(deleted, withFile);
      const now = unmountedImage(k, image);
      expect(superblockLayout.get(now.superblock, 'lastOrphan')).toBe(0);
      const inFile = fileOrphans(k);
      expect(inFile).toEqual([
        { ino: 14, slot: 1 },
        { ino: 13, slot: 2 },
      ]);
      const saved = save(halted([...deleted, 'file 1', 'close'], withFile));
      expect(checkImage(saved)).toEqual([]);
      expect(e2fsck(saved.toUint8Array())).toMatchObject({ code: 0 });
    },
  );

  test('Is a saved image the one after all programs are gone?', () => {
    const saved = save(halted([...open, 'rm /a', 'rm /b', 'truncate 10']));
    expect(checkImage(saved)).toEqual([]);
    expect(superblockLayout.get(saved.superblock, 'lastOrphan')).toBe(0);
  });

  test('Does a crash leave the list, and the next mount work it off?', () => {
    const { steps } = run([
      ...open,
      'rm /b',
      'rm /a',
      'rm /c',
      '@commit',
      '@crash',
      'ls /',
      'open -f /x',
      'open -f /y',
    ]);
    const [ls, x, y] = steps.slice(-3);
    expect(ls!.result.names).toEqual(['lost+found']);
    expect([x!.files['/x']!.ino, y!.files['/y']!.ino]).toEqual([12, 13]);
  });

  test('Is a truncation that was committed halfway finished?', () => {
    const lines = [
      'open -f /f',
      'pwrite 0 9000',
      'fsync',
      'truncate 100',
      '@commit',
      '@crash',
      'open /f',
      'stat',
    ];
    expect(run(lines).steps.at(-1)!.result.stat).toMatchObject({ size: 100, blocks: 2 });
  });

  test('Is a list that the image came with worked off at mount?', () => {
    const left = halted([...open, 'rm /a', 'rm /c', 'syncfs']);
    const image = unmountedImage(left.k, left.image);
    const { k, world } = session([], image);
    expect(k.sb.orphans).toBeNull();
    expect(k.sb.freeInodes).toBe(left.k.sb.freeInodes + 2);
    expect(checkImage(saveImage({ ...left, image }, world.snapshot()))).toEqual([]);
  });
});

describe('the journal', () => {
  test('Is a directory block that was freed not replayed over what came after?', () => {
    const block = (byte: number) => Bytes.fill(byte, 16);
    const log = [
      { blocks: [[7, block(1)] as const, [8, block(1)] as const] },
      { blocks: [[8, block(2)] as const], revoked: [7] },
      { blocks: [[7, block(3)] as const] },
    ];
    const told = (count: number) => blocksToReplay(log.slice(0, count)).map(([nr, data]) => [nr, data.u8(0)]);
    expect(told(1)).toEqual([
      [7, 1],
      [8, 1],
    ]);
    expect(told(2)).toEqual([
      [8, 1],
      [8, 2],
    ]);
    expect(told(3)).toEqual([
      [8, 1],
      [8, 2],
      [7, 3],
    ]);
  });

  test('Does the file that got a directory block keep its bytes over a crash?', () => {
    const lines = [...STATES['blocks that were a directory']!, 'open /x', 'pread 0 9000'];
    expect(answers(lines).at(-1)).toBe('55'.repeat(9000));
  });
});

describe('raced', () => {
  const RACES: Readonly<
    Record<string, readonly [setup: readonly string[], ...lanes: (readonly string[])[]]>
  > = {
    'deleting against opening': [
      ['open -f /f', 'pwrite 0 2000', 'fsync'],
      ['rm /f'],
      ['open -f /f', 'pwrite 0 10'],
    ],
    'two renames across the same directories': [
      ['mkdir /a', 'mkdir /b', 'open -f /a/f', 'open -f /b/g'],
      ['mv /a/f /b/f'],
      ['mv /b/g /a/g'],
    ],
    'each directory into the other': [['mkdir /d', 'mkdir /e'], ['mv /d /e/d'], ['mv /e /d/e']],
    'removing a directory against making a file in it': [['mkdir /d'], ['rmdir /d'], ['open -f /d/x']],
    'linking against deleting': [['open -f /f', 'close'], ['ln /f /g'], ['rm /f']],
    'three hands on one name': [
      ['open -f /a', 'open -f /b', 'pwrite 0 2000', 'fsync'],
      ['mv /a /b'],
      ['open /b', 'stat'],
      ['rm /b'],
    ],
    'the last close against the flusher': [
      ['open -f /f', 'close'],
      ['open /f', 'pwrite 0 2000', 'rm /f', 'close'],
      ['@flush'],
    ],
    'removing a directory against its last open file': [
      ['mkdir /d', 'open -f /d/f', 'pwrite 0 2000', 'fsync'],
      ['open /d/f', 'close'],
      ['rm /d/f', 'rmdir /d'],
    ],
  };

  test.each(Object.entries(RACES))('%s: nothing breaks under any schedule', (_, [setup, ...lanes]) => {
    const input = {
      setup: parseLane(setup, { lane: 'setup' }),
      lanes: lanes.map((lines, i) => ({ name: `CPU${i}`, lines: parseLane(lines, { lane: `CPU${i}` }) })),
      after: parseLane(['@remount'], { lane: 'after' }),
      freeBlocks: null,
    };
    const { k, world, specs } = startSession(input, volume, mkwriteConvert, ['delalloc']);
    const found = explore({ k, world, specs, invariants: INVARIANTS }, { paranoid: 17 });
    expect(found.violations).toEqual([]);
    expect(found).toMatchObject({ verdict: 'holds', deadlocks: 0, reach: { complete: true } });
  });
});
