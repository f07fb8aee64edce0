/** A page with nothing but the compare view, for tests and the bench: it is told what to compare. */
import { designById } from '../../../src/designs/index.ts';
import { parseSchedule } from '../../../src/explore/schedule.ts';
import { makeVolume } from '../../../src/scenario/image.ts';
import { readScenario } from '../../../src/scenario/schema.ts';
import { compare } from '../../../src/viewer/comparison.ts';
import { mountCompareView } from '../../../src/viewer/page/compareView.ts';
import type { InPage } from '../support/compareHarness.ts';

const inPage = globalThis as unknown as InPage;

inPage.openCompare = ({ scenario: text, designs, schedule, of, crash, row, mount }) => {
  const scenario = readScenario(text, 'scenario.json');
  if (!('mkfs' in scenario.image)) throw new Error('this page makes its own volumes');
  const start = performance.now();
  const comparison = compare({
    scenario,
    image: makeVolume(scenario.image.mkfs),
    mount: mount ?? scenario.mounts[0]!,
    designs: designs.map((id) => designById(id)!),
    schedule: schedule === null ? null : parseSchedule(schedule),
    of,
    crash: crash ?? null,
  });
  const compared = performance.now();
  inPage.rowsSeen = [];
  const host = document.getElementById('app')!;
  host.replaceChildren();
  const title = document.createElement('h1');
  title.textContent = scenario.name;
  const view = document.createElement('div');
  const main = document.createElement('main');
  main.append(title, view);
  host.append(main);
  inPage.view = mountCompareView(view, comparison, {
    ...(row === undefined ? {} : { row }),
    onRow: (at) => inPage.rowsSeen.push(at),
  });
  // The layout is made when somebody asks for a size.
  void document.body.offsetHeight;
  const mounted = performance.now();
  return { rows: inPage.view.rows, compareMs: compared - start, mountMs: mounted - compared };
};
