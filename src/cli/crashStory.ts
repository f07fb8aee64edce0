/** `replay` of a token that ends with a power failure. */
import { stateAt } from '../compare/crash.ts';
import { Crasher } from '../crash/crash.ts';
import { DEFAULT_MEDIA, media } from '../crash/media.ts';
import { crashEnd, crashLines } from '../report/crashText.ts';
import type { Session } from '../scenario/session.ts';
import type { Context } from './command.ts';
import { EXIT, type ExitCode, UsageError } from './errors.ts';

/** @returns differs when something is broken */
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
  const end = crashEnd(trace, steps, medium, new Crasher(session).outcome(k, medium));
  const { lost, broken, files } = end;
  const design = session.design.id;
  if (ctx.options.json) {
    ctx.json({ schemaVersion: 1, scenario, design, token, lost, broken: Object.fromEntries(broken), files });
  } else {
    for (const { text, bad } of crashLines({ scenario, design, schedule }, end))
      ctx.out(bad ? ctx.style.bad(text) : text);
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
