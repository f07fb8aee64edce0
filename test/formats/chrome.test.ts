/** Chrome traces: what a viewer needs to be true of them, on real runs. */
import { describe, expect, it } from 'vitest';
import type { ChromeEvent, ChromeTrace } from '../../src/formats/chrome.ts';
import { ext4lab } from '../support/command.ts';

const TOKEN = 'small-write-beside-store:mkwrite-convert@delalloc:A29B23A10B2';

async function traceOf(...words: string[]): Promise<ChromeTrace> {
  const { out } = await ext4lab(...words, '--format', 'chrome');
  return JSON.parse(out) as ChromeTrace;
}

/** Slices of a track end in the order in which they began, last first, and none is left open. */
function expectNested(trace: ChromeTrace): void {
  const open = new Map<string, ChromeEvent[]>();
  let before = 0;
  for (const event of trace.traceEvents) {
    expect(event.ts).toBeGreaterThanOrEqual(before);
    before = event.ts;
    const track = `${event.pid}/${event.tid}`;
    const stack = open.get(track) ?? [];
    open.set(track, stack);
    if (event.ph === 'B') stack.push(event);
    if (event.ph === 'E') {
      const begun = stack.pop();
      expect(begun?.name, `${track} at ${event.ts}`).toBe(event.name);
      expect(event.ts).toBeGreaterThanOrEqual(begun!.ts);
    }
  }
  for (const [track, stack] of open) expect(stack, track).toEqual([]);
}

const names = (trace: ChromeTrace, what: string): unknown[] =>
  trace.traceEvents.filter(({ ph, name }) => ph === 'M' && name === what).map(({ args }) => args!.name);

describe('replay --format chrome', () => {
  it('has a track per lane and per lock, nested, with arrows, counters and findings', async () => {
    const trace = await traceOf('replay', TOKEN);
    expectNested(trace);
    expect(names(trace, 'process_name')).toEqual(['small-write-beside-store: mkwrite-convert (delalloc)']);
    const tracks = names(trace, 'thread_name');
    expect(tracks.slice(0, 2)).toEqual(['CPU0', 'CPU1']);
    expect(tracks.some((name) => String(name).startsWith('&ei->xattr_sem'))).toBe(true);
    const steps = trace.traceEvents.filter(({ ph, args }) => ph === 'B' && args?.step !== undefined);
    // Every step is drawn once at its own millisecond, beside the locks.
    const drawn = steps.filter(({ cat }) => cat !== 'held').map(({ ts }) => ts / 1000);
    expect(drawn).toEqual(Array.from({ length: drawn.length }, (_, i) => i));
    expect(drawn.length).toBe(64);
    expect(trace.traceEvents.some(({ ph, name }) => ph === 'C' && name === 'dirty folios')).toBe(true);
    expect(trace.traceEvents.some(({ ph, name }) => ph === 'i' && name === 'write-end-not-inline')).toBe(
      true,
    );
    expect(trace.metadata.time).toContain('one step');
    expect(trace.metadata.source).toContain('EMULATED');
  });

  it('draws an arrow from a release to who had been standing there', async () => {
    const trace = await traceOf(
      'race',
      'small-write-beside-store',
      '--designs',
      'mkwrite-convert,decision-pinning',
      '--no-crash',
    );
    expectNested(trace);
    expect(names(trace, 'process_name')).toHaveLength(6);
    const starts = trace.traceEvents.filter(({ ph }) => ph === 's');
    const ends = trace.traceEvents.filter(({ ph }) => ph === 'f');
    expect(starts.length).toBeGreaterThan(0);
    expect(starts.map(({ id }) => id)).toHaveLength(new Set(ends.map(({ id }) => id)).size);
    for (const { id, ts, tid, pid } of starts) {
      const end = ends.find((each) => each.id === id)!;
      expect(end.pid).toBe(pid);
      expect(end.tid).not.toBe(tid);
      expect(end.ts).toBeGreaterThan(ts);
    }
  });

  it('of shared holders has a track each', async () => {
    expectNested(
      await traceOf('run', 'two-stores', '--design', 'mkwrite-convert', '--schedule', 'ABABABABABABABABABAB'),
    );
  });

  it('of a power failure is refused', async () => {
    const { code, err } = await ext4lab(
      'replay',
      'crash-pending-beside-fsync:mkwrite-convert@delalloc:A55B46!',
      '--format',
      'chrome',
    );
    expect(code).toBe(2);
    expect(err).toContain('a power failure has no track');
  });
});
