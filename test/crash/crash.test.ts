/** Power failure at any step: what must come out, and that every story replays. */
import { describe, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { crashCell, crashStory, splitCrash, stateAt } from '../../src/compare/crash.ts';
import { designById } from '../../src/designs/index.ts';
import type { MountOption } from '../../src/scenario/image.ts';
import { readScenario, type Scenario } from '../../src/scenario/schema.ts';
import { SCENARIOS } from '../support/scenarios.ts';

function crash(scenario: Scenario, design: string, mount: readonly MountOption[] = scenario.mounts[0]!) {
  return crashCell(scenario, imageOf(scenario), designById(design)!, mount);
}
const bundled = (name: string): Scenario => SCENARIOS.find((each) => each.name === name)!;

/** One lane on a small volume. */
function scenario(
  setup: readonly string[],
  lane: readonly string[],
  mount: readonly MountOption[] = ['delalloc'],
) {
  const json = {
    name: 'case',
    question: 'What survives?',
    image: { mkfs: { features: ['has_journal'] } },
    mount,
    setup,
    tasks: { CPU0: lane },
  };
  return readScenario(JSON.stringify(json), 'case.json');
}

describe('the current kernel', () => {
  it('loses a store that fsync promised, by replaying the bytes of before', () => {
    const { cell, session, crasher } = crash(bundled('mmap-store-then-fsync'), 'mkwrite-convert');
    expect(cell.violates).toEqual(['promise']);
    const { failure, lost } = crashStory(session, crasher, cell.violations[0]!);
    expect(failure.message).toBe('/f (ino 12): byte 0 is 0x41, promised 0x42');
    expect(lost, 'nothing has to be lost: the replay itself does it').toEqual([]);
  });

  it('keeps it when the fault converts through the page cache', () => {
    const { cell } = crash(bundled('mmap-store-then-fsync'), 'page-cache-convert');
    expect([cell.verdict, cell.reach.complete, cell.crash.all]).toEqual(['holds', true, true]);
    expect(cell.crash.failures).toBeGreaterThan(10);
  });

  it('turns fsynced inline bytes into zeros when a commit stands between destroy and mapping', () => {
    const { cell } = crash(bundled('crash-pending-beside-fsync'), 'mkwrite-convert');
    expect(cell.violations.map(({ message }) => message)).toEqual([
      '/f (ino 12): byte 0 is 0x00, promised 0x41',
    ]);
    expect(crash(bundled('crash-pending-beside-fsync'), 'mkwrite-convert', ['nodelalloc']).cell.verdict).toBe(
      'holds',
    );
  });

  it('does not keep an in-place write over fdatasync', () => {
    expect(crash(bundled('in-place-write-then-fdatasync'), 'mkwrite-convert').cell.violates).toEqual([
      'promise',
    ]);
  });
});

describe('a promise', () => {
  it.each([
    ['fsync', ['pwrite -S 0x42 0 20', 'fsync']],
    ['sync', ['pwrite -S 0x42 0 300', 'sync']],
    ['syncfs', ['pwrite -S 0x42 0 300', 'syncfs']],
    ['an O_SYNC write', ['open -s /f', 'pwrite -S 0x42 0 300']],
    ['a remount', ['pwrite -S 0x42 0 300', '@remount']],
    ['rename after fsync', ['open -f /g', 'pwrite -S 0x42 0 300', 'fsync', 'mv /g /f', 'sync']],
  ])('of %s is kept', (_, lane) => {
    const { cell } = crash(
      scenario(['open -f /f', 'pwrite -S 0x41 0 50', 'sync'], ['open /f', ...lane]),
      'mkwrite-convert',
    );
    expect(cell.violations).toEqual([]);
    expect(cell.verdict).toBe('holds');
  });

  it('is not made by a write(2) alone: the old content and the new one are both fine', () => {
    const { cell } = crash(
      scenario(['open -f /f', 'pwrite -S 0x41 0 50', 'sync'], ['open /f', 'pwrite -S 0x42 0 20']),
      'mkwrite-convert',
    );
    expect(cell.verdict).toBe('holds');
  });

  it('is broken by a mount without barriers', () => {
    const mounts: MountOption[] = ['delalloc', 'nobarrier'];
    const asked = scenario(
      ['open -f /f', 'pwrite -S 0x41 0 50', 'sync'],
      ['open /f', 'pwrite -S 0x42 0 20', 'fsync'],
      mounts,
    );
    const { cell, session, crasher } = crash(asked, 'mkwrite-convert');
    expect(cell.violates).toEqual(['promise']);
    const { lost } = crashStory(session, crasher, cell.violations[0]!);
    expect(lost.join()).toContain('the last transaction of the log lost');
  });
});

describe('foreign bytes', () => {
  it('are those of a removed file under data=writeback, and never under data=ordered', () => {
    const asked = bundled('crash-writeback-mode');
    const [writeback, ordered] = asked.mounts.map((mount) => crash(asked, 'mkwrite-convert', mount).cell);
    expect(writeback!.violates).toEqual(['foreign-bytes']);
    expect(writeback!.violations[0]!.message).toContain('0x5a');
    expect(ordered!.verdict).toBe('holds');
  });
});

describe('one schedule', () => {
  it('says what it looked at, and never that it holds', () => {
    const asked = bundled('mmap-store-then-fsync');
    const { cell } = crashCell(asked, imageOf(asked), designById('page-cache-convert')!, asked.mounts[0]!, {
      which: 'one',
    });
    expect([cell.verdict, cell.reach.strategy, cell.reach.complete]).toEqual(['inconclusive', 'one', true]);
    const broken = crashCell(asked, imageOf(asked), designById('mkwrite-convert')!, asked.mounts[0]!, {
      which: 'one',
    });
    expect(broken.cell.violates).toEqual(['promise']);
  });
});

describe('a token', () => {
  it('has the medium after the schedule', () => {
    expect(splitCrash('A3B2')).toEqual({ schedule: 'A3B2', medium: null });
    expect(splitCrash('A3B2!')).toEqual({ schedule: 'A3B2', medium: 0 });
    expect(splitCrash('A3B2!17')).toEqual({ schedule: 'A3B2', medium: 17 });
  });

  it('leads to the state that its story tells of', () => {
    const { cell, session, crasher } = crash(bundled('crash-pending-beside-fsync'), 'mkwrite-convert');
    const { schedule, message } = cell.violations[0]!;
    const { k } = stateAt(session, schedule);
    expect(crasher.examine(k).promise!.message).toBe(message);
  });
});
