/** The commands on real input, and on input that is wrong: one message naming file, place and cause, exit code 2. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { mkfs } from '../../src/volume/mkfs.ts';
import { ext4lab } from '../support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'ext4lab-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const GOOD = {
  name: 'good',
  question: 'Is it read?',
  image: { mkfs: { features: ['has_journal'] } },
  setup: ['open -f /f', 'pwrite -S 0x41 0 50'],
  tasks: { CPU0: ['open /f', 'pread 0 50'] },
};
const scenario = (name: string, change: object): string =>
  file(`${name}.json`, JSON.stringify({ ...GOOD, name, ...change }));

describe('run, explore, replay, race', () => {
  it('run --json has the promised fields', async () => {
    const { code, out } = await ext4lab(
      'run',
      scenario('plain', {}),
      '--design',
      'mkwrite-convert',
      '--json',
    );
    expect(code).toBe(0);
    const json = JSON.parse(out);
    expect(json).toMatchObject({
      schemaVersion: 1,
      scenario: 'plain',
      design: 'mkwrite-convert',
      findings: [],
    });
    expect(json.tasks.CPU0[1]).toEqual({ line: 'pread 0 50', ret: 50, data: '41'.repeat(50) });
    expect(json.final.files['/f']).toMatchObject({ size: 50, inline: true, content: '41'.repeat(50) });
    expect(Object.values(json.final.inodes)[0]).toMatch(/^[0-9a-f]{512}$/);
    expect(json.trace.digest).toMatch(/^[0-9a-f]{16}$/);
  });

  it('race --json has the promised fields, and a token that replays to the same end', async () => {
    const { code, out } = await ext4lab('race', 'mmap-store-then-fsync', '--json');
    expect(code).toBe(0);
    const json = JSON.parse(out);
    expect(json.schemaVersion).toBe(1);
    expect(json.designs.map(({ id }: { id: string }) => id)).toContain('mkwrite-convert');
    const cell = json.cells.find((each: { design: string }) => each.design === 'mkwrite-convert');
    expect(cell).toMatchObject({
      scenario: 'mmap-store-then-fsync',
      verdict: 'violates',
      reach: { strategy: 'exhaustive', complete: true },
    });
    expect(cell.token.length).toBeLessThanOrEqual(200);
    const replayed = await ext4lab('replay', cell.token, '--json');
    expect(replayed.code).toBe(1);
    expect(JSON.parse(replayed.out).findings.map(({ id }: { id: string }) => id)).toContain('durability');
  });

  it('a place that no schedule reaches is not a pass', async () => {
    const path = scenario('vacuous', { reaches: ['ext4_page_mkwrite'] });
    const explored = await ext4lab('explore', path, '--design', 'mkwrite-convert');
    expect(explored.code).toBe(1);
    expect(explored.out).toContain('no schedule seen reaches ext4_page_mkwrite');
    const raced = await ext4lab('race', path);
    expect(raced.code).toBe(1);
    expect(raced.out).toContain('vacuous: no schedule of any design reaches ext4_page_mkwrite');
  });

  it('explore says how far holds reaches', async () => {
    const { code, out } = await ext4lab('explore', 'reclaim-beside-write', '--design', 'mkwrite-convert');
    expect(code).toBe(0);
    expect(out).toMatch(/holds \(exhaustive, [\d,]+ states, [\d,]+ schedules\)/);
  });

  it('a budget that runs out is exit code 3', async () => {
    const { code } = await ext4lab(
      'explore',
      'store-beside-rewrite',
      '--design',
      'no-conversion',
      '--mount',
      'nodelalloc',
      '--budget',
      '50',
    );
    expect(code).toBe(3);
  });

  it('a saved trace reads back', async () => {
    const path = join(folder, 'trace.json');
    await ext4lab('run', scenario('traced', {}), '--design', 'defer', '--save-trace', path);
    const { readTraceFile, TraceError } = await import('../../src/trace/file.ts');
    const text = readFileSync(path, 'utf8');
    const trace = readTraceFile(text, path);
    expect(trace).toMatchObject({ traceVersion: 1, scenario: 'traced', design: 'defer', lanes: ['CPU0'] });
    expect(() => readTraceFile(text.replace('"traceVersion": 1', '"traceVersion": 2'), 'x')).toThrow(
      TraceError,
    );
    expect(() => readTraceFile('{', 'x')).toThrow(/x: not JSON/);
  });
});

describe('images', () => {
  it('mkfs, exec, check and inspect work together and leave the input alone', async () => {
    const image = join(folder, 'fs.img');
    const after = join(folder, 'after.img');
    expect((await ext4lab('mkfs', image, '-b', '1024')).code).toBe(0);
    const before = readFileSync(image);
    const script = file(
      's.txt',
      '# a comment\nopen -f /f\npwrite -S 0x41 0 100\nsetfattr -n user.a -v 0x0102 /f\nfsync\n',
    );
    const ran = await ext4lab('exec', image, '--script', script, '-o', after);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('pwrite -S 0x41 0 100 = 100');
    expect(readFileSync(image).equals(before)).toBe(true);
    expect((await ext4lab('check', after)).out).toContain('0 errors, 0 notes');
    const { out } = await ext4lab('inspect', after, '/f');
    expect(out).toMatch(/INLINE_DATA/);
    expect(out).toMatch(/user\.a/);
    const json = JSON.parse((await ext4lab('inspect', after, '<2>', '--json')).out);
    expect(json.entries.map(({ name }: { name: string }) => name)).toContain('f');
  });

  it('check finds a flipped bit', async () => {
    const bytes = mkfs({});
    bytes[4 * 4096 + 256 + 4]! ^= 1;
    const { code, out } = await ext4lab('check', file('flipped.img', bytes));
    expect(code).toBe(1);
    expect(out).toMatch(/inode 2/);
  });
});

describe('bad input is exit code 2 with one clear message, and nothing is written', () => {
  const image = mkfs({});
  const edited = (change: (bytes: Uint8Array) => void): Uint8Array => {
    const copy = image.slice();
    change(copy);
    return copy;
  };
  const images: [string, Uint8Array | string, RegExp][] = [
    ['truncated', image.slice(0, 300_000), /truncated/],
    ['tiny', image.slice(0, 100), /superblock/],
    ['empty', new Uint8Array(0), /superblock/],
    ['text', 'not an image at all', /superblock/],
    ['magic', edited((b) => b.fill(0, 1024 + 0x38, 1024 + 0x3a)), /magic/],
    [
      'checksum',
      edited((b) => {
        b[1024 + 0x78]! ^= 0xff;
      }),
      /checksum/,
    ],
    [
      'feature',
      edited((b) => {
        b[1024 + 0x60 + 2]! |= 0x01;
      }),
      /encrypt|feature|checksum/,
    ],
    ['sizes', edited((b) => b.fill(0xff, 1024 + 0x18, 1024 + 0x1c)), /superblock/],
  ];
  it.each(images)('image: %s', async (name, bytes, message) => {
    const path = file(`bad-${name}.img`, bytes);
    for (const words of [
      ['inspect', path],
      ['check', path],
      ['exec', path, '--script', file('ok.txt', 'sync\n'), '-o', join(folder, 'never.img')],
    ]) {
      const { code, out, err } = await ext4lab(...words);
      expect(code, words.join(' ')).toBe(2);
      expect(err).toMatch(message);
      expect(err).toContain(path);
      expect(err).not.toMatch(/\n\s+at /);
      expect(out).toBe('');
    }
    expect(existsSync(join(folder, 'never.img'))).toBe(false);
  });

  it('a wrong inode checksum is EBADMSG when the file is opened, as in the kernel', async () => {
    const path = join(folder, 'sum.img');
    await ext4lab('mkfs', path);
    const made = join(folder, 'made.img');
    await ext4lab('exec', path, '--script', file('mk.txt', 'open -f /f\npwrite -S 0x41 0 10\n'), '-o', made);
    const bytes = readFileSync(made);
    const { offset } = JSON.parse((await ext4lab('inspect', made, '/f', '--json')).out);
    bytes[offset + 0x28]! ^= 1;
    const { out } = await ext4lab('exec', file('badsum.img', bytes), '--script', file('op.txt', 'open /f\n'));
    expect(out).toContain('open /f = EBADMSG');
  });

  const scenarios: [string, object, RegExp][] = [
    ['key', { taks: {} }, /unknown key "taks".*"tasks"/],
    ['verb', { tasks: { CPU0: ['pwrit 0 1'] } }, /lane CPU0, line 1.*pwrit.*pwrite/],
    ['option', { tasks: { CPU0: ['open -Z /f'] } }, /lane CPU0, line 1, column 6/],
    ['number', { tasks: { CPU0: ['open /f', 'pread 0 12q'] } }, /lane CPU0, line 2/],
    ['path', { tasks: { CPU0: ['open f'] } }, /\/f/],
    ['mount', { mount: ['delaloc'] }, /delaloc/],
    ['blockSize', { image: { mkfs: { blockSize: 3000 } } }, /blockSize/],
    ['image', { image: { file: 'nowhere.img' } }, /nowhere\.img/],
  ];
  it.each(scenarios)('scenario: %s', async (name, change, message) => {
    const path = scenario(`bad-${name.toLowerCase()}`, change);
    const { code, err } = await ext4lab(
      'run',
      path,
      '--design',
      'defer',
      '--save-image',
      join(folder, 'never.img'),
    );
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(existsSync(join(folder, 'never.img'))).toBe(false);
  });

  it.each([
    [['run', 'mmap-store-then-fsync', '--design', 'deferr'], /did you mean defer/],
    [['run', 'mmap-store-then-fsnc', '--design', 'defer'], /no bundled scenario/],
    [['explore', 'mmap-store-then-fsync', '--design', 'defer', '--mount', 'ordered'], /no mount/],
    [['replay', 'nonsense'], /not a token/],
    [['replay', 'mmap-store-then-fsync:defer@delalloc:Q3'], /schedule/],
    [['replay', 'mmap-store-then-fsync:defer@delalloc:B3'], /cannot run/],
    [['mkfs', '/nowhere/x.img'], /no such file/],
    [['mkfs', 'x.img', '-b', '3000'], /block/i],
    [['inspect', '/nowhere.img'], /no such file/],
    [['frobnicate'], /frobnicate/],
  ])('%j', async (words, message) => {
    const { code, err } = await ext4lab(...words);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
