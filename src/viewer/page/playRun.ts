/** A run of the playground: one search for each design and mount, in workers; how far it is, and what it found. */
import type { CrashCell } from '../../compare/crash.ts';
import type { Cell } from '../../compare/race.ts';
import { mountLabel } from '../../scenario/schema.ts';
import { cellSentence } from '../matrix.ts';
import { packCell, type ReportCell, unpackCell } from '../report.ts';
import type { EditRoute, ScenarioRef } from '../route.ts';
import type { Frame } from './app.ts';
import { askedOf } from './cellFacts.ts';
import type { Found } from './lab.ts';

/** Of a search that nobody stops. */
export const START_SECONDS = 60;

/** One search of a run. */
export interface Slot {
  readonly design: string;
  readonly mount: string;
  state: 'waits' | 'searches' | 'done' | 'stopped' | 'failed';
  states: number;
  cell: ReportCell | null;
  /** As `race --json` has it. */
  found: Cell | CrashCell | null;
  message: string;
}

export interface Run {
  readonly ref: ScenarioRef;
  readonly found: Found;
  readonly power: boolean;
  readonly slots: readonly Slot[];
  readonly startedAt: number;
  /** Milliseconds; null while it runs. */
  took: number | null;
}

/** A run before its first search; @param ref the scenario as links name it */
export function newRun(found: Found, ref: ScenarioRef, designs: readonly string[], route: EditRoute): Run {
  const labels = found.scenario.mounts.map(mountLabel);
  const mounts = labels.includes(route.mount) ? [route.mount] : labels;
  const slots = mounts.flatMap((mount) =>
    designs.map(
      (design): Slot => ({ design, mount, state: 'waits', states: 0, cell: null, found: null, message: '' }),
    ),
  );
  return { ref, found, power: route.power, slots, startedAt: performance.now(), took: null };
}

/** Searches all of it; the slots change while it does. Never rejects: what fails is said in its slot. */
export async function carryOut(
  frame: Frame,
  run: Run,
  { preemptions, seconds }: Pick<EditRoute, 'preemptions' | 'seconds'>,
): Promise<void> {
  const how = { power: run.power, preemptions, seconds: seconds ?? START_SECONDS };
  await Promise.all(
    run.slots.map(async (slot) => {
      try {
        await carryOutSlot(frame, run, slot, how);
      } catch (error) {
        slot.state = 'failed';
        slot.message = error instanceof Error ? error.message : String(error);
      }
    }),
  );
  run.took = performance.now() - run.startedAt;
}

async function carryOutSlot(
  frame: Frame,
  { found }: Run,
  slot: Slot,
  how: Parameters<typeof askedOf>[4],
): Promise<void> {
  const asked = await askedOf(frame, found, slot.design, slot.mount, how);
  const outcome = await frame.searches.run(asked, (states) => {
    slot.state = 'searches';
    slot.states = states;
  });
  if (outcome.type === 'done') {
    const { cell } = outcome.result;
    slot.state = 'done';
    slot.found = cell;
    slot.states = cell.reach.states;
    slot.cell = unpackCell(packCell(cell, null));
    frame.searches.remember(asked, cell);
  } else if (outcome.type === 'failed') {
    slot.state = 'failed';
    slot.message = outcome.message;
  } else {
    slot.state = 'stopped';
    slot.states = outcome.states;
  }
}

/** A slot in a sentence: its verdict and how far it reaches, or why there is none. */
export function slotSentence(run: Run, { design, mount, cell, state, states, message }: Slot): string {
  const { name } = run.found.scenario;
  if (cell !== null) return `${cellSentence(name, mount, design, cell)}.`;
  const where = `${name} (${mount}) under ${design}`;
  switch (state) {
    case 'stopped':
      return `${where}: stopped after ${states} states; nothing is said of it.`;
    case 'failed':
      return `${where}: ${message}`;
    default:
      return `${where}: ${states} states so far.`;
  }
}

/** How far a run is, with its rate. */
export function progressText(run: Run): string {
  const { slots, took, startedAt } = run;
  const done = slots.filter(({ state }) => state !== 'waits' && state !== 'searches').length;
  const states = slots.reduce((sum, slot) => sum + slot.states, 0);
  const ms = took ?? performance.now() - startedAt;
  const rate = Math.round(states / Math.max(0.001, ms / 1000));
  const stopped = slots.filter(({ state }) => state === 'stopped').length;
  const cut = slots.filter(({ cell }) => cell?.how.includes('cut short')).length;
  const parts = [
    `${done} of ${slots.length} searches`,
    `${states} states`,
    `${rate} a second`,
    `${(ms / 1000).toFixed(1)} s`,
    ...(stopped > 0 ? [`${stopped} stopped before they could say anything`] : []),
    ...(cut > 0 ? [`${cut} cut short: what they found is so, what they did not find may be there`] : []),
  ];
  return parts.join(', ');
}
