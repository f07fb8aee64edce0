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

describe('What does a handle that cannot be started leave?', () => {
  test.each([
    ['pwrite -S 0x42 0 4', 'ENOMEM'],
    ['pwrite -S 0x42 50 40', 'ENOMEM'],
    ['pwrite -S 0x42 0 300', 'ENOMEM'],
    ['truncate 10', 'ENOMEM'],
    ['falloc 0 100', 'ENOMEM'],
    ['setfattr -n user.a -v 0x41 /f', 'ENOMEM'],
  ])('%s: %s, the file is as before and no handle is left', (line, errno) => {
    for (const mount of ['delalloc', 'nodelalloc']) {
      const { tasks, findings, final, reached } = run(
        { CPU0: ['open /f', '@fail-handle 1', line, 'fsync'] },
        { mounts: [[mount]], after: ['@remount', 'open /f', 'pread 0 60'] },
      );
      expect(reached).toContain('handle-failed');
      expect(tasks.CPU0![2], mount).toMatchObject({ errno });
      expect(final.files['/f'], mount).toMatchObject({ content: '41'.repeat(50), inline: true });
      expect(findings, mount).toEqual([]);
    }
  });

  test('writeback that gets none keeps the pages dirty for the next one', () => {
    const lines = ['open /f', 'pwrite -S 0x42 0 300', '@fail-handle 1', 'fsync', 'fsync'];
    const { tasks, final } = run({ CPU0: lines }, { mounts: [['delalloc']] });
    expect(tasks.CPU0!.slice(3)).toMatchObject([{ errno: 'ENOMEM' }, { ret: 0 }]);
    expect(final.files['/f']).toMatchObject({ content: '42'.repeat(300), inline: false });
  });

  test('it is armed for the next line alone', () => {
    const { tasks } = run({ CPU0: ['open /f', '@fail-handle 1', 'stat', 'pwrite -S 0x42 0 4'] });
    expect(tasks.CPU0![3]).toMatchObject({ ret: 4 });
  });
});

describe('What does reclaim take?', () => {
  const inCore = (lines: string[], more: Record<string, unknown> = {}) => {
    const made = scenario({ CPU0: lines }, more);
    const session = startSession(made, imageOf(made), design('mkwrite-convert'), made.mounts[0]!);
    const { reached, findings } = runSession(session);
    return { reached, findings };
  };

  test('an inode without pages and without users, at once or, with I_DONTCACHE, when it has been written', () => {
    const dropped = ['@reclaim /f', '@shrink /f', 'open /f', 'pread 0 60'];
    expect(run({ CPU0: dropped }).tasks.CPU0!.at(-1)).toMatchObject({ data: '41'.repeat(50) });
    const lines = [
      'open /f',
      'pwrite -S 0x42 0 300',
      '@dontcache /f',
      'close',
      '@shrink /f',
      'open /f',
      'pread 0 300',
    ];
    expect(inCore(lines).reached).toContain('evict-in-reclaim');
    expect(run({ CPU0: lines }).tasks.CPU0!.at(-1)).toMatchObject({ data: '42'.repeat(300) });
  });

  test('no inode that is open, dirty, a directory, or the root', () => {
    for (const lines of [['open /f', '@shrink /f'], ['mkdir /d', '@shrink /d'], ['@shrink /']])
      expect(inCore(lines).reached).not.toContain('iput_final');
    const dirty = ['open /f', 'pwrite -S 0x42 0 300', 'close', '@shrink /f', 'open /f', 'pread 0 300'];
    expect(run({ CPU0: dirty }).tasks.CPU0!.at(-1)).toMatchObject({ data: '42'.repeat(300) });
    expect(run({ CPU0: ['@shrink /none'] }).tasks.CPU0![0]).toMatchObject({ errno: 'ENOENT' });
  });

  test('an allocation in a handle reclaims pages, one outside inodes too', () => {
    const setup = [...SETUP, 'open -f /g', 'pwrite -S 0x47 0 50', 'fsync', '@dontcache /g'];
    const outside = ['open /f', '@direct-reclaim 1 /g', 'pwrite -S 0x42 8192 4'];
    const { reached } = inCore(outside, { setup });
    expect(reached).toContain('direct-reclaim');
    expect(reached).toContain('evict-in-reclaim');
    const inside = ['open /f', 'mmap -rw 0 4k', '@direct-reclaim 1 /g', 'mwrite -S 0x42 0 4'];
    const nofs = inCore(inside, { setup });
    expect(nofs.reached).toContain('direct-reclaim-nofs');
    expect(nofs.reached).not.toContain('iput_final');
    expect(nofs.findings.filter(({ id }) => id !== 'alias')).toEqual([]);
  });
});

describe('What does a child have?', () => {
  const MAPPED = ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4'];

  test('the mappings and files of its parent, at the moment of the fork', () => {
    const { tasks, final } = run({
      parent: [...MAPPED, '@fork child', 'munmap', 'close'],
      child: ['mread 0 8', 'mwrite -S 0x43 4 4', 'pread 0 12', 'fsync'],
    });
    expect(tasks.child!.map(({ data }) => data)).toEqual([
      '4242424241414141',
      undefined,
      '424242424343434341414141',
      undefined,
    ]);
    expect(final.files['/f']!.content).toBe(`${'42'.repeat(4)}${'43'.repeat(4)}${'41'.repeat(42)}`);
  });

  test('empty page tables for a shared mapping: its store faults, its parent’s does not', () => {
    const lanes = { parent: [...MAPPED, '@fork child', 'mwrite -S 0x44 0 1'], child: ['mwrite -S 0x43 8 1'] };
    const made = scenario(lanes);
    const session = startSession(made, imageOf(made), design('mkwrite-convert'), made.mounts[0]!);
    const { trace } = runSession(session);
    const faults = trace.steps.filter(({ label }) => label.startsWith('finish_fault'));
    expect(faults.map(({ task }) => task)).toEqual([0, 1]);
  });

  test('a file that is open in both is released by the last of them', () => {
    const lanes = { parent: ['open /f', '@fork child', 'close'], child: ['pwrite -S 0x43 0 1', 'close'] };
    for (const id of ['mkwrite-convert', 'defer-complete']) {
      const made = scenario(lanes);
      expect(raced(made, id).violates).toEqual([]);
    }
  });

  test.each([
    ['nobody', { a: ['@fork b'] }, /@fork b: no such lane/],
    ['itself', { a: ['@fork a'] }, /a lane does not make itself|it is there already/],
    ['its parent', { a: ['@fork b'], b: ['@fork a'] }, /it is there already/],
    ['a lane twice', { a: ['@fork b', '@fork b'], b: ['sync'] }, /made once already/],
    ['what has no mapping', { a: ['open /f', '@fork b'], b: ['mread 0 4'] }, /mread needs a mapping/],
  ])('it cannot be %s', (_, tasks, message) => {
    expect(() => scenario(tasks as unknown as Record<string, string[]>)).toThrow(message);
  });

  test('nor a thread of another process', () => {
    const threads = [['b', 'c']];
    const made = scenario({ a: ['@fork b'], b: ['sync'], c: ['sync'] }, { threads });
    expect(() => startSession(made, imageOf(made), design('defer'), ['delalloc'])).toThrow(
      /a thread of another/,
    );
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
