/** Races from a lab's state: the same engine as the command, from wherever the program stands. */
import { describe, expect, it } from 'vitest';
import { createLab, DESIGNS, invariantById, ScenarioError } from '../../src/index.ts';

const withFile = (length = 50) => {
  const lab = createLab();
  lab.fs.writeFileSync('/f', 'A'.repeat(length));
  lab.sync();
  return lab;
};
const STORE = ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4'];

describe('a race', () => {
  it('gives every design its verdict, and how far it reaches', () => {
    const { lanes, cells } = withFile().race(
      { CPU0: STORE, CPU1: ['@writepages /f'] },
      { designs: ['no-conversion', 'mkwrite-convert'] },
    );
    expect(lanes).toEqual(['CPU0', 'CPU1']);
    expect(cells.map(({ design, verdict }) => [design, verdict])).toEqual([
      ['no-conversion', 'violates'],
      ['mkwrite-convert', 'violates'],
    ]);
    const [before2017, now] = cells;
    expect(before2017!.violates).toEqual(expect.arrayContaining(['settled', 'bug-on']));
    expect(now!.violates).toEqual(['alias']);
    for (const { reach, text, violations } of cells) {
      expect(reach).toMatchObject({ strategy: 'exhaustive', preemptions: null, complete: true });
      expect(text).toMatch(/^violates .* \(exhaustive, .* states, .* schedules\)$/);
      for (const { schedule, steps } of violations) {
        expect(schedule).toMatch(/^([AB]\d*)+$/);
        expect(steps).toBeGreaterThan(0);
      }
    }
  });

  it('says that it holds when it does', () => {
    const [cell] = withFile().race({ CPU0: ['open /f', 'pread 0 50'], CPU1: ['@writepages /f'] }).cells;
    expect(cell).toMatchObject({ design: 'mkwrite-convert', verdict: 'holds', violates: [], violations: [] });
    expect(cell!.text).toMatch(/^holds \(exhaustive, /);
    expect(cell!.endStates.length).toBeGreaterThan(0);
  });

  it('of all designs has one cell for each', () => {
    const { cells } = withFile().race({ CPU0: ['open /f', 'pread 0 50'] }, { designs: 'all' });
    expect(cells.map(({ design }) => design)).toEqual(DESIGNS.map(({ id }) => id));
  });

  it('leaves the lab alone', () => {
    const lab = withFile();
    const file = lab.fs.openSync('/f', 'r+');
    const before = lab.digest();
    lab.race({ CPU0: STORE, CPU1: ['@writepages /f'] }, { designs: ['no-conversion'] });
    expect(lab.digest()).toBe(before);
    expect(file.writeSync('still here')).toBe(10);
  });

  it('starts from where the program stands, and keeps what it has open', () => {
    const lab = withFile();
    const file = lab.fs.openSync('/f', 'r+');
    lab.fs.unlinkSync('/f');
    const busy = lab.race({ CPU0: ['open /f'], CPU1: ['@drop_caches'] }).cells[0]!;
    expect(busy.verdict).toBe('holds');
    const umount = (): string[] =>
      lab.race({ CPU0: ['@remount'] }, { invariants: [invariantById('durability')!] }).cells[0]!
        .endStates as string[];
    const refused = umount();
    expect(refused).toEqual([lab.digest()]);
    file.closeSync();
    expect(umount()).not.toEqual(refused);
    expect(busy.violations).toEqual([]);
  });

  it('may bound the preemptions, the budget, and what must hold', () => {
    const lab = withFile();
    const lanes = { CPU0: STORE, CPU1: ['open /f', 'pwrite -S 0x43 0 200'] };
    const bounded = lab.race(lanes, { preemptions: 1, invariants: [invariantById('bug-on')!] }).cells[0]!;
    expect(bounded.reach).toMatchObject({ preemptions: 1, complete: true });
    const short = lab.race(lanes, { budget: 50, invariants: [] }).cells[0]!;
    expect(short).toMatchObject({ verdict: 'inconclusive', reach: { complete: false } });
    const sampled = lab.race(lanes, { strategy: 'random', seed: 7, schedules: 20, invariants: [] }).cells[0]!;
    expect(sampled.reach).toMatchObject({ strategy: 'random', schedules: 20 });
  });

  it('under other mount options unmounts first', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'A'.repeat(50));
    const lanes = { CPU0: ['open /f', 'pwrite -S 0x43 0 200'] };
    const ends = (mount: 'delalloc' | 'nodelalloc') => lab.race(lanes, { mount: [mount] }).cells[0]!;
    expect(ends('delalloc').violates).toContain('strict');
    expect(ends('nodelalloc').violates).not.toContain('strict');
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('A'.repeat(50));
  });

  it('is deterministic', () => {
    const run = () =>
      withFile().race({ CPU0: STORE, CPU1: ['@writepages /f'] }, { designs: ['no-conversion'] });
    expect(run()).toEqual(run());
  });

  it('refuses what it cannot read', () => {
    const lab = withFile();
    expect(() => lab.race({ CPU0: ['opne /f'] })).toThrow(ScenarioError);
    expect(() => lab.race({ CPU0: ['fzero 0 1'] })).toThrow(/CPU0/);
    expect(() => lab.race({ CPU0: ['open /f'] }, { designs: ['nope'] })).toThrow(/no design 'nope'/);
  });
});

it('a lane may make another one, with its mappings', () => {
  const lab = createLab({ design: 'decision-pinning' });
  lab.fs.writeFileSync('/f', 'A'.repeat(50));
  lab.sync();
  const parent = ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4', '@fork child'];
  const { cells } = lab.race({ parent, child: ['mwrite -S 0x43 4 4', 'fsync'] });
  expect(cells.map(({ violates }) => violates)).toEqual([[]]);
  expect(() => lab.race({ parent: ['@fork nobody'] })).toThrow(/@fork nobody: no such lane/);
});
