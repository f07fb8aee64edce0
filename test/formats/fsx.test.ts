/** fsx operations in and out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { fsxOps } from '../../src/formats/fsx.ts';
import { guessFormat } from '../../src/formats/read.ts';
import { ext4lab } from '../support/command.ts';
import { complaint, imported, scenarioOf, survivesDamage } from './support.ts';

const OPS = `write 0x0 0x32 0x0
mapwrite 0x10 0x40 0x32
truncate 0x0 0x20 0x50 close_open
mapread 0x0 0x20 0x20
fallocate 0x20 0x20 0x20 keep_size
fallocate 0x20 0x20 0x20
zero_range 0x0 0x8 0x40
zero_range 0x38 0x10 0x40 keep_size
punch_hole 0x4 0x4 0x40
read 0x0 0x40 0x40
fsync 0x0 0x0 0x40
truncate 0x0 0x2000 0x40
copy_range 0x0 0x20 0x1800 0x2000
insert_range 0x1000 0x1000 0x2000
collapse_range 0x1000 0x1000 0x3000
`;

describe('operations', () => {
  it('are lines as fsx does them', () => {
    const { scenario } = imported('write 0x2 0x3 0x0\nmapwrite 0x1001 0x2 0x5 close_open *\n', 'fsx');
    expect(scenario.tasks.fsx).toEqual([
      'open -f /f',
      'pwrite -b 3 -x 010401 2',
      'truncate 4099',
      'mmap -rw 4096 3',
      'mwrite -x 0302 4097',
      'msync -s',
      'munmap',
      'close',
      'open /f',
    ]);
  });

  it('that were skipped are left out, with a note', () => {
    const { scenario, notes } = imported('skip read 0x0 0x10 0x0\nwrite 0 1 0\n', 'fsx');
    expect(scenario.tasks.fsx).toHaveLength(2);
    expect(notes[0]).toBe('1 skipped operations are left out');
  });

  it('come back as they were', () => {
    expect(fsxOps(scenarioOf(imported(OPS, 'fsx')))).toBe(OPS);
  });

  it('come back as they were, whatever they are', () => {
    const hex = (value: number): string => `0x${value.toString(16)}`;
    const step = fc.record({
      op: fc.constantFrom(
        'write',
        'mapwrite',
        'truncate',
        'fallocate',
        'read',
        'mapread',
        'punch_hole',
        'zero_range',
        'fsync',
      ),
      at: fc.nat(300),
      length: fc.integer({ min: 1, max: 300 }),
      reopen: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        let size = 0;
        const rows: string[] = [];
        for (const { op, at, length, reopen } of steps) {
          const isRead = op === 'read' || op === 'mapread';
          if (isRead && at + length > size) continue;
          const [offset, count] = op === 'truncate' ? [0, length] : op === 'fsync' ? [0, 0] : [at, length];
          rows.push(`${op} ${hex(offset)} ${hex(count)} ${hex(size)}${reopen ? ' close_open' : ''}`);
          if (op === 'truncate') size = length;
          else if (/write|fallocate|zero_range/.test(op)) size = Math.max(size, at + length);
        }
        fc.pre(rows.length > 0);
        // The last close is what the end of the process does anyway.
        const text = `${rows.join('\n')}\n`;
        expect(fsxOps(scenarioOf(imported(text, 'fsx')))).toBe(text);
      }),
      { numRuns: 200, seed: 6 },
    );
  });

  it('run, and the model agrees with them', async () => {
    const { mkdtempSync, writeFileSync, rmSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const { join } = await import('node:path');
    const folder = mkdtempSync(join(tmpdir(), 'ext4lab-fsx-'));
    try {
      writeFileSync(join(folder, 'a.fsxops'), OPS);
      expect((await ext4lab('import', join(folder, 'a.fsxops'), '-o', join(folder, 'a.json'))).code).toBe(0);
      const ran = await ext4lab('run', join(folder, 'a.json'), '--design', 'folio-lock-switch', '--json');
      const { tasks, findings } = JSON.parse(ran.out) as {
        tasks: { fsx: { errno?: string }[] };
        findings: unknown[];
      };
      expect(tasks.fsx.filter(({ errno }) => errno !== undefined)).toEqual([]);
      expect(findings.filter((found) => JSON.stringify(found).includes('model'))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are made of bundled scenarios with one lane and one file', () => {
    const [scenario] = loadScenarios(['mmap-store-then-fsync']);
    expect(fsxOps(scenario!)).toBe(
      'write 0x0 0x32 0x0\nfsync 0x0 0x0 0x32 close_open\nmapwrite 0x0 0x4 0x32\nfsync 0x0 0x0 0x32\n',
    );
    const [two] = loadScenarios(['small-write-beside-store']);
    expect(() => fsxOps(two!)).toThrow(/2 lanes: fsx has one/);
  });

  it('are known by name and content', () => {
    expect(guessFormat('anything', 'x.fsxops')).toBe('fsx');
    expect(guessFormat(OPS, 'x')).toBe('fsx');
    expect(guessFormat('skip read 0x0 0x1 0x0\n', 'x')).toBe('fsx');
  });
});

const OP_NAMES = [
  'read',
  'write',
  'mapread',
  'mapwrite',
  'fallocate',
  'punch_hole',
  'zero_range',
  'collapse_range',
  'insert_range',
];
const MALFORMED: readonly (readonly [text: string, place: string, words: string])[] = [
  ['', '1:1', 'no fsx operation'],
  ['# only a comment\n', '1:1', 'no fsx operation'],
  ['wrote 0x0 0x1 0x0', '1:1', 'did you mean write?'],
  ['write', '1:6', 'write needs an offset'],
  ['write 0x0', '1:10', 'write needs a length'],
  ['write 0x0 0x1', '1:14', 'write needs a size'],
  ['write 0x 0x1 0x0', '1:7', '"0x" is not an offset'],
  ['write 0x0 1x 0x0', '1:11', '"1x" is not a length'],
  ['write 0x0 0x1 -1', '1:15', '"-1" is not a size'],
  ['write 0x0 0x1 0x0 keepsize', '1:19', 'unexpected "keepsize"'],
  ['write 0x0 0x1 0x0 keep_size', '1:19', 'write takes no keep_size'],
  ['truncate 0x0 0x1 0x0 keep_size', '1:22', 'truncate takes no keep_size'],
  ['write 0x0 0x1 0x0 close_open x', '1:30', 'unexpected "x"'],
  ['write 0x0 0x1 0x0 0x0', '1:19', 'unexpected "0x0"'],
  ['skip', '1:5', 'skip of nothing'],
  ['skip bogus 0 0 0', '1:6', 'unknown fsx operation "bogus"'],
  ['write 0x0 0xffffffff 0x0', '1:11', 'more than a file may have'],
  ['write 0x123456789 0x1 0x0', '1:7', 'is not an offset'],
  ['write 0x0 0x1 0x0\nread 0x0 zz 0x1', '2:10', '"zz" is not a length'],
  ['write 0x0 0x1 0x0\n\n# note\n  mapwrite 0x0', '4:15', 'needs a length'],
  ['write 08 1 0\nwrite 0 1 1 !', '2:13', 'unexpected "!"'],
  ['write 0.5 1 0', '1:7', 'is not an offset'],
  ['write 1k 1 0', '1:7', 'is not an offset'],
  ['write 0,1,0', '1:7', '"0,1,0" is not an offset'],
  ['WRITE 0x0 0x1 0x0', '1:1', 'unknown fsx operation "WRITE"'],
  ['pwrite 0x0 0x1 0x0', '1:1', 'unknown fsx operation'],
  ['LOG DUMP (3 total operations):', '1:1', 'this is what fsx prints'],
  ['1(1 mod 256): WRITE 0x0 thru 0x1', '1:1', 'unknown fsx operation'],
  ['clone_range 0x0 0x1 0x0 0x0', '1:1', 'clone_range is not supported'],
  ['dedupe_range 0x0 0x1 0x0 0x0', '1:1', 'dedupe_range is not supported'],
  ['copy_range 0x0 0x1 0x0', '1:23', 'copy_range needs a size'],
  ['fallocate 0x0 0x1 0x0 unshare', '1:23', 'unshare is not supported'],
  ['write_atomic 0x0 0x1 0x0', '1:1', 'RWF_ATOMIC is not modelled'],
  ['read_dontcache 0x0 0x1 0x0', '1:1', 'write it as read'],
  ['exchange_range 0x0 0x1 0x0 0x0', '1:1', 'exchange_range is not supported'],
  ...OP_NAMES.map((op): [string, string, string] => [`${op} 0x0 0x0 0x0`, '1:1', `${op} of 0 bytes`]),
  ...OP_NAMES.map((op): [string, string, string] => [
    `write 0x0 0x1 0x0\n${op} 0x0 g 0x0`,
    `2:${op.length + 6}`,
    'is not a length',
  ]),
];

describe('what is not right', () => {
  it.each(MALFORMED)('%j', (text, place, words) => {
    const message = complaint(text, 'fsx');
    expect(message).toContain(words);
    expect(message.startsWith(`${place}: `), message).toBe(true);
  });

  it(`is ${MALFORMED.length} kinds of it, at least 50`, () => {
    expect(MALFORMED.length).toBeGreaterThanOrEqual(50);
  });

  it('damaged files are read or complained about', () => survivesDamage([OPS], 'fsx'));
});
