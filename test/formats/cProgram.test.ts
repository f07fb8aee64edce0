/** Scenarios as C programs: every one that can be written compiles without a warning. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundledFiles, loadScenario } from '../../src/cli/scenarioFiles.ts';
import { cProgram } from '../../src/formats/cProgram.ts';
import { ScenarioError } from '../../src/scenario/error.ts';
import { verbs } from '../../src/scenario/parse.ts';
import { readScenario } from '../../src/scenario/schema.ts';

const hasGcc = spawnSync('gcc', ['--version']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'ext4lab-c-'));
afterAll(() => rmSync(folder, { recursive: true }));

const compile = (text: string): string => {
  const file = join(folder, 'repro.c');
  writeFileSync(file, text);
  const { stderr } = spawnSync(
    'gcc',
    ['-O1', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', join(folder, 'repro'), file],
    {
      encoding: 'utf8',
    },
  );
  return stderr;
};

/** Every verb that user space has a call for, in one lane. */
const ALL_VERBS = [
  'mkdir -m 700 /d',
  'open -f -t -m 640 /f',
  'pwrite -S 0x41 0 5000',
  'pwrite -x 414243 7',
  'pwrite -D -S 1 0 10',
  'open -r -a -L /f',
  'file 0',
  'mmap -rw 0 8k',
  'mmap -rp 0 4k',
  'mapping 0',
  'mwrite -x 616263 1',
  'mread 0 40',
  'pwrite -m 0 10 4',
  'pread -m 16 0 8',
  'msync -s',
  'msync 0 10',
  'mprotect -r',
  'mremap -m 16k',
  'madvise -d 0 4k',
  'madvise',
  'munmap',
  'truncate 300',
  'falloc -k 0 100',
  'fpunch 0 10',
  'fzero 0 10',
  'finsert 4096 4096',
  'fcollapse 4096 4096',
  'chattr +j',
  'sync_range -b -w -a 0 0',
  'copy_range -s 0 -d 100 -l 5 /f',
  'copy_range -f 1',
  'fsync',
  'fdatasync',
  'sync',
  'syncfs',
  'stat',
  'fiemap -a',
  'seek -h 0',
  'utimes 1 2 3 4',
  'ln /f /g',
  'ln -s "a \\"b\\" ?" /s',
  'readlink /s',
  'mv -n /g /h',
  'rm /h',
  'mknod /p p',
  'chmod 600 /f',
  'chown 1:2 /f',
  'setfattr -c -n user.a -v 0x616263 /f',
  'getfattr -n user.a /f',
  'rmfattr -n user.a /f',
  'ls /',
  'rmdir /d',
  'open -T /',
  'flink /l',
  'close',
  '@writepages /f',
  '@drop_caches',
  '@freeze',
  '@thaw',
  '@remount',
];

const scenarioOf = (change: object) =>
  readScenario(
    JSON.stringify({
      name: 'x',
      question: 'Is it?',
      image: { mkfs: {} },
      tasks: { CPU0: ['sync'] },
      ...change,
    }),
    'x.json',
  );

describe.skipIf(!hasGcc)('a C program', () => {
  it('of every verb compiles with every warning an error', () => {
    expect(compile(cProgram(scenarioOf({ tasks: { CPU0: ALL_VERBS } })))).toBe('');
  });

  it('of every bundled scenario compiles, or is refused with lane and line', { timeout: 120_000 }, () => {
    let written = 0;
    for (const file of bundledFiles()) {
      let text: string;
      try {
        text = cProgram(loadScenario(file));
      } catch (error) {
        expect(error).toBeInstanceOf(ScenarioError);
        expect((error as Error).message).toMatch(
          /: (lane \S+|after|setup), line \d+, column 1: no system call does @/,
        );
        continue;
      }
      written++;
      if (written % 8 === 1) expect(compile(text), file).toBe('');
    }
    expect(written).toBeGreaterThan(70);
  });

  it('runs its lanes as processes, or as threads that share memory', () => {
    const tasks = { A: ['open /f', 'pread 0 1'], B: ['open /f', 'fsync'] };
    expect(cProgram(scenarioOf({ tasks }))).toContain('start(lane1);');
    expect(cProgram(scenarioOf({ tasks }))).toContain('cannot be said from user space');
    const threads = cProgram(scenarioOf({ tasks, threads: [['A', 'B']] }));
    expect(threads).toContain('pthread_create');
    expect(compile(threads)).toBe('');
  });

  it('prints what each line answered', () => {
    const lines = [
      'open -f /ext4lab-f',
      'pwrite -S 0x41 0 40',
      'pread 0 50',
      'mmap -r 0 4k',
      'mwrite 0 1',
      'mread 0 2',
      'open /none',
    ];
    expect(compile(cProgram(scenarioOf({ tasks: { CPU0: lines } })))).toBe('');
    expect(execFileSync(join(folder, 'repro'), [folder], { encoding: 'utf8' }).split('\n')).toEqual([
      'CPU0: open -f /ext4lab-f = 0',
      'CPU0: pwrite -S 0x41 0 40 = 40',
      `CPU0: pread 0 50 = 40  ${'41'.repeat(32)}… (40 bytes)`,
      'CPU0: mmap -r 0 4k = 0',
      'CPU0: mwrite 0 1 = SIGSEGV',
      'CPU0: mread 0 2 = 2  4141',
      'CPU0: open /none = ENOENT',
      '',
    ]);
  });
});

it('every verb is written or refused by name', () => {
  const tried = new Set(ALL_VERBS.map((line) => line.split(' ')[0]!));
  const refused = verbs()
    .map(({ verb }) => verb)
    .filter((verb) => !tried.has(verb));
  expect(refused.sort()).toEqual([
    '@commit',
    '@crash',
    '@direct-reclaim',
    '@dontcache',
    '@fail-alloc',
    '@fail-handle',
    '@flush',
    '@flusher',
    '@fork',
    '@gup',
    '@reclaim',
    '@shrink',
    '@swapon',
    '@verity',
  ]);
  // @fork needs a second lane, and goes with it.
  for (const verb of refused.filter((each) => each !== '@fork')) {
    const operands: Readonly<Record<string, string>> = {
      '@fail-alloc': ' 1',
      '@fail-handle': ' 1',
      '@gup': ' 0 1',
      '@direct-reclaim': ' 1 /f',
    };
    const operand = operands[verb] ?? (/reclaim|swapon|verity|dontcache|shrink/.test(verb) ? ' /f' : '');
    const before = verb === '@gup' ? ['open /f', 'mmap -rw 0 4k'] : [];
    expect(() => cProgram(scenarioOf({ tasks: { CPU0: [...before, `${verb}${operand}`] } }))).toThrow(
      `lane CPU0, line ${before.length + 1}, column 1: no system call does ${verb}`,
    );
  }
});
