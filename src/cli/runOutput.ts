/** What `run` and `replay` print. */
import { writeFileSync } from 'node:fs';
import type { Design } from '../designs/design.ts';
import { formatSchedule } from '../explore/schedule.ts';
import { chromeTrace } from '../formats/chrome.ts';
import { goldenOutput } from '../formats/golden.ts';
import { runLines } from '../report/runText.ts';
import { traceText } from '../report/traceText.ts';
import type { MountOption } from '../scenario/image.ts';
import type { RunResult } from '../scenario/run.ts';
import { mountLabel, type Scenario } from '../scenario/schema.ts';
import { traceToFile } from '../trace/file.ts';
import type { Context } from './command.ts';
import { EXIT, type ExitCode } from './errors.ts';

export interface RunOutput {
  readonly scenario: Scenario;
  readonly design: Design;
  readonly mount: readonly MountOption[];
  readonly result: RunResult;
  readonly options: {
    readonly trace: boolean;
    readonly json: boolean;
    readonly format?: 'text' | 'chrome' | undefined;
    readonly golden?: boolean | undefined;
    readonly 'save-trace'?: string | undefined;
  };
}

/** Shared by run and replay. */
export const FORMAT_OPTION = {
  type: 'text',
  value: 'F',
  choices: ['text', 'chrome'],
  default: 'text',
  summary: 'the story, or Chrome trace JSON for Perfetto: a track per lane and per lock',
} as const;

/** @returns differs when something was found */
export function printRun(
  ctx: Pick<Context, 'out' | 'verbatim' | 'json' | 'style'>,
  run: RunOutput,
): ExitCode {
  const { scenario, design, mount, result, options } = run;
  const { tasks, findings, final, trace } = result;
  const schedule = formatSchedule(result.schedule);
  if (options['save-trace'] !== undefined) {
    const header = { scenario: scenario.name, design: design.id, mount: [...mount], schedule };
    writeFileSync(options['save-trace'], `${JSON.stringify(traceToFile(trace, header), null, 1)}\n`);
  }
  if (options.json) {
    ctx.json({
      schemaVersion: 1,
      scenario: scenario.name,
      design: design.id,
      mount: mountLabel(mount),
      schedule,
      tasks,
      findings,
      final,
      unfinished: trace.unfinished.map((task) => trace.lanes[task]!),
      deadlock: trace.deadlock?.text ?? null,
      trace: { steps: trace.steps.length, digest: trace.digest },
    });
  } else if (options.golden === true) {
    ctx.verbatim(goldenOutput(scenario, tasks).trimEnd());
  } else if (options.format === 'chrome') {
    const name = `${scenario.name}: ${design.id} (${mountLabel(mount)})`;
    ctx.verbatim(JSON.stringify(chromeTrace([{ name, trace, findings }])));
  } else {
    if (options.trace) for (const line of traceText(trace)) ctx.verbatim(line);
    else {
      const names = { scenario: scenario.name, design: design.id, mount: mountLabel(mount) };
      for (const { text, bad } of runLines(names, result)) ctx.out(bad ? ctx.style.bad(text) : text);
    }
  }
  return findings.length > 0 || trace.unfinished.length > 0 ? EXIT.differs : EXIT.ok;
}
