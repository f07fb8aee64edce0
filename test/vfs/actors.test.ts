/** Freeze, throttling, failing allocations, swapon, sync_file_range: what they answer, and what they wait for. */
import { describe, expect, test } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { raceCell } from '../../src/compare/race.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { runSession } from '../../src/scenario/run.ts';
import { readScenario } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';

const design = (id: string) => DESIGNS.find((each) => each.id === id)!;
const SETUP = ['open -f /f', 'pwrite -S 0x41 0 50', 'fsync'];

function scenario(tasks: Record<string, string[]>, more: Record<string, unknown> = {}) {
  const image = { mkfs: { blocks: 2048, features: ['has_journal'] } };
  const file = { name: 'here', question: 'What happens?', image, setup: SETUP, ...more, tasks };
  return readScenario(JSON.stringify(file), 'here.json');
}

function run(tasks: Record<string, string[]>, more: Record<string, unknown> = {}, id = 'mkwrite-convert') {
  const made = scenario(tasks, more);
  return runSession(startSession(made, imageOf(made), design(id), made.mounts[0]!));
}

const raced = (made: ReturnType<typeof scenario>, id = 'mkwrite-convert') =>
  raceCell(made, imageOf(made), design(id), made.mounts[0]!).cell;

describe('Does a frozen volume stand still?', () => {
  test('it can be frozen once, and thawed once', () => {
    const lines = ['@thaw', '@freeze', '@freeze', '@thaw', '@thaw'];
    expect(run({ CPU0: lines }).tasks.CPU0!.map(({ errno, ret }) => errno ?? ret)).toEqual([
      'EINVAL',
      0,
      'EBUSY',
      0,
      'EINVAL',
    ]);
  });

  test('it can be read, and is unmounted only when thawed', () => {
    const lines = ['@freeze', 'open /f', 'pread 0 4', 'close', '@remount', '@thaw', '@remount'];
    const results = run({ CPU0: lines }).tasks.CPU0!;
    expect(results[2]).toMatchObject({ data: '41414141' });
    expect(results[4]).toMatchObject({ errno: 'EBUSY' });
    expect(results[6]).toMatchObject({ ret: 0 });
  });

  test.each([
    ['write(2)', ['open /f', 'pwrite -S 0x42 0 4']],
    ['a store', ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4']],
    ['truncate(2)', ['open /f', 'truncate 10']],
    ['setxattr(2)', ['setfattr -n user.a -v 0x42 /f']],
    ['the eviction of a file without a name', ['rm /f']],
  ])('%s waits until it is thawed', (_, lines) => {
    expect(raced(scenario({ CPU0: lines, CPU1: ['@freeze'] })).violates).toContain('no-deadlock');
    const { violates } = raced(scenario({ CPU0: lines, CPU1: ['@freeze', '@thaw'] }));
    expect(violates).not.toContain('no-deadlock');
    expect(violates).not.toContain('warn-on');
  });

  test('mmap(2) takes no freeze protection: a conversion there starts a handle on a frozen volume', () => {
    const made = scenario({ CPU0: ['open /f', 'mmap -rw 0 4k'], CPU1: ['@freeze', '@thaw'] });
    expect(raced(made, 'mmap-convert').violates).toContain('warn-on');
    expect(raced(made, 'pre-mmap').violates).not.toContain('warn-on');
  });
});

describe('Who waits for the flusher?', () => {
  test('a task over the limit, until pages are clean', () => {
    const lines = ['open /f', 'pwrite -S 0x42 0 8192', 'pwrite -S 0x43 0 4'];
    const more = { dirtyLimit: 1, mounts: [['delalloc']] };
    const { cell, reached } = (() => {
      const result = run({ CPU0: lines, kworker: ['@flusher'] }, more);
      return { cell: result.tasks.CPU0!, reached: result.reached };
    })();
    expect(cell[2]).toMatchObject({ ret: 4 });
    expect(reached).toContain('balance_dirty_pages');
  });

  test('under the inode lock, for a flusher that wants it: deadlock', () => {
    const store = ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4'];
    const CPU0 = [...store, 'open -f /g', 'pwrite -S 0x47 0 4096', 'file 0', 'pwrite -S 0x43 8 4'];
    const made = scenario({ CPU0, kworker: ['@flusher'] }, { dirtyLimit: 1 });
    expect(raced(made, 'defer-inode-lock').violates).toContain('no-deadlock');
    expect(raced(made, 'defer').violates).not.toContain('no-deadlock');
  });

  test('a write(2) that finds half of the free space promised, under the inode lock too', () => {
    const image = { mkfs: { blockSize: 1024, blocks: 1625, inodes: 32, features: ['has_journal'] } };
    const setup = [...SETUP, 'open -f /g', 'pwrite -b 512k -S 0x47 0 300k'];
    const CPU0 = ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4', 'pwrite -S 0x43 20 4'];
    const made = scenario({ CPU0, kworker: ['@flusher'] }, { image, setup });
    const { tasks, reached } = runSession(startSession(made, imageOf(made), design('defer'), ['delalloc']));
    expect(reached).toContain('try_to_writeback_inodes_sb');
    expect(tasks.CPU0!.at(-1)).toMatchObject({ ret: 4 });
    expect(raced(made, 'defer-inode-lock').violates).toContain('no-deadlock');
  });

  test.each([
    [
      'a limit without a flusher',
      { CPU0: ['sync'] },
      { dirtyLimit: 1 },
      /a limit needs a lane with @flusher/,
    ],
    ['a flusher that does more', { CPU0: ['@flusher', 'sync'] }, {}, /the only line of its lane/],
    ['two flushers', { a: ['@flusher'], b: ['@flusher'] }, {}, /there is one flusher/],
    ['a flusher afterwards', { CPU0: ['sync'] }, { after: ['@flusher'] }, /a lane of its own/],
  ])('not: %s', (_, tasks, more, message) => {
    expect(() => scenario(tasks, more)).toThrow(message);
  });
});

describe('What does an allocation that fails leave?', () => {
  const answers = (lines: string[], mount = 'delalloc') => {
    const { tasks, findings, final } = run({ CPU0: lines }, { mounts: [[mount]] });
    return {
      results: tasks.CPU0!,
      findings: findings.filter(({ id }) => id !== 'strict'),
      file: final.files['/f']!,
    };
  };

  test.each([
    ['a write that wants more inline bytes', 'pwrite -S 0x42 50 40', 1],
    ['a write that outgrows the inode', 'pwrite -S 0x42 0 300', 1],
  ])('%s: ENOMEM, and the file is as before', (_, line, nth) => {
    for (const mount of ['delalloc', 'nodelalloc']) {
      const lines = ['open /f', '@reclaim /f', `@fail-alloc ${nth}`, line, 'fsync'];
      const { results, findings, file } = answers(lines, mount);
      expect(results[3], mount).toMatchObject({ errno: 'ENOMEM' });
      expect(file.content, mount).toBe('41'.repeat(50));
      expect(findings, mount).toEqual([]);
    }
  });

  test('it fails once, and only in the line after', () => {
    const lines = ['open /f', '@fail-alloc 1', 'stat', 'pwrite -S 0x42 0 300'];
    expect(answers(lines).results[3]).toMatchObject({ ret: 300 });
  });

  test('a fault is done again', () => {
    const lines = ['open /f', 'mmap -rw 0 4k', '@fail-alloc 1', 'mwrite -S 0x42 0 4', 'pread 0 4'];
    expect(answers(lines).results.slice(3)).toMatchObject([{ ret: 4 }, { data: '42424242' }]);
  });
});

describe('Which files does swapon take?', () => {
  const HEADER = ['mwrite -x 010000000100000000000000 1024', 'mwrite -x 53574150535041434532 4086'];

  test('none without a header, none with holes, no directory', () => {
    const lines = [
      'open -f /s',
      'truncate 8192',
      'mmap -rw 0 4k',
      ...HEADER,
      '@swapon /s',
      '@swapon /f',
      '@swapon /',
    ];
    const answers = run({ CPU0: lines }).tasks.CPU0!.slice(-3);
    expect(answers.map(({ errno }) => errno)).toEqual(['EINVAL', 'EINVAL', 'EISDIR']);
  });

  test('a file of whole blocks', () => {
    const lines = ['open -f /s', 'falloc 0 8192', 'mmap -rw 0 4k', ...HEADER, 'fsync', '@swapon /s'];
    expect(run({ CPU0: lines }).tasks.CPU0!.at(-1)).toMatchObject({ ret: 0 });
  });
});

test('sync_file_range writes data and commits nothing', () => {
  const lines = ['open /f', 'pwrite -S 0x42 0 300', 'sync_range -baw 0 0'];
  const made = scenario(
    { CPU0: lines },
    { after: ['@crash', 'open /f', 'pread 0 300'], mounts: [['delalloc']] },
  );
  const { tasks } = runSession(startSession(made, imageOf(made), design('mkwrite-convert'), ['delalloc']));
  expect(tasks.after!.at(-1)).toMatchObject({ data: '41'.repeat(50) });
});
