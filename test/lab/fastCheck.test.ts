/** The arbitraries of `ext4lab/fast-check` make what the lab takes, and their commands find what is there to find. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileCommands, fileSetup, lane, lanes, volumes } from '../../src/fastCheck.ts';
import { checkImage, createLab, mkfs } from '../../src/index.ts';
import { parseLane } from '../../src/scenario/lane.ts';

const seed = 7;

describe('arbitraries', () => {
  it('volumes: mkfs makes them and our check passes them', () => {
    fc.assert(
      fc.property(volumes(), (options) => {
        expect(checkImage(mkfs(options))).toEqual([]);
      }),
      { seed, numRuns: 12 },
    );
  });

  it('lanes: every line parses, and a race of them is decided', () => {
    fc.assert(
      fc.property(lane({ maxLines: 8 }), (lines) => {
        expect(parseLane(lines, { lane: 'CPU0' })).toHaveLength(lines.length);
      }),
      { seed, numRuns: 300 },
    );
    fc.assert(
      fc.property(lanes({ maxLines: 1 }), (tasks) => {
        const lab = createLab({ design: 'page-cache-convert' });
        lab.fs.writeFileSync('/f', 'A'.repeat(50));
        const { cells } = lab.race(tasks, { budget: 20_000 });
        expect(Object.keys(tasks)).toEqual(['CPU0', 'CPU1']);
        expect(cells[0]!.reach.states).toBeGreaterThan(0);
      }),
      { seed, numRuns: 10 },
    );
  });
});

describe('commands', () => {
  const run = (design: string) =>
    fc.check(
      fc.property(
        fc.commands(fileCommands({ maxBytes: 200 }), {
          maxCommands: 20,
          size: 'large',
          disableReplayLog: true,
        }),
        (commands) => fc.modelRun(() => fileSetup({ design }), commands),
      ),
      { seed, numRuns: 60 },
    );

  it('find the store that the current kernel loses, in a handful of steps', () => {
    const { failed, counterexample, errorInstance } = run('mkwrite-convert');
    expect(failed).toBe(true);
    expect(String(counterexample![0])).toContain('remount');
    expect([...counterexample![0]].length).toBeLessThanOrEqual(6);
    expect((errorInstance as Error).message).toMatch(
      /^after '.*' byte \d+ of \/f is 0x.. and should be 0x..$/,
    );
  });

  it('find nothing where nothing is lost', () => {
    expect(run('page-cache-convert')).toMatchObject({ failed: false, numRuns: 60 });
  });
});
