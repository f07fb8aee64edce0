// The real xfs_io as referee of how numbers and options are read. Offsets stay below 1 GiB and lengths below 1 KiB:
// xfs_io saturates a number that is too large and then writes until the disk is full.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseNumber } from '../../src/scenario/numbers.ts';
import { parseLine, ScenarioError } from '../../src/scenario/parse.ts';

const present = spawnSync('xfs_io', ['-V']).status === 0;
if (!present && process.env.CI) throw new Error('xfs_io is missing: install xfsprogs');
const folder = mkdtempSync(join(tmpdir(), 'ext4lab-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What xfs_io prints, both streams, for commands on a new file. */
function xfsIo(...commands: string[]): string {
  const file = join(folder, 'f');
  rmSync(file, { force: true });
  const args = ['-f', ...commands.flatMap((command) => ['-c', command]), file];
  const run = spawnSync('xfs_io', args, { encoding: 'utf8', timeout: 10_000 });
  return run.stdout + run.stderr;
}

const pwrite = (line: string) => {
  const { command } = parseLine(line, { lane: 'CPU0', line: 1 });
  if (command.verb !== 'pwrite') throw new Error(line);
  return command;
};

describe.skipIf(!present)('Does xfs_io read a line as we do?', () => {
  it.each([
    '0',
    '50',
    '0x1f',
    '0X1F',
    '010',
    '1k',
    '2K',
    '1m',
    '1s',
    '3b',
    '0x1b',
    '0x1e',
    '0x10k',
    '0x1gg',
    '1q',
    '08',
    '1.5k',
    '1kk',
    '0x',
    'x',
    '-1',
    '',
  ])('the number %j', (text) => {
    const parsed = parseNumber(text);
    const said = xfsIo(`pwrite ${text} 1`);
    if ('value' in parsed) expect(said).toContain(`wrote 1/1 bytes at offset ${parsed.value}\n`);
    else expect(said).not.toContain('wrote');
  });

  it.each([
    'pwrite 5 3',
    'pwrite 5 3 -S 0x61',
    'pwrite -S0x61 5 3',
    'pwrite -b 2 -S 010 5 3',
    'pwrite -- 5 3',
    'pwrite 5 -b 1k 3',
  ])('%s', (line) => {
    const { offset, length, data } = pwrite(line);
    const said = xfsIo(line, `pread -v ${offset} ${length}`);
    expect(said).toContain(`wrote ${length}/${length} bytes at offset ${offset}\n`);
    expect(said).toContain(`00000005:  ${data.replace(/../g, '$& ')}`);
  });

  it.each([
    'pwrite 5',
    'pwrite 5 3 1',
    'pwrite -k 5 3',
    'pwrite 5 3 -S',
    'bogus 1',
    'truncate -1',
    'seek -d',
    'falloc 0',
  ])('refuses %s', (line) => {
    expect(xfsIo(line)).not.toContain('wrote');
    expect(xfsIo(line)).not.toBe('');
    expect(() => parseLine(line, { lane: 'CPU0', line: 1 })).toThrow(ScenarioError);
  });

  // number taken out of four, and number and offset of what is current then: the one after it, or the last
  it.each([
    [0, 0, 1],
    [1, 1, 2],
    [2, 2, 3],
    [3, 2, 2],
  ])('numbers mappings and files as lane.ts says: number %i taken out', (out, current, was) => {
    const pages = [0, 1, 2, 3].map((page) => `mmap -r ${page * 4}k 4k`);
    const mapped = xfsIo('truncate 16k', ...pages, `mmap ${out}`, 'munmap', 'mmap')
      .trim()
      .split('\n')
      .slice(-3);
    expect(mapped[current]).toMatch(new RegExp(`^\\[00${current}\\].*\\(${was * 4096} : 4096\\)$`));

    const names = ['f', 'g', 'h', 'i'];
    const opens = names.slice(1).map((name) => `open -f ${join(folder, name)}`);
    const files = xfsIo(...opens, `file ${out}`, 'close', 'file')
      .trim()
      .split('\n')
      .slice(-3);
    expect(files[current]).toMatch(new RegExp(`^\\[00${current}\\].*/${names[was]} `));
  });

  it('refuses a store before or past the mapping, whose offsets are those of the file', () => {
    expect(xfsIo('truncate 8k', 'mmap 4k 4k', 'mwrite 0 4')).toContain('before start of mapping');
    expect(xfsIo('truncate 8k', 'mmap 0 50', 'mwrite 50 1')).toContain('beyond mapping');
    expect(xfsIo('truncate 8k', 'mmap 4k 4k', 'mwrite 4k 2', 'pread -v 4k 2')).toContain('58 58');
  });
});
