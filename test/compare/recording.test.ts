import { expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import {
  compareWithRecording,
  type FileState,
  formatDifference,
  type Recording,
  type RunStep,
  readRecording,
  writeRecording,
} from '../../src/compare/recording.ts';
import type { LineResult } from '../../src/scenario/ast.ts';
import { goldenInode } from '../inode/sample.ts';

const state = (over: Partial<FileState> = {}): FileState => ({
  ino: 12,
  size: 100,
  blocks: 1,
  inline: true,
  dirtyPages: 0,
  raw: goldenInode.toHex(),
  ...over,
});

const step = (
  line: string,
  result: Omit<LineResult, 'line'>,
  files: Record<string, FileState> = { '/f': state() },
): RunStep => ({ lane: 'CPU0', line, result: { line, ...result } as LineResult, files });

const recording = (over: Partial<Recording> = {}): Recording => ({
  recordingVersion: 1,
  kernel: '6.18',
  name: 'sample',
  image: { file: '../images/4k-256-journal.img.gz' },
  mount: ['delalloc'],
  steps: [
    step('open -f /f', { ret: 0 }, { '/f': state({ size: 0, blocks: 0, inline: false }) }),
    step('pwrite -S 0x41 0 100', { ret: 100 }),
    step('pread 0 200', { ret: 100, data: '41'.repeat(100) }),
    step('rm /f', { ret: 0 }, {}),
    step('open -f /g', { ret: 0 }, { '/g': state({ ino: 13 }) }),
  ],
  final: {
    files: { '/g': { ino: 13, size: 3, blocks: 1, inline: true, content: '616263' } },
    dirs: { '/': { ino: 2, size: 4096, blocks: 8, inline: false, names: ['g'] } },
    symlinks: {},
    links: { '/': 3, '/g': 1 },
    xattrs: { '/g': { 'user.a': '76'.repeat(9) } },
    inodes: { '12': goldenInode.toHex() },
  },
  ...over,
});

/** The differences after an edit of a deep copy. */
const after = (edit: (run: MutableRecording) => void): string[] => {
  const run = structuredClone(recording()) as MutableRecording;
  edit(run);
  return compareWithRecording(recording(), run as unknown as Recording).map(formatDifference);
};
type Mutable<T> = { -readonly [K in keyof T]: T[K] extends object ? Mutable<T[K]> : T[K] };
type MutableRecording = Mutable<Recording>;

test('a run that did the same differs in nothing', () => {
  expect(after(() => {})).toEqual([]);
});

test('law: reading gives back what was written', () => {
  const text = writeRecording(recording());
  expect(readRecording(text, 'x.json')).toEqual({ ...recording(), question: undefined });
  expect(writeRecording(readRecording(text, 'x.json'))).toBe(text);
});

test('on disk a step has the files that changed, null for a name that went', () => {
  const file = JSON.parse(writeRecording(recording())) as { steps: Record<string, unknown>[] };
  expect(Object.keys(file.steps[1]!.files as object)).toEqual(['/f']);
  expect(file.steps[2]).not.toHaveProperty('files');
  expect(file.steps[2]).toMatchObject({ line: 'pread 0 200', result: { ret: 100, data: '41*100' } });
  expect(file.steps[3]).toMatchObject({ files: { '/f': null } });
});

test('results are compared field by field', () => {
  expect(after((run) => (run.steps[1]!.result = { line: 'x', errno: 'ENOSPC' }))).toEqual([
    'line 2 (pwrite -S 0x41 0 100): ret: kernel 100, run (nothing)',
    'line 2 (pwrite -S 0x41 0 100): errno: kernel (nothing), run "ENOSPC"',
  ]);
  expect(after((run) => (run.steps[2]!.result.data = `${'41'.repeat(98)}0042`))).toEqual([
    'line 3 (pread 0 200): data[98]: kernel 4141, run 0042',
  ]);
  expect(after((run) => (run.steps[2]!.result.data = '41'.repeat(98)))).toEqual([
    'line 3 (pread 0 200): data[98]: kernel 4141, run (end)',
  ]);
});

test('file states are compared, raw inodes by field', () => {
  expect(
    after((run) => {
      const file = run.steps[1]!.files['/f']!;
      file.size = 99;
      file.dirtyPages = 1;
      file.raw = goldenInode.putU32(0x04, 99).putU32(0x08, 1).toHex();
    }),
  ).toEqual([
    'line 2 (pwrite -S 0x41 0 100): /f size: kernel 100, run 99',
    'line 2 (pwrite -S 0x41 0 100): /f dirtyPages: kernel 0, run 1',
    'line 2 (pwrite -S 0x41 0 100): /f raw.sizeLo: kernel 100 (0x64), run 99 (0x63)',
  ]);
});

test('a file that is there on one side only is one difference', () => {
  expect(after((run) => (run.steps[3]!.files['/f'] = state() as Mutable<FileState>))).toEqual([
    'line 4 (rm /f): /f there: kernel no, run yes',
  ]);
});

test('extents that touch and are alike count as one', () => {
  const rows = (extents: LineResult['extents']) => ({
    steps: [step('fiemap', { ret: 0, extents: extents! })],
  });
  const whole = recording(rows([{ logical: 0, length: 8192, flags: 1 }]));
  const split = recording(
    rows([
      { logical: 0, length: 4096, flags: 0 },
      { logical: 4096, length: 4096, flags: 1 },
    ]),
  );
  const hole = recording(
    rows([
      { logical: 0, length: 4096, flags: 0 },
      { logical: 8192, length: 4096, flags: 1 },
    ]),
  );
  expect(compareWithRecording(whole, split)).toEqual([]);
  expect(compareWithRecording(whole, hole).map(formatDifference)).toEqual([
    'line 1 (fiemap): extents: kernel "0+8192 0x1", run "0+4096 0x0, 8192+4096 0x1"',
  ]);
});

test('what is durable is compared at the end', () => {
  expect(
    after((run) => {
      run.final.files['/g']!.content = '616200';
      run.final.inodes['12'] = goldenInode.putU8(0x28, 0).toHex();
      run.final.dirs['/']!.names = ['g', 'h'];
      run.final.xattrs['/g'] = {};
    }),
  ).toEqual([
    'at the end: /g content[2]: kernel 63, run 00',
    'at the end: <12> raw.iBlock[0]: kernel 0102030405060708090a0b0c0d0e0f10, run 0002030405060708090a0b0c0d0e0f10',
    'at the end: / names: kernel "g", run "g h"',
    'at the end: /g user.a: kernel 76*9, run (nothing)',
  ]);
});

test('a run need not tell names, links and xattrs', () => {
  const { files, inodes } = recording().final;
  expect(compareWithRecording(recording(), { steps: recording().steps, final: { files, inodes } })).toEqual(
    [],
  );
});

test('a run that stops early or did other lines says so', () => {
  expect(after((run) => run.steps.pop())).toEqual(['line 5: number of lines: kernel 5, run 4']);
  expect(after((run) => (run.steps[0]!.line = 'open /f'))).toEqual([
    'line 1 (open -f /f): line: kernel "open -f /f", run "open /f"',
  ]);
});

test.each([
  ['{', /^x.json: not JSON: /],
  ['{}', /^x.json: recordingVersion: /],
  [writeRecording(recording()).replace('"kernel": "6.18"', '"kernel": "6.18-local"'), /^x.json: kernel: /],
  [writeRecording(recording()).replace('41*100', '41*'), /^x.json: steps.2.result.data: hex, /],
  [writeRecording(recording()).replace('"ret":100,', ''), /^x.json: steps.2.result: either ret or errno/],
  [writeRecording(recording()).replace('"mount"', '"mounts"'), /^x.json: /],
])('a file that is no recording is refused with its place (%#)', (text, message) => {
  expect(() => readRecording(text, 'x.json')).toThrow(message);
});

test('the emulator may hand in unmasked inodes', () => {
  const noisy = goldenInode.putU32(0x64, 0xdeadbeef).putU16(0x7c, 1);
  expect(after((run) => (run.steps[1]!.files['/f']!.raw = noisy.toHex()))).toEqual([]);
  expect(Bytes.fromHex(recording().steps[1]!.files['/f']!.raw).length).toBe(256);
});

test('what e2fsck objects to is kept, and compared with what our check objects to', () => {
  const said = 'Inode 12 passes checks, but checksum does not match inode.';
  const { final } = recording();
  const kept = { files: {}, dirs: {}, symlinks: {}, links: {}, xattrs: {}, inodes: final.inodes };
  const objecting = recording({ final: { ...kept, fsck: [said] } });
  expect(readRecording(writeRecording(objecting), 'x.json').final.fsck).toEqual([said]);
  const against = (fsck?: string[]) =>
    compareWithRecording(objecting, { ...objecting, final: { ...final, fsck } }).map(formatDifference);
  expect(against(['inode 12: inode-checksum'])).toEqual([]);
  expect(against()).toEqual(['at the end: fsck: kernel "inode 12: inode-checksum", run ""']);
  expect(against(['inode 13: inode-checksum'])).toHaveLength(1);
});
