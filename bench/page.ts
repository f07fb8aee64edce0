/**
 * What the compare view takes in a real browser: opening a trace of 10,000 steps, and a key press, from the key to the
 * frame that shows it. By hand: `npx tsx bench/page.ts`. Numbers of one machine on one day; nothing fails here.
 */
import { cpus, loadavg } from 'node:os';
import { designById } from '../src/designs/index.ts';
import { formatSchedule } from '../src/explore/schedule.ts';
import { type MkfsSpec, makeVolume } from '../src/scenario/image.ts';
import { readScenario } from '../src/scenario/schema.ts';
import { startSession } from '../src/scenario/session.ts';
import { Machine } from '../src/sched/machine.ts';
import { launch } from '../test/page/support/browser.ts';
import { type InPage, openComparePage } from '../test/page/support/compareHarness.ts';

/** Three lanes that write and read one file, `lines` lines each. */
const longScenario = (lines: number): string =>
  JSON.stringify({
    name: 'long',
    question: 'How long does a long trace take?',
    image: { mkfs: { blocks: 2048, features: ['has_journal'] } },
    mounts: [['delalloc']],
    setup: ['open -f /f', 'pwrite -S 0x41 0 40', 'fsync'],
    tasks: {
      CPU0: [
        'open /f',
        'mmap -rw 0 4k',
        ...Array.from({ length: lines }, (_, i) => `pwrite -S 0x42 ${i % 50} 4`),
      ],
      CPU1: [
        'open /f',
        ...Array.from({ length: lines }, (_, i) => (i % 4 === 3 ? 'fsync' : `pread ${i % 30} 8`)),
      ],
      CPU2: [
        'open /f',
        ...Array.from({ length: lines }, (_, i) => (i % 7 === 3 ? 'fsync' : `pwrite ${i % 30} 8`)),
      ],
    },
  });

const OF = 'mkwrite-convert';
const text = longScenario(Number(process.argv[2] ?? 165));

/** Six steps of each lane in turns, as far as each can run. */
function turns(): string {
  const scenario = readScenario(text, 'long.json');
  const { mkfs } = scenario.image as { mkfs: MkfsSpec };
  const session = startSession(scenario, makeVolume(mkfs), designById(OF)!, scenario.mounts[0]!);
  const machine = new Machine(session.k, session.specs);
  const taken: number[] = [];
  for (;;) {
    const can = machine.runnable();
    const wanted = Math.floor(taken.length / 6) % 3;
    const task = can.includes(wanted) ? wanted : can[0];
    if (task === undefined) return formatSchedule(taken);
    machine.resume(task);
    taken.push(task);
  }
}

const [load] = loadavg();
console.log(`${cpus().length} cores, load ${load!.toFixed(1)}`);
const browser = await launch();
const { page, errors, close } = await openComparePage(browser, { width: 1440, height: 1000 });

// What others on the machine take is not counted: ticks of the page's own thread.
const devtools = await page.context().newCDPSession(page);
await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
async function busyMs(): Promise<number> {
  const { metrics } = await devtools.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')!.value * 1000;
}
const before = await busyMs();
const opened = await page.evaluate((request) => (globalThis as unknown as InPage).openCompare(request), {
  scenario: text,
  designs: [OF, 'decision-pinning'],
  schedule: turns(),
  of: OF,
});
console.log(
  `${opened.rows} rows: compared in ${opened.compareMs.toFixed(0)} ms, view open in ${opened.mountMs.toFixed(0)} ms; ` +
    `the thread was busy for ${((await busyMs()) - before).toFixed(0)} ms of it`,
);

/** From the event to the end of the handler, and to the frame after it. */
const PRESS = `async (key, times) => {
  const grid = document.querySelector('.cmp-grid');
  grid.focus();
  const handled = [];
  const shown = [];
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    grid.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    void document.body.offsetHeight;
    handled.push(performance.now() - start);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    shown.push(performance.now() - start);
  }
  return { handled, shown };
}`;
const press = async (key: string, times: number) =>
  (await page.evaluate(`(${PRESS})(${JSON.stringify(key)}, ${times})`)) as {
    handled: number[];
    shown: number[];
  };
const at = (values: number[], share: number): string =>
  [...values]
    .sort((a, b) => a - b)
    [Math.min(values.length - 1, Math.floor(values.length * share))]!.toFixed(1);

for (const [key, times, what] of [
  ['j', 200, 'folded'],
  ['f', 2, 'fold and unfold'],
  ['f', 1, 'unfold'],
  ['j', 300, 'unfolded'],
  ['PageDown', 100, 'ten rows on'],
  ['End', 1, 'to the end'],
  ['k', 200, 'back from the end'],
  ['Home', 1, 'to the beginning'],
] as const) {
  const start = await busyMs();
  const { handled, shown } = await press(key, times);
  const busy = ((await busyMs()) - start) / times;
  console.log(
    `${key.padEnd(9)} ${what.padEnd(18)} laid out: median ${at(handled, 0.5)} ms, 95% ${at(handled, 0.95)}, worst ${at(handled, 1)}; ` +
      `next frame done: median ${at(shown, 0.5)} ms; busy ${busy.toFixed(1)} ms a press`,
  );
}
if (errors.length > 0) console.log(errors);
await close();
await browser.close();
