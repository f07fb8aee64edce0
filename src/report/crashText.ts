/** A power failure as text: what led there, which writes were lost, what recovery gives back. */
import { type CrashCell, type CrashStory, crashToken, lostWrites } from '../compare/crash.ts';
import type { Violation } from '../compare/race.ts';
import type { Crasher } from '../crash/crash.ts';
import type { Medium } from '../crash/media.ts';
import { isErr } from '../errno.ts';
import type { Trace } from '../trace/transaction.ts';
import { nameText } from '../volume/dirent.ts';
import { listDir, readFile } from '../volume/file.ts';
import type { Image } from '../volume/image.ts';
import { fileKind } from '../volume/rawInode.ts';
import { renderCpuDiagram } from './cpuDiagram.ts';
import type { RunLine } from './runText.ts';
import { storyOf } from './story.ts';

/** Lost writes that are named one by one. */
const NAMED = 8;

/** @returns text of at most 75 columns */
export function crashDiagram(
  cell: Pick<CrashCell, 'scenario' | 'design' | 'mount'>,
  { invariant, message, schedule, steps }: Omit<Violation, 'preemptions'>,
  { trace, failure, lost }: CrashStory,
): string {
  const token = crashToken(cell.scenario, cell.design, cell.mount, schedule, failure.medium.number);
  const diagram = storyOf(trace, {
    title: `${cell.scenario}: ${cell.design} (${cell.mount}) breaks ${invariant} when power fails`,
    footer: [...lostLines(lost), `After recovery: ${message}`, `$ npm run ext4lab -- replay '${token}'`].join(
      '\n',
    ),
    upTo: Math.max(0, Math.min(steps, trace.steps.length) - 1),
    broken: 'power fails',
  });
  return renderCpuDiagram(diagram);
}

/** What did not reach the medium, a line each. */
export function lostLines(lost: readonly string[]): string[] {
  if (lost.length === 0) return ['Every write reached the medium.'];
  const more = lost.length > NAMED ? [`  and ${lost.length - NAMED} more`] : [];
  return ['Lost:', ...lost.slice(0, NAMED).map((line) => `  ${line}`), ...more];
}

/** What is left of a run when power fails and a medium is recovered. */
export interface CrashEnd {
  readonly trace: Trace;
  /** Steps before the power fails. */
  readonly steps: number;
  readonly lost: readonly string[];
  readonly broken: readonly (readonly [id: string, message: string])[];
  readonly files: readonly RecoveredFile[];
}

export function crashEnd(
  trace: Trace,
  steps: number,
  medium: Medium,
  outcome: ReturnType<Crasher['outcome']>,
): CrashEnd {
  return {
    trace,
    steps,
    lost: lostWrites(trace, steps, medium),
    broken: Object.entries(outcome.broken).flatMap(([id, message]) =>
      message === null ? [] : [[id, message] as const],
    ),
    files: outcome.image === null ? [] : recoveredFiles(outcome.image),
  };
}

/** What `replay` says of a token that ends with a power failure. */
export function crashLines(
  { scenario, design, schedule }: { scenario: string; design: string; schedule: string },
  { trace, steps, lost, files, broken }: CrashEnd,
): RunLine[] {
  const diagram = storyOf(trace, {
    title: `${scenario}: ${design}, schedule ${schedule}, then power fails`,
    footer: lostLines(lost).join('\n'),
    upTo: steps - 1,
    broken: 'power fails',
  });
  return [
    { text: `${renderCpuDiagram(diagram)}\n\nAfter recovery:`, bad: false },
    ...files.map(({ path, ino, size, content }) => ({
      text: `  ${path}: ino ${ino}, ${size} bytes  ${content}`,
      bad: false,
    })),
    ...broken.map(([id, message]) => ({ text: `${id}: ${message}`, bad: true })),
  ];
}

export interface RecoveredFile {
  readonly path: string;
  readonly ino: number;
  readonly size: number;
  /** First bytes, hex. */
  readonly content: string;
}

/** Bytes of a file that are shown. */
const SHOWN_BYTES = 32;

/** Regular files in the root of a recovered volume, and the beginning of their content in hex. */
function recoveredFiles(image: Image): RecoveredFile[] {
  const names = listDir(image, 2);
  if (isErr(names)) return [];
  return names.flatMap(({ name, ino }) => {
    const { mode, size } = image.inode(ino);
    if (fileKind(mode) !== 'file') return [];
    const content = readFile(image, ino, 0, SHOWN_BYTES);
    const text = isErr(content) ? content.errno : `${content.toHex()}${size > SHOWN_BYTES ? '…' : ''}`;
    return [{ path: `/${nameText(name)}`, ino, size, content: text }];
  });
}
