/** What the matchers of `ext4lab/vitest` say when they fail. */
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/index.ts';
import { matchers } from '../../src/vitest.ts';

const lab = createLab();
lab.fs.writeFileSync('/f', 'A'.repeat(50));
const race = lab.race(
  { CPU0: ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 40 1'], CPU1: ['open /f', 'pwrite -S 0x43 0 1'] },
  { designs: ['mkwrite-convert', 'decision-pinning'] },
);
const [broken, sound] = race.cells;
const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it did not fail');
};

describe('a matcher that fails on a race', () => {
  it('names the design, how far the search reached, and tells the story in at most 75 columns', () => {
    const message = messageOf(() => expect(race).toHold('bug-on'));
    expect(message).toMatch(
      /^expected bug-on to hold in every schedule:\n\nmkwrite-convert violates .*states/,
    );
    expect(message).toContain('mkwrite-convert breaks bug-on');
    expect(message).toMatch(/CPU0 +CPU1/);
    const story = message.split('\n').slice(4);
    expect(story.filter((line) => line.length > 75)).toEqual([]);
  });

  it('says that nothing breaks it when something should', () => {
    expect(messageOf(() => expect(sound).toViolate('strict'))).toMatch(
      /^expected a schedule that breaks strict, and there is none: decision-pinning holds \(exhaustive/,
    );
    expect(messageOf(() => expect(race).not.toHold('format'))).toContain(
      'expected a schedule that breaks format',
    );
    expect(messageOf(() => expect(broken).not.toViolate('strict'))).toContain('breaks strict');
  });

  it('prints lockdep’s report', () => {
    expect(messageOf(() => expect(broken).toBeQuietUnderLockdep())).toContain(
      'WARNING: lock held when returning to user space!',
    );
  });

  it('does not take a search that was cut short for one that holds', () => {
    const short = lab.race({ CPU0: ['open /f', 'pread 0 50'], CPU1: ['@writepages /f'] }, { budget: 3 });
    expect(messageOf(() => expect(short).toHold())).toContain('cut short');
    expect(messageOf(() => expect(short).toHold('strict'))).toContain('cut short');
  });
});

describe('a matcher on a lab', () => {
  it('looks at the present state', () => {
    const dirty = createLab({ design: 'no-conversion' });
    dirty.fs.writeFileSync('/f', 'A'.repeat(50));
    const file = dirty.fs.openSync('/f', 'r+');
    file.mmapSync({ length: 50 }).store(0, new Uint8Array([1]));
    const message = messageOf(() => expect(dirty).toHaveNoDirtyFolioOnInlineInode());
    expect(message).toMatch(/^expected strict to hold under no-conversion:\nstrict: ino 12/);
    expect(dirty).toViolate('settled');
    expect(lab).not.toViolate();
  });
});

describe('a matcher that is used wrongly', () => {
  it('says so', () => {
    expect(() => matchers.toHold(race, 'stric')).toThrow(/^no invariant 'stric': there are strict, settled/);
    expect(() => matchers.toHold(7)).toThrow('toHold: expected what lab.race() gives, or one of its cells');
    expect(() => matchers.toBeQuietUnderLockdep(lab)).toThrow(TypeError);
  });
});
