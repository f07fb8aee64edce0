/** What `run` and `replay` say of a run: the story, what each line answered, what was found, the files at the end. */
import { formatSchedule } from '../explore/schedule.ts';
import type { RunResult } from '../scenario/run.ts';
import { renderCpuDiagram } from './cpuDiagram.ts';
import { storyOf } from './story.ts';
import type { RunNames } from './violationStory.ts';

export interface RunLine {
  readonly text: string;
  /** It says that something is broken. */
  readonly bad: boolean;
}

export function runLines({ scenario, design, mount }: RunNames, result: RunResult): RunLine[] {
  const { tasks, findings, final, trace } = result;
  const title = `${scenario}: ${design} (${mount}), schedule ${formatSchedule(result.schedule)}`;
  const lines: RunLine[] = [];
  const say = (text: string, bad = false): unknown => lines.push({ text, bad });
  say(renderCpuDiagram(storyOf(trace, { title, footer: '' })));
  say('');
  for (const [lane, answers] of Object.entries(tasks)) {
    for (const { line, ret, errno, data } of answers) {
      const answer = errno ?? `${ret}`;
      say(`${lane}: ${line} = ${answer}${data === undefined ? '' : `  ${shortHex(data)}`}`);
    }
  }
  if (trace.deadlock !== null) say(`no-deadlock: ${trace.deadlock.text}`, true);
  // A deadlock tells who waits, and a machine that a BUG_ON halted says so itself.
  else if (trace.unfinished.length > 0 && !findings.some(({ kind }) => kind === 'bug-on'))
    say(`no end: ${trace.unfinished.map((task) => trace.lanes[task]!).join(', ')} did not come to one`, true);
  for (const { kind, id, step, message } of findings) say(`step ${step}: ${kind} ${id}: ${message}`, true);
  for (const [path, { ino, size, blocks, inline, content }] of Object.entries(final.files)) {
    say(
      `${path}: ino ${ino}, ${size} bytes, ${blocks} sectors, ${inline ? 'inline' : 'blocks'}  ${shortHex(content)}`,
    );
  }
  say(`${trace.steps.length} steps, end state ${trace.digest}`);
  return lines;
}

const shortHex = (hex: string): string =>
  hex.length > 64 ? `${hex.slice(0, 64)}… (${hex.length / 2} bytes)` : hex;
