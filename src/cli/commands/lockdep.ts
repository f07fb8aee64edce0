/** The order of locks of a design, over every schedule of every scenario. */
import { raceCell } from '../../compare/race.ts';
import { MAIN_DESIGNS } from '../../designs/index.ts';
import { countText } from '../../explore/explore.ts';
import { LockOrder } from '../../locks/lockdep.ts';
import { isLockdep, lockdepSplats } from '../../report/lockdep.ts';
import { defineCommand } from '../command.ts';
import { designsOf } from '../designOption.ts';
import { EXIT } from '../errors.ts';
import { imageOf } from '../images.ts';
import { loadScenarios } from '../scenarioFiles.ts';

const MAIN_IDS = MAIN_DESIGNS.map(({ id }) => id).join(',');

export default defineCommand({
  about:
    'What lockdep would say of a design: the locks of every schedule of every scenario (or those named) make one graph ' +
    'per design, and a cycle in it is reported as the kernel reports it, also when no schedule ran into it. Waits that ' +
    'the kernel’s lockdep does not follow (folio lock, writeback, I_SYNC, commit) are reported under a heading of their own.',
  operands: ['[SCENARIO…]'],
  options: {
    designs: { type: 'text', value: 'D,…', summary: `designs to ask, or all (default: ${MAIN_IDS})` },
    edges: { type: 'flag', summary: 'the whole graph too: which class was taken under which, and where' },
    budget: { type: 'integer', value: 'N', min: 1, summary: 'most transitions of one search' },
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: ['lockdep --designs mmap-convert', 'lockdep fsync-of-a-store --designs all --edges'],
  async run(ctx) {
    const designs = await designsOf(ctx.options.designs);
    const scenarios = loadScenarios(ctx.operands);
    const total = designs.length * scenarios.reduce((sum, scenario) => sum + scenario.mounts.length, 0);
    const answers: object[] = [];
    let done = 0;
    let cut = 0;
    let found = false;
    for (const design of designs) {
      const order = new LockOrder();
      let states = 0;
      let searches = 0;
      for (const scenario of scenarios) {
        const image = imageOf(scenario);
        for (const mount of scenario.mounts) {
          if (ctx.signal.aborted) break;
          ctx.progress.update(`lockdep ${design.id} ${scenario.name}`, done++, total);
          const { cell, lockOrder } = raceCell(scenario, image, design, mount, {
            lockdep: true,
            stop: () => ctx.signal.aborted,
            ...(ctx.options.budget === undefined ? {} : { budget: ctx.options.budget }),
          });
          order.add(lockOrder!);
          states += cell.reach.states;
          searches++;
          if (!cell.reach.complete) cut++;
          await ctx.breathe();
        }
      }
      const splats = lockdepSplats(order.data, `design ${design.id}`);
      found ||= splats.some(isLockdep);
      const edges = order.data.edges.map(({ from, to, next }) => ({ from, to, at: [...next.stack] }));
      if (ctx.options.json) {
        answers.push({ design: design.id, searches, states, splats, edges });
        continue;
      }
      ctx.progress.clear();
      for (const { text } of splats) ctx.out(`${text}\n`);
      if (ctx.options.edges) {
        for (const { from, to, at } of edges) ctx.out(`${from} -> ${to}\n    ${at.join(' > ')}`);
      }
      const counts = `${edges.length} edges from ${searches} searches, ${countText(states)} states`;
      const words = splats.length === 0 ? 'no complaint' : splats.map(({ summary }) => summary).join('; ');
      const line = `${design.id}: ${words} (${counts})`;
      ctx.out(splats.some(isLockdep) ? ctx.style.bad(line) : line);
    }
    ctx.progress.clear();
    if (ctx.options.json) ctx.json({ schemaVersion: 1, designs: answers, incomplete: cut });
    else if (cut > 0) ctx.out(`${cut} searches were cut short: more edges may exist`);
    if (found) return EXIT.differs;
    return cut > 0 ? EXIT.budget : EXIT.ok;
  },
});
