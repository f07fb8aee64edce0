/** The referee itself: what it refuses, what it leaves behind, whether two runs agree. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunLinear, readImage } from '../../src/cli/kernel/check.ts';
import { FIXTURE_IMAGES, ImageStore, makeImage, writeFixtureImages } from '../../src/cli/kernel/images.ts';
import { checkRandom, type RandomCheck, randomScript, shrink } from '../../src/cli/kernel/random.ts';
import { recordScript, scriptOfLines, scriptOfScenario } from '../../src/cli/kernel/record.ts';
import { FIXTURE_IMAGES_FOLDER } from '../../src/cli/kernel/recordingFiles.ts';
import { type Answer, Referee } from '../../src/cli/kernel/referee.ts';
import { readTally, tallyOutcome, writeTally } from '../../src/cli/kernel/tally.ts';
import { runLinear } from '../../src/compare/emulate.ts';
import { formatDifference, type Run, writeRecording } from '../../src/compare/recording.ts';
import { mkwriteConvert } from '../../src/designs/index.ts';
import { ScenarioError } from '../../src/scenario/error.ts';
import { parseLine } from '../../src/scenario/parse.ts';
import { readScenario } from '../../src/scenario/schema.ts';
import { Image } from '../../src/volume/image.ts';

const images = new ImageStore();
const image = join(FIXTURE_IMAGES_FOLDER, '4k-256-journal.img.gz');
let referee: Referee;

const emulator: RunLinear = ({ image: bytes, mount, lines }) =>
  runLinear({ image: Image.load(bytes), mount, design: mkwriteConvert, lines });

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

test('a line that finds no file or mapping, because the call that should have made it failed, has that as its answer', async () => {
  const texts = ['open /none', 'pread 0 1', 'close', 'munmap', 'open -f /f', 'file 1', 'pwrite 0 1'];
  expect(results(await run(texts))).toEqual(['ENOENT', 'EBADF', 'EBADF', 'EINVAL', 0, 'EBADF', 1]);
});

test.each([
  [
    ['open -f /f', '@verity /f'],
    1,
    /lane CPU0, line 2 \(@verity \/f\): @verity cannot be run on this kernel/,
  ],
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
  // The emulator, but stat is never right: only a script with a stat line can tell.
  const wrong: RunLinear = (input) => {
    const answer = emulator(input);
    return {
      ...answer,
      steps: answer.steps.map((step) =>
        step.line === 'stat' ? { ...step, result: { line: 'stat', errno: 'EIO' } } : step,
      ),
    };
  };
  const besides = join(FIXTURE_IMAGES_FOLDER, 'any');
  const check: RandomCheck = { referee, runLinear: wrong, design: 'mkwrite-convert', besides, images };
  const seed = Array.from({ length: 500 }, (_, i) => i).find((i) => randomScript(i).lines.includes('stat'))!;
  const outcomes = [];
  for await (const outcome of checkRandom([seed], check)) outcomes.push(outcome);
  const [found] = outcomes;
  expect(found).toMatchObject({ seed, minimal: [expect.stringMatching(/^open /), 'stat'] });
  expect(found!.differences.map(formatDifference).join()).toContain('errno: kernel (nothing), run "EIO"');
  // A machine that makes a mistake is a difference too; one that does not model a line is not.
  const broken: RunLinear = () => {
    throw new Error('lost the thread');
  };
  const refusing: RunLinear = () => {
    throw new ScenarioError('not modelled', {});
  };
  for await (const { minimal, differences } of checkRandom([seed], { ...check, runLinear: broken })) {
    expect(minimal).toHaveLength(1);
    expect(differences.map(formatDifference)).toEqual([
      'at the end: mistake in ext4lab: kernel (nothing), run lost the thread',
    ]);
  }
  for await (const outcome of checkRandom([seed], { ...check, runLinear: refusing })) {
    expect(outcome).toMatchObject({ differences: [], refused: 'not modelled' });
  }
});

test('shrinking drops whatever it can, many lines at a time', async () => {
  const lines = ['open -f /f', ...Array.from({ length: 60 }, (_, i) => `pwrite ${i} 1`), 'stat'];
  let tries = 0;
  const minimal = await shrink(lines, async (some) => {
    tries++;
    return some.includes('pwrite 7 1') && some.includes('pwrite 41 1');
  });
  expect(minimal).toEqual(['open -f /f', 'pwrite 7 1', 'pwrite 41 1']);
  expect(tries).toBeLessThan(60);
});

test('a tally grows from run to run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ext4lab-test-'));
  try {
    const file = join(folder, 'tally.json');
    const check: RandomCheck = {
      ...{ referee, runLinear: emulator, design: 'mkwrite-convert', images },
      besides: join(FIXTURE_IMAGES_FOLDER, 'any'),
    };
    for (const seeds of [[5, 6], [7]]) {
      const tally = readTally(file);
      for await (const outcome of checkRandom(seeds, check)) tallyOutcome(tally, outcome);
      writeTally(file, tally);
    }
    const tally = readTally(file);
    expect(tally).toMatchObject({ seeds: [[5, 7]], scripts: 3, refused: 0, differing: 0 });
    expect(tally.lines).toBe([5, 6, 7].reduce((sum, seed) => sum + randomScript(seed).lines.length, 0));
    expect(Object.values(tally.verbs).reduce((sum, count) => sum + count)).toBe(tally.lines);
    expect(() => readTally(join(FIXTURE_IMAGES_FOLDER, '..', 'kernel', 'symlinks.json'))).toThrow(
      /not a tally/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('nothing is left behind', () => {
  expect(leftovers()).toBe('');
});
