/**
 * What export writes, run on this machine's kernel: the C program and the xfs_io lines of a scenario on a loop mount of the
 * scenario's own image, held against what `run` says of the current kernel's design.
 *
 * One lane each, and none whose lines trip a kernel BUG.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { whyNoKernel } from '../../src/cli/kernel/referee.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { mkwriteConvert } from '../../src/designs/mkwrite-convert.ts';
import { cProgram } from '../../src/formats/cProgram.ts';
import { goldenOutput } from '../../src/formats/golden.ts';
import { xfsIoScript } from '../../src/formats/xfsIoOut.ts';
import { runSession } from '../../src/scenario/run.ts';
import type { Scenario } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';

const NAMES = [
  'mmap-store-then-fsync',
  'evict-inline-on-mmap-write',
  'store-sync-store',
  'store-write-store',
  'store-in-second-page',
  'map-without-store',
  'write-from-own-mapping',
  'truncate-around-60',
  'truncate-around-capacity',
  'falloc-then-write',
  'crash-rename-then-create',
  'crash-directory-grows',
  'xattr-leaves-no-room',
];
const XFS_IO_NAMES = [
  'mmap-store-then-fsync',
  'store-write-store',
  'falloc-then-write',
  'truncate-around-60',
  'crash-rename-then-create',
];

const hasTool = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'ext4lab-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a command with the scenario's image mounted at `MNT`; whatever happens, nothing stays mounted. */
function mounted(scenario: Scenario, command: string): string {
  const image = join(folder, 'fs.img');
  const mnt = join(folder, 'mnt');
  mkdirSync(mnt, { recursive: true });
  writeFileSync(image, imageOf(scenario).toUint8Array());
  const script = [
    'set -e',
    'e2fsck -fn "$IMAGE" > /dev/null',
    `mount -o loop,delalloc "$IMAGE" "$MNT"`,
    'trap \'umount "$MNT"\' EXIT',
    command,
  ].join('\n');
  return execFileSync('sh', ['-c', script], {
    env: { ...process.env, IMAGE: image, MNT: mnt, FOLDER: folder },
    encoding: 'utf8',
  });
}

/** What run says each line answers, and the files at the end. */
function ran(scenario: Scenario): {
  readonly rows: string[];
  readonly files: Readonly<Record<string, string>>;
} {
  const session = startSession(scenario, imageOf(scenario), mkwriteConvert, ['delalloc']);
  const { tasks, final } = runSession(session);
  const shown = (data: string): string =>
    data.length > 64 ? `${data.slice(0, 64)}… (${data.length / 2} bytes)` : data;
  const rows = Object.entries(tasks).flatMap(([lane, results]) =>
    results.map(
      ({ line, ret, errno, data }) =>
        `${lane}: ${line} = ${errno ?? ret}${data === undefined ? '' : `  ${shown(data)}`}`,
    ),
  );
  return {
    rows,
    files: Object.fromEntries(Object.entries(final.files).map(([path, { content }]) => [path, content])),
  };
}

const refused = whyNoKernel();
// Another run on this machine's kernel may hold the lock for long.
vi.setConfig({ testTimeout: 900_000 });

describe.skipIf(refused !== undefined || !hasTool('gcc'))('the C program answers what run says', () => {
  it.each(loadScenarios(NAMES).map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    (_name, scenario) => {
      writeFileSync(join(folder, 'repro.c'), cProgram(scenario));
      execFileSync('gcc', [
        '-O1',
        '-Wall',
        '-Wextra',
        '-Werror',
        '-o',
        join(folder, 'repro'),
        join(folder, 'repro.c'),
      ]);
      const out = mounted(scenario, '"$FOLDER/repro" "$MNT"');
      const rows = out.split('\n').filter((row) => row !== '' && !row.startsWith('setup: '));
      expect(rows).toEqual(ran(scenario).rows);
    },
  );
});

describe.skipIf(refused !== undefined || !hasTool('xfs_io'))(
  'the xfs_io lines leave the files that run leaves',
  () => {
    it.each(loadScenarios(XFS_IO_NAMES).map((scenario) => [scenario.name, scenario] as const))(
      '%s',
      (_name, scenario) => {
        const whole = xfsIoScript(scenario, { mountPoint: join(folder, 'mnt') });
        // The remount of a scenario's end needs an entry in fstab; here the test looks at the files itself.
        const script = whole.slice(0, whole.includes('umount') ? whole.indexOf('umount') : undefined);
        writeFileSync(join(folder, 'repro.sh'), script);
        const { files } = ran({ ...scenario, after: [] });
        const shown = Object.keys(files).filter((path) => path !== '/lost+found');
        const out = mounted(
          scenario,
          [
            'sh "$FOLDER/repro.sh" > /dev/null',
            ...shown.map((path) => `od -An -v -tx1 "$MNT${path}" | tr -d ' \\n'; echo`),
          ].join('\n'),
        );
        expect(out.trimEnd().split('\n')).toEqual(shown.map((path) => files[path]));
      },
    );
  },
);

describe.skipIf(refused !== undefined || !hasTool('xfs_io'))('xfs_io prints what run --golden says', () => {
  const names = [
    'map-without-store',
    'falloc-then-write',
    'truncate-around-60',
    'store-past-eof-then-grow',
    'store-sync-store',
  ];
  it.each(loadScenarios(names).map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    (_name, scenario) => {
      const mountPoint = join(folder, 'mnt');
      const lanes = { ...scenario, after: [] };
      const session = startSession(lanes, imageOf(scenario), mkwriteConvert, ['delalloc']);
      const wanted = goldenOutput(lanes, runSession(session).tasks).split('\n').slice(1).join('\n');
      const [lane] = scenario.lanes;
      writeFileSync(
        join(folder, 'setup.sh'),
        xfsIoScript({ ...lanes, setup: [], lanes: [{ ...lane!, lines: scenario.setup }] }, { mountPoint }),
      );
      writeFileSync(join(folder, 'lane.sh'), xfsIoScript({ ...lanes, setup: [] }, { mountPoint }));
      const out = mounted(scenario, 'sh "$FOLDER/setup.sh" > /dev/null; sh "$FOLDER/lane.sh" 2>&1');
      const filtered = out.replaceAll(
        /^[0-9.]+ \w+, \d+ ops; .*$/gm,
        'XXX Bytes, X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)',
      );
      expect(filtered).toBe(wanted);
    },
  );
});
