/** Buffers of system calls that are mappings: faults under i_rwsem, short copies, pins, and who may wait for whom. */
import { describe, expect, test } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { raceCell } from '../../src/compare/race.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { runSession } from '../../src/scenario/run.ts';
import { readScenario } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';

const design = (id: string) => DESIGNS.find((each) => each.id === id)!;

function scenario(tasks: Record<string, string[]>, more: Record<string, unknown> = {}) {
  const file = {
    name: 'here',
    question: 'What happens?',
    image: { mkfs: { blocks: 2048, features: ['has_journal'] } },
    ...more,
    tasks,
  };
  return readScenario(JSON.stringify(file), 'here.json');
}

/** What each line of CPU0 answered, alone. */
function answers(
  lines: string[],
  setup: string[] = [],
  id = 'mkwrite-convert',
  mount: 'delalloc' | 'nodelalloc' = 'delalloc',
) {
  const made = scenario({ CPU0: lines }, { setup });
  const { tasks, findings, final } = runSession(startSession(made, imageOf(made), design(id), [mount]));
  return { results: tasks.CPU0!, findings, final };
}

const raced = (made: ReturnType<typeof scenario>, id: string) =>
  raceCell(made, imageOf(made), design(id), ['delalloc']).cell;

describe.each(['delalloc', 'nodelalloc'] as const)(
  'What does a write(2) take from a mapping? (%s)',
  (mount) => {
    test('the bytes that the mapping shows, its own page included', () => {
      const lines = ['open -f /f', 'pwrite -x 41424344 0', 'mmap -r 0 4k', 'pwrite -m 0 4 4', 'pread 0 8'];
      expect(answers(lines, [], 'mkwrite-convert', mount).results.at(-1)).toMatchObject({
        data: '4142434441424344',
      });
    });

    test('nothing but EFAULT where the mapping has no page', () => {
      const lines = ['open -f /s', 'pwrite 0 10', 'mmap -r 0 8k', 'open -f /f', 'pwrite -m 4096 0 4', 'stat'];
      const { results } = answers(lines, [], 'mkwrite-convert', mount);
      expect(results[4]).toMatchObject({ errno: 'EFAULT' });
      expect(results[5]).toMatchObject({ stat: { size: 0 } });
    });

    test.each([
      ['an inline file', 'pwrite -S 0x41 0 50', 50],
      ['a block file', 'pwrite -S 0x41 0 300', 300],
    ])('as much of it as there is, and the room past i_size is given back: %s', (_, first, size) => {
      const setup = ['open -f /s', 'pwrite -S 0x53 0 4096', 'open -f /f', first];
      const lines = ['open /s', 'mmap -r 0 8k', 'open /f', `pwrite -m 4091 ${size} 20`, 'stat', 'fsync'];
      const { results, findings, final } = answers(lines, setup, 'mkwrite-convert', mount);
      expect(results[3]).toMatchObject({ ret: 5 });
      expect(results[4]).toMatchObject({ stat: { size: size + 5 } });
      expect(final.files['/f']!.content).toBe(`${'41'.repeat(size)}5353535353`);
      expect(findings.filter(({ id }) => id !== 'strict')).toEqual([]);
    });
  },
);

describe('Who waits for whom when write(2) faults its source in?', () => {
  const lanes = { CPU0: ['open /f', 'mmap -r 0 4k', 'pwrite -m 0 50 4'], CPU1: ['open /f', 'mmap -rw 0 4k'] };
  const setup = ['open -f /f', 'pwrite -S 0x41 0 50', 'fsync'];

  test('a thread of the same process whose mmap(2) wants the inode lock: deadlock', () => {
    const made = scenario(lanes, { setup, threads: [['CPU0', 'CPU1']] });
    expect(raced(made, 'mmap-convert').violates).toContain('no-deadlock');
    expect(raced(made, 'pre-mmap').violates).not.toContain('no-deadlock');
  });

  test('another process has another mmap_lock', () => {
    expect(raced(scenario(lanes, { setup }), 'mmap-convert').violates).not.toContain('no-deadlock');
  });
});

describe('What may get_user_pages do?', () => {
  const setup = ['open -f /f', 'pwrite -S 0x41 0 50', 'fsync'];
  const gup = ['open /f', 'mmap -rw 0 4k', '@gup -S 0x42 0 4', 'mread 0 6'];

  test('store through a fault that may not be retried', () => {
    expect(answers(gup, setup).results.slice(2)).toMatchObject([{ ret: 4 }, { data: '424242424141' }]);
  });

  test('a design that must drop mmap_lock cannot serve it; a program’s own store it can', () => {
    expect(answers(gup, setup, 'fault-retry').results[2]).toMatchObject({ errno: 'EIO' });
    const own = ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4'];
    expect(answers(own, setup, 'fault-retry').results[2]).toMatchObject({ ret: 4 });
  });

  test('not store into a mapping that is for reading', () => {
    const lines = ['open /f', 'mmap -r 0 4k', '@gup -S 0x42 0 4'];
    expect(answers(lines, setup).results[2]).toMatchObject({ errno: 'EIO' });
  });

  test('pin pages for O_DIRECT: what is read there is in the file', () => {
    const lines = ['open /f', 'mmap -rw 0 4k', 'open -d /g', 'pread -m 0 0 512', 'file 0', 'pread 0 50'];
    const { results } = answers(lines, [...setup, 'open -f /g', 'pwrite -S 0x47 0 4096', 'fsync']);
    expect(results.at(-1)).toMatchObject({ data: '47'.repeat(50) });
  });
});

test('a buffer needs a mapping that holds it', () => {
  const lane = (...lines: string[]) => scenario({ CPU0: ['open -f /f', ...lines] });
  expect(() => lane('pwrite -m 0 0 4')).toThrow(/pwrite needs a mapping/);
  expect(() => lane('pread -m 0 0 4')).toThrow(/pread needs a mapping/);
  expect(() => lane('@gup 0 4')).toThrow(/@gup needs a mapping/);
  expect(() => lane('mmap 0 4k', 'pwrite -m 4095 0 2')).toThrow(/bytes 4095 to 4097 are not all in/);
  expect(() => lane('mmap 0 4k', 'pwrite -S 1 -m 0 0 2')).toThrow(/-m and -S do not go together/);
});

test('threads: lanes must exist, once', () => {
  const two = { CPU0: ['open -f /f'], CPU1: ['open -f /f'] };
  expect(() => scenario(two, { threads: [['CPU0', 'CPU2']] })).toThrow(/no lane "CPU2"/);
  expect(() => scenario(two, { threads: [['CPU0', 'CPU0']] })).toThrow(/"CPU0" is there twice/);
  expect(scenario(two, { threads: [['CPU1', 'CPU0']] }).lanes.map(({ mm }) => mm)).toEqual([0, 0]);
  expect(scenario(two).lanes.map(({ mm }) => mm)).toEqual([undefined, undefined]);
});
