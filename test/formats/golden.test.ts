/** Runs as golden files. */
import { describe, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { mkwriteConvert } from '../../src/designs/mkwrite-convert.ts';
import { goldenOutput } from '../../src/formats/golden.ts';
import { runSession } from '../../src/scenario/run.ts';
import { readScenario } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';
import { ext4lab } from '../support/command.ts';

const golden = (lines: readonly string[]): string => {
  const text = JSON.stringify({ name: 'x', question: 'Is it?', image: { mkfs: {} }, tasks: { CPU0: lines } });
  const scenario = readScenario(text, 'x.json');
  const { tasks } = runSession(startSession(scenario, imageOf(scenario), mkwriteConvert, ['delalloc']));
  return goldenOutput(scenario, tasks);
};

const FILTERED = 'XXX Bytes, X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)';

describe('run --golden', () => {
  it('prints what xfs_io prints, filtered', () => {
    const lines = [
      'open -f /f',
      'pwrite 0 50',
      'pwrite -S 3 100 5000',
      'pread -v 40 20',
      'mmap -r 0 4k',
      'mread -v 0 18',
      'mread 0 2',
      'truncate 5',
      'pread 0 10',
      'fcollapse 1 2',
      'seek -h 0',
      'seek -d 9000',
      'open /none',
      'fsync',
    ];
    expect(golden(lines).split('\n')).toEqual([
      'QA output created by x',
      'wrote 50/50 bytes at offset 0',
      FILTERED,
      'wrote 5000/5000 bytes at offset 100',
      FILTERED,
      '00000028:  cd cd cd cd cd cd cd cd cd cd 00 00 00 00 00 00  ................',
      '00000038:  00 00 00 00  ....',
      'read 20/20 bytes at offset 40',
      FILTERED,
      '00000000:  cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd  ................',
      '00000010:  cd cd  ..',
      'read 5/10 bytes at offset 0',
      FILTERED,
      'fallocate: Invalid argument',
      'Whence\tResult',
      'HOLE\t5',
      'Whence\tResult',
      'DATA\tEOF',
      '/none: No such file or directory',
      '',
    ]);
  });

  it('refuses what differs between machines, by name and line', () => {
    expect(() => golden(['open -f /f', 'stat'])).toThrow(
      'x.json: lane CPU0, line 2, column 1: what stat prints',
    );
  });

  it('names the parts where there are several', async () => {
    const { out } = await ext4lab('run', 'mmap-store-then-fsync', '--design', 'mkwrite-convert', '--golden');
    expect(out).toBe(
      `QA output created by mmap-store-then-fsync\n== CPU0\n== after\nread 50/50 bytes at offset 0\n${FILTERED}\n`,
    );
  });
});
