/** The story of a power failure that breaks a promise: what led there, what was lost, what recovery gives back. */
import { type CrashCell, type CrashStory, crashToken, lostWrites, stateAt } from '../compare/crash.ts';
import type { Violation } from '../compare/race.ts';
import { Crasher } from '../crash/crash.ts';
import { DEFAULT_MEDIA, media } from '../crash/media.ts';
import { isErr } from '../errno.ts';
import { renderCpuDiagram } from '../report/cpuDiagram.ts';
import { storyOf } from '../report/story.ts';
import type { Session } from '../scenario/session.ts';
import { nameText } from '../volume/dirent.ts';
import { listDir, readFile } from '../volume/file.ts';
import type { Image } from '../volume/image.ts';
import { fileKind } from '../volume/rawInode.ts';
import type { Context } from './command.ts';
import { EXIT, type ExitCode, UsageError } from './errors.ts';

/** Lost writes that are named one by one. */
const NAMED = 8;

/** @returns text of at most 75 columns */
export function crashDiagram(
  cell: Pick<CrashCell, 'scenario' | 'design' | 'mount'>,
  { invariant, message, schedule, steps }: Violation,
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

/** `replay` of a token that ends with a power failure. @returns differs when something is broken */
export function replayCrash(
  ctx: Pick<Context, 'out' | 'json' | 'style'> & { readonly options: { readonly json: boolean } },
  { session, schedule, medium: number, scenario, token }: CrashReplay,
): ExitCode {
  const { trace, k, steps } = stateAt(session, schedule);
  const { media: list } = media(k, DEFAULT_MEDIA);
  const medium = list[number];
  if (medium === undefined)
    throw new UsageError(
      `token ${token}: a power failure there leaves ${list.length} media, 0 to ${list.length - 1}`,
    );
  const outcome = new Crasher(session).outcome(k, medium);
  const lost = lostWrites(trace, steps, medium);
  const broken = Object.entries(outcome.broken).filter(([, message]) => message !== null);
  const files = outcome.image === null ? [] : recoveredFiles(outcome.image);
  if (ctx.options.json) {
    ctx.json({
      schemaVersion: 1,
      scenario,
      design: session.design.id,
      token,
      lost,
      broken: Object.fromEntries(broken),
      files,
    });
  } else {
    const title = `${scenario}: ${session.design.id}, schedule ${schedule}, then power fails`;
    const diagram = storyOf(trace, {
      title,
      footer: lostLines(lost).join('\n'),
      upTo: steps - 1,
      broken: 'power fails',
    });
    ctx.out(`${renderCpuDiagram(diagram)}\n\nAfter recovery:`);
    for (const { path, ino, size, content } of files)
      ctx.out(`  ${path}: ino ${ino}, ${size} bytes  ${content}`);
    for (const [id, message] of broken) ctx.out(ctx.style.bad(`${id}: ${message}`));
  }
  return broken.length > 0 ? EXIT.differs : EXIT.ok;
}

export interface CrashReplay {
  readonly session: Session;
  readonly scenario: string;
  readonly schedule: string;
  /** Number of the medium among those of the state. */
  readonly medium: number;
  readonly token: string;
}

/** Bytes of a file that are shown. */
const SHOWN_BYTES = 32;

/** Regular files in the root of a recovered volume, and the beginning of their content in hex. */
function recoveredFiles(image: Image): { path: string; ino: number; size: number; content: string }[] {
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
