/** What a run says in a mail: word for word what the command line prints of it. */
import { formatSchedule } from '../explore/schedule.ts';
import { renderCpuDiagram } from '../report/cpuDiagram.ts';
import { crashLines } from '../report/crashText.ts';
import { runLines } from '../report/runText.ts';
import { violationStory } from '../report/violationStory.ts';
import type { Comparison, DesignRun } from './comparison.ts';

export interface MailText {
  /** What it is, in a list of choices. */
  readonly title: string;
  /** Step after which it ends. */
  readonly step: number;
  readonly text: string;
}

/**
 * The story of each broken invariant, as `race` and `explore` print it for a schedule that ends there; at last the whole
 * run, as `replay` prints it.
 */
export function mailTexts({ scenario, mount }: Comparison, run: DesignRun): MailText[] {
  const names = { scenario, design: run.design.id, mount };
  const { result, crash } = run;
  const stories = run.marks.flatMap(({ kind, id, step, message }) => {
    if (kind !== 'invariant' && kind !== 'deadlock') return [];
    const steps = step + 1;
    const schedule = formatSchedule(result.schedule.slice(0, steps));
    const story = violationStory(result.trace, names, { invariant: id, message, schedule, steps });
    return [{ title: `story of ${id}`, step, text: renderCpuDiagram(story) }];
  });
  const schedule = formatSchedule([...result.schedule]);
  const lines = crash === null ? runLines(names, result) : crashLines({ ...names, schedule }, crash.end);
  const whole = lines.map(({ text }) => text).join('\n');
  const title = crash === null ? 'whole run, as replay prints it' : 'power failure, as replay prints it';
  return [...stories, { title, step: run.steps.length - 1, text: whole }];
}

/** The one to copy at a step: the story of what breaks there or next, else of what broke last, else the whole run. */
export function mailTextAt(comparison: Comparison, run: DesignRun, step: number): MailText {
  const texts = mailTexts(comparison, run);
  const stories = texts.slice(0, -1);
  if (run.crash !== null) return texts.at(-1)!;
  return stories.find((each) => each.step >= step) ?? stories.at(-1) ?? texts.at(-1)!;
}
