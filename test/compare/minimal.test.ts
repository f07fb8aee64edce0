/** The failure with nothing to spare: every line that is left is needed. */
import { describe, expect, it } from 'vitest';
import { breaks, minimalScenario, scenarioFile, smallerOnes } from '../../src/compare/minimal.ts';
import { raceCell } from '../../src/compare/race.ts';
import { readScenario, type Scenario } from '../../src/scenario/schema.ts';
import { CASES, type Case } from '../support/scenarios.ts';

const caseOf = (label: string): Case => CASES.find((each) => each.label === label)!;
const textOf = (scenario: Scenario): unknown => scenarioFile(scenario, ['delalloc']);

describe('a minimal scenario', () => {
  it('keeps what the failure takes, and nothing else', () => {
    const { scenario, image, design, mount } = caseOf('small-write-beside-store delalloc mkwrite-convert');
    const least = minimalScenario(scenario, image, design, mount, 'bug-on');
    expect(textOf(least)).toMatchObject({
      setup: ['open -f /f', 'pwrite -S 0x41 0 50', 'fsync'].filter((line) =>
        least.setup.some(({ text }) => text === line),
      ),
      tasks: {
        CPU0: ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 40 1'],
        CPU1: ['open /f', 'pwrite -S 0x43 0 1'],
      },
    });
    expect(textOf(least)).not.toHaveProperty('after');
    expect([...smallerOnes(least)].filter((each) => breaks(each, image, design, mount, 'bug-on'))).toEqual(
      [],
    );
  });

  it('is written with all that its run depends on', () => {
    const runOf = ({ setup, lanes, after, freeBlocks, dirtyLimit }: Scenario): unknown => {
      const texts = (lines: Scenario['setup']): string[] => lines.map(({ text }) => text);
      const tasks = lanes.map(({ name, lines, mm }) => [name, texts(lines), mm]);
      return [texts(setup), tasks, texts(after), freeBlocks, dirtyLimit];
    };
    for (const { scenario, mount } of CASES) {
      const read = readScenario(JSON.stringify(scenarioFile(scenario, mount)), scenario.file);
      expect(runOf(read), scenario.name).toEqual(runOf(scenario));
    }
  });

  it('is a scenario file that fails in the same way', () => {
    const { scenario, image, design, mount } = caseOf('mmap-store-then-fsync nodelalloc mkwrite-convert');
    const least = minimalScenario(scenario, image, design, mount, 'durability');
    const read = readScenario(JSON.stringify(scenarioFile(least, mount)), 'minimal.json');
    expect(raceCell(read, image, design, mount).cell.violates).toContain('durability');
    expect(
      [...smallerOnes(least)].filter((each) => breaks(each, image, design, mount, 'durability')),
    ).toEqual([]);
  });
});
