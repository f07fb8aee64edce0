/** The referee itself: what it refuses, what it leaves behind, whether two runs agree. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkRandom, randomScript, readImage, shrink } from '../../src/cli/kernel/check.ts';
import { FIXTURE_IMAGES, ImageStore, makeImage, writeFixtureImages } from '../../src/cli/kernel/images.ts';
import { recordScript, scriptOfLines, scriptOfScenario } from '../../src/cli/kernel/record.ts';
import { FIXTURE_IMAGES_FOLDER } from '../../src/cli/kernel/recordingFiles.ts';
import { type Answer, Referee } from '../../src/cli/kernel/referee.ts';
import {
  compareWithRecording,
  formatDifference,
  type Run,
  writeRecording,
} from '../../src/compare/recording.ts';
import { parseLine } from '../../src/scenario/parse.ts';
import { readScenario } from '../../src/scenario/schema.ts';

const images = new ImageStore();
const image = join(FIXTURE_IMAGES_FOLDER, '4k-256-journal.img.gz');
let referee: Referee;

beforeAll(() => {
  referee = new Referee();
});
afterAll(async () => {
  await referee?.close();
  images.close();
});

const run = (
  texts: readonly string[],
  over: { image?: string; timeoutSeconds?: number } = {},
): Promise<Answer> => {
  const lines = texts.map((text, i) => parseLine(text, { lane: 'CPU0', line: i + 1 }));
  return referee.run({ image, mount: ['delalloc'], lines, ...over });
};
const results = (answer: Run) => answer.steps.map(({ result }) => result.errno ?? result.data ?? result.ret);

const leftovers = (): string =>
  execFileSync('losetup', ['-a'], { encoding: 'utf8' })
    .split('\n')
    .filter((row) => row.includes('ext4lab'))
    .join('\n') +
  readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((row) => row.includes('ext4lab-'))
    .join('\n');

test('an mmap store on an inline file does not survive fsync and remount', async () => {
  const answer = await run([
    ...[
      'open -f /f',
      'pwrite -S 0x41 0 8',
      'fsync',
      'mmap -rw 0 4k',
      'mwrite -S 0x42 0 4',
      'msync -s',
      'fsync',
    ],
    ...['pread 0 8', '@remount', 'open /f', 'pread 0 8'],
  ]);
  expect(results(answer).slice(-4)).toEqual(['4242424241414141', 0, 0, '4141414141414141']);
  expect(answer.kernel).toMatch(/^\d+\.\d+$/);
});

test('what the kernel refuses is a result', async () => {
  expect(
    results(await run(['open /none', 'open -f /f', 'mmap -rw 0 4k', 'mread 0 1', 'mwrite 0 1'])),
  ).toEqual(['ENOENT', 0, 0, 'SIGBUS', 'SIGBUS']);
});

test.each([
  [
    ['open -f /f', '@verity /f'],
    1,
    /lane CPU0, line 2 \(@verity \/f\): @verity cannot be run on this kernel/,
  ],
  [['pread 0 1'], 0, /no open file/],
  [['open -f /f', 'mmap -r 0 4k', 'mread 4090 10'], 2, /beyond the mapping, 0\.\.4096/],
  [['open -f /f', 'mmap -r 0 4k', '@reclaim /f'], 2, /mapped page/],
])('%j is refused at its line', async (texts, step, message) => {
  await expect(run(texts)).rejects.toMatchObject({
    name: 'Refusal',
    step,
    message: expect.stringMatching(message),
  });
});

test('@crash without a journal is refused', async () => {
  const nojournal = join(FIXTURE_IMAGES_FOLDER, '4k-256-nojournal.img.gz');
  await expect(run(['open -f /f', '@crash'], { image: nojournal })).rejects.toThrow(/needs a journal/);
});

test('mount options that the kernel refuses are a refusal, and the next job runs', async () => {
  const bad = { image, mount: ['data=journal', 'delalloc'] as const, lines: [] };
  await expect(referee.run(bad)).rejects.toThrow(/mount -o data=journal,delalloc/);
  expect(results(await run(['open -f /f']))).toEqual([0]);
});

test('a job that takes too long is killed and leaves nothing behind', async () => {
  const sync = Array.from({ length: 3000 }, () => 'fsync');
  await expect(run(['open -f /f', ...sync], { timeoutSeconds: 0.02 })).rejects.toThrow(
    /took more than 0.02 s/,
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(leftovers()).toBe('');
});

test('links that point out of the volume stay inside', async () => {
  const answer = await run([
    'ln -s /etc/passwd /p',
    'open /p',
    'ln -s ../../../etc /e',
    'open -f /e/passwd',
    'mkdir /etc',
    'open -f /e/passwd',
  ]);
  expect(results(answer)).toEqual([0, 'ENOENT', 0, 'ENOENT', 0, 0]);
  expect(answer.final.files).toHaveProperty('/etc/passwd');
});

test('the files of a crash are gone, the committed bytes are not', async () => {
  const answer = await run([
    ...['open -f /f', 'pwrite -S 0x41 0 4', '@commit', 'pwrite -S 0x42 0 4', '@crash'],
    ...['open /f', 'pread 0 4'],
  ]);
  expect(results(answer).at(-1)).toBe('41414141');
});

test('@commit commits and nothing else: what is pending stays pending', async () => {
  const answer = await run(['open -f /f', 'pwrite 0 50', 'pwrite 50 100', '@commit']);
  expect(answer.steps.at(-1)!.files['/f']).toMatchObject({ inline: true, dirtyPages: 1, blocks: 9 });
});

test('@reclaim drops clean pages and leaves dirty ones', async () => {
  const answer = await run([
    'open -f /f',
    'pwrite 0 5000',
    '@reclaim /f',
    'fsync',
    '@reclaim /f',
    'pread 0 1',
  ]);
  expect(answer.steps.map((step) => step.files['/f']!.dirtyPages)).toEqual([0, 2, 2, 0, 0, 0]);
});

test('lanes have their own files', async () => {
  const lines = [
    parseLine('open -f /a', { lane: 'setup', line: 1 }),
    parseLine('open -f /b', { lane: 'CPU0', line: 1 }),
    parseLine('pwrite 0 5', { lane: 'setup', line: 2 }),
  ];
  const answer = await referee.run({ image, mount: [], lines });
  expect(answer.steps.at(-1)!.files).toMatchObject({ '/a': { size: 5 }, '/b': { size: 0 } });
});

test('a scenario is recorded: setup, lanes, after', async () => {
  const scenario = readScenario(
    JSON.stringify({
      name: 'two-lanes',
      question: 'Does it work?',
      image: { mkfs: { blockSize: 1024, blocks: 4096, inodes: 64 } },
      setup: ['open -f /f', 'pwrite -S 0x41 0 50'],
      tasks: { CPU0: ['open /f', 'pwrite -S 0x42 0 1'], CPU1: ['open /f', 'pread 0 2'] },
      after: ['@remount', 'open /f', 'pread 0 2'],
    }),
    'x.json',
  );
  const recording = await recordScript(scriptOfScenario(scenario), referee, images);
  expect(recording.steps.map((step) => step.lane)).toEqual([
    ...['setup', 'setup', 'CPU0', 'CPU0', 'CPU1', 'CPU1', 'after', 'after', 'after'],
  ]);
  expect(recording.steps.at(-1)!.result.data).toBe('4241');
  expect(writeRecording(recording)).toContain('"lane":"CPU1"');
});

test('freeBlocks cannot be recorded', () => {
  const text = JSON.stringify({
    name: 'full',
    question: 'Full?',
    image: { mkfs: {} },
    freeBlocks: 0,
    tasks: { CPU0: ['sync'] },
  });
  expect(() => scriptOfScenario(readScenario(text, 'x.json'))).toThrow(/freeBlocks/);
});

test('fixture images are made the same again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ext4lab-test-'));
  try {
    writeFixtureImages(folder);
    for (const name of Object.keys(FIXTURE_IMAGES)) {
      const [made, kept] = [folder, FIXTURE_IMAGES_FOLDER].map((at) => readImage(join(at, `${name}.img.gz`)));
      expect(Buffer.compare(made!, kept!), name).toBe(0);
    }
    expect(existsSync(join(folder, '4k-256-journal.conf'))).toBe(false);
    makeImage(FIXTURE_IMAGES['1k-256-journal']!, join(folder, 'plain.img'));
    execFileSync('e2fsck', ['-fn', join(folder, 'plain.img')], { stdio: 'pipe' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('two runs of random scripts agree, and quickly', async () => {
  const [started, count] = [performance.now(), 60];
  for (let seed = 10_000; seed < 10_000 + count; seed++) {
    const { ground, lines } = randomScript(seed);
    const script = scriptOfLines(
      `${seed}`,
      lines,
      ground.image,
      ground.mount,
      join(FIXTURE_IMAGES_FOLDER, 'any'),
    );
    await recordScript(script, referee, images);
  }
  expect((2 * count) / ((performance.now() - started) / 1000)).toBeGreaterThan(5);
});

test('a machine that is wrong is caught, and the script that shows it is minimal', async () => {
  const second = new Referee();
  // The kernel itself, but stat is never right: only a script with a stat line can tell.
  const answers = new Map<string, Run>();
  const key = (texts: readonly string[]): string => texts.join('\n');
  const seed = Array.from({ length: 500 }, (_, i) => i).find((i) => randomScript(i).lines.includes('stat'))!;
  const { ground, lines } = randomScript(seed);
  const wrong = async (texts: readonly string[]): Promise<void> => {
    const script = scriptOfLines('x', texts, ground.image, ground.mount, join(FIXTURE_IMAGES_FOLDER, 'any'));
    const recording = await recordScript(script, second, images);
    answers.set(key(texts), {
      ...recording,
      steps: recording.steps.map((step) =>
        step.line === 'stat' ? { ...step, result: { line: 'stat', errno: 'EIO' } } : step,
      ),
    });
  };
  const fails = async (texts: readonly string[]): Promise<boolean> => {
    await wrong(texts);
    const script = scriptOfLines('x', texts, ground.image, ground.mount, join(FIXTURE_IMAGES_FOLDER, 'any'));
    const kernel = await referee.run({
      image: images.path(ground.image, script.file),
      mount: ground.mount,
      lines: script.lines,
    });
    return compareWithRecording(kernel, answers.get(key(texts))!).length > 0;
  };
  try {
    expect(await fails(lines)).toBe(true);
    const minimal = await shrink(lines, fails);
    expect(minimal.filter((line) => line === 'stat')).toHaveLength(1);
    expect(minimal).toHaveLength(2);
    expect(minimal[0]).toMatch(/^open /);
    // The same through checkRandom, with a machine that has all the answers.
    const found = await checkRandom(seed, {
      referee,
      runLinear: ({ lines: each }) => answers.get(key(each.map(({ text }) => text)))!,
      design: 'any',
      besides: join(FIXTURE_IMAGES_FOLDER, 'any'),
      images,
    });
    expect(found?.lines).toEqual(minimal);
    expect(found?.differences.map(formatDifference).join()).toContain('errno: kernel (nothing), run "EIO"');
  } finally {
    await second.close();
  }
});

test('nothing is left behind', () => {
  expect(leftovers()).toBe('');
});
