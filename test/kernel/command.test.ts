/** `ext4lab kernel record` and `kernel check` as a user runs them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { CommandEntry } from '../../src/cli/command.ts';
import { type LinearInput, readImage } from '../../src/cli/kernel/check.ts';
import { kernelCheckCommand } from '../../src/cli/kernel/checkCommand.ts';
import { FIXTURE_IMAGES_FOLDER, loadRecording, recordingFiles } from '../../src/cli/kernel/recordingFiles.ts';
import { main } from '../../src/cli/main.ts';
import { type Run, readRecording, writeRecording } from '../../src/compare/recording.ts';
import { ScenarioError } from '../../src/scenario/error.ts';

const folder = mkdtempSync(join(tmpdir(), 'ext4lab-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Knows what the kernel did by heart, but is wrong about `stat`. */
const byHeart = new Map(
  recordingFiles([]).map((file) => {
    const recording = loadRecording(file);
    return [recording.steps.map(({ line }) => line).join('\n') + recording.mount.join(), recording];
  }),
);
const inputs: LinearInput[] = [];
const runLinear = (input: LinearInput): Run => {
  inputs.push(input);
  if (input.lines.some(({ command }) => command.verb === 'ln'))
    throw new ScenarioError('ln is not modelled', {});
  const run = byHeart.get(input.lines.map(({ text }) => text).join('\n') + input.mount.join())!;
  return {
    ...run,
    steps: run.steps.map((step) =>
      step.line === 'stat' ? { ...step, result: { line: 'stat', errno: 'EIO' } } : step,
    ),
  };
};

const entries: CommandEntry[] = [
  {
    name: 'kernel record',
    summary: '',
    load: () => import('../../src/cli/commands/kernelRecord.ts'),
  },
  { name: 'kernel check', summary: '', load: async () => ({ default: kernelCheckCommand(runLinear) }) },
];

async function ext4lab(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const sink = (write: (text: string) => void) => ({ write, isTerminal: false, columns: undefined });
  const io = {
    stdout: sink((text) => void (out += text)),
    stderr: sink((text) => void (err += text)),
    env: {},
    onInterrupt() {},
  };
  return { code: await main(words, io, entries), out, err };
}

const scenario = {
  name: 'a-question',
  question: 'Does it grow?',
  image: { file: join(FIXTURE_IMAGES_FOLDER, '4k-256-journal.img.gz') },
  mounts: [['delalloc'], ['nodelalloc']],
  tasks: { CPU0: ['open -f /f', 'pwrite -S 0x41 0 50', 'pwrite -S 0x42 50 100'] },
};

test('a scenario is recorded once per mount, and verified against what was written', async () => {
  const file = join(folder, 'scenario.json');
  writeFileSync(file, JSON.stringify(scenario));
  expect((await ext4lab('kernel', 'record', file)).err).toContain('--out FOLDER');
  const recorded = await ext4lab('kernel', 'record', file, '--out', folder);
  expect(recorded).toEqual({
    code: 0,
    out: 'new     a-question-delalloc\nnew     a-question-nodelalloc\n',
    err: '',
  });
  const [late, early] = ['delalloc', 'nodelalloc'].map((mount) => {
    const path = join(folder, `a-question-${mount}.json`);
    return readRecording(readFileSync(path, 'utf8'), path);
  });
  expect(late!.steps.at(-1)!.files['/f']!.inline).toBe(true);
  expect(early!.steps.at(-1)!.files['/f']!.inline).toBe(false);

  const path = join(folder, 'a-question-delalloc.json');
  const verified = await ext4lab('kernel', 'record', '--verify', path);
  expect(verified).toEqual({ code: 0, out: 'same    a-question-delalloc\n', err: '' });

  const text = readFileSync(path, 'utf8');
  writeFileSync(path, writeRecording({ ...late!, steps: early!.steps }));
  const changed = await ext4lab('kernel', 'record', '--verify', path);
  expect(changed.code).toBe(1);
  expect(changed.out).toContain(
    'changed a-question-delalloc\n        line 3 (pwrite -S 0x42 50 100): /f blocks: ',
  );
  const again = await ext4lab('kernel', 'record', path, '--json');
  expect(JSON.parse(again.out)).toMatchObject({
    recordings: [{ name: 'a-question-delalloc', outcome: 'changed' }],
  });
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('kernel check shows the first difference of each recording', async () => {
  const names = ['size-first-write', 'pending-then-sync', 'mmap-private-store'];
  const { code, out, err } = await ext4lab('kernel', 'check', ...names);
  expect(code).toBe(1);
  expect(out).toBe(
    [
      'same    size-first-write',
      'differs pending-then-sync',
      '        line 5 (stat): ret: kernel 0, run (nothing)',
      '        and 11 more',
      'differs mmap-private-store',
      '        line 7 (stat): ret: kernel 0, run (nothing)',
      '        and 5 more',
      '',
    ].join('\n'),
  );
  expect(err).toBe('1 of 3 recordings agree\n');
  const image = readImage(join(FIXTURE_IMAGES_FOLDER, '4k-256-journal.img.gz'));
  expect(Buffer.compare(inputs.at(-1)!.image, image)).toBe(0);
  expect(inputs.at(-1)).toMatchObject({ design: 'mkwrite-convert', mount: ['delalloc'] });
  expect((await ext4lab('kernel', 'check', 'size-first-write')).code).toBe(0);
});

test('kernel check tells all in JSON', async () => {
  const { out } = await ext4lab('kernel', 'check', 'mmap-private-store', '--json', '--design', 'defer');
  expect(JSON.parse(out)).toMatchObject({
    schemaVersion: 1,
    design: 'defer',
    recordings: [
      {
        name: 'mmap-private-store',
        differences: [{ step: 6, line: 'stat', field: 'ret' }, {}, {}, {}, {}, {}],
      },
    ],
  });
});

test('what the machine does not model is skipped and counted, and fails nothing', async () => {
  const { code, out, err } = await ext4lab('kernel', 'check', 'size-first-write', 'symlinks');
  expect({ code, err }).toEqual({ code: 0, err: '1 of 1 recordings agree, 1 are not modelled\n' });
  expect(out).toBe('same    size-first-write\nskipped symlinks\n        ln is not modelled\n');
});

test('a recording that is not there is a usage error with a suggestion', async () => {
  const { code, err } = await ext4lab('kernel', 'check', 'size-frist-write');
  expect(code).toBe(2);
  expect(err).toContain('did you mean size-first-write?');
});
