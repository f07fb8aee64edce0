/**
 * What the rows of a comparison say, and which of them are folded away.
 *
 * A step's cell reads like the CPU diagram: the scenario line that begins there, the kernel functions that were entered
 * since the lane's last row, the step under them, what it changed, what it broke. Steps that the diagram leaves out are
 * quiet; a run of rows that are quiet in every design is folded into one.
 */
import { RETURN_TO_USER } from '../locks/lockdep.ts';
import { contendedLocks, tellStep } from '../report/story.ts';
import type { Comparison, DesignRun, Mark } from './comparison.ts';

export interface Cell {
  readonly step: number;
  readonly task: number;
  /** The scenario line, when it begins here. */
  readonly line: string | null;
  /** Functions entered since the lane's last row, outermost first. */
  readonly calls: readonly string[];
  /** Open functions under the line. */
  readonly depth: number;
  readonly label: string;
  readonly facts: readonly string[];
  readonly marks: readonly Mark[];
}

/** A row with what stands in it, or quiet rows that are folded: `from` to `to`, both included. */
export type Item =
  | {
      readonly kind: 'row';
      readonly row: number;
      readonly cells: readonly (Cell | null)[];
      /** Lines of text that it needs: each part of a cell stands at one height in all designs. */
      readonly parts: { line: boolean; calls: boolean; facts: boolean; marks: number };
    }
  | { readonly kind: 'fold'; readonly from: number; readonly to: number };

/** Lines of text that an item takes. */
export function linesOf(item: Item): number {
  if (item.kind === 'fold') return 1;
  const { line, calls, facts, marks } = item.parts;
  return 1 + Number(line) + Number(calls) + Number(facts) + marks;
}

/** Fewer quiet rows than this are shown. */
const FOLD_MIN = 3;

/** What the cells of a run say, told once. */
export interface Told {
  readonly quiet: boolean;
  readonly facts: readonly string[];
}

export function tellRun({ result, steps, marks }: DesignRun): Told[] {
  const contended = contendedLocks(steps, result.trace.deadlock?.waits ?? []);
  const marked = new Set(marks.map(({ step }) => step));
  return steps.map((step, at) => {
    const said = tellStep(step, contended);
    const answers = step.effects.flatMap((effect) =>
      effect.type === 'result' ? [`= ${effect.result.errno ?? effect.result.ret ?? 0}`] : [],
    );
    const failed = answers.length > 0 && step.effects.some((e) => e.type === 'result' && e.result.errno);
    const notes = step.effects.flatMap((effect) => (effect.type === 'note' ? [effect.text] : []));
    const facts = (said?.facts ?? []).filter((fact) => !fact.startsWith('finding: '));
    return {
      quiet: said === null && !marked.has(at) && !failed && at !== steps.length - 1,
      facts: [...new Set([...facts, ...notes, ...answers])],
    };
  });
}

/**
 * @param told  of each run
 * @param fold  fold quiet rows
 * @param open  rows that are shown although they are quiet
 */
export function itemsOf(
  { runs, rows }: Comparison,
  told: readonly (readonly Told[])[],
  fold: boolean,
  open: ReadonlySet<number> = new Set(),
): Item[] {
  const items: Item[] = [];
  /** Of each run and lane, the line and the functions under which its last row stands. */
  const last = runs.map(() => new Map<number, { line: number; stack: readonly string[] }>());
  const marksOf = runs.map(({ marks }) => {
    const byStep = new Map<number, Mark[]>();
    for (const mark of marks) byStep.set(mark.step, [...(byStep.get(mark.step) ?? []), mark]);
    return byStep;
  });
  const isQuiet = (row: number): boolean =>
    fold && !open.has(row) && rows[row]!.every((step, run) => step === null || told[run]![step]!.quiet);
  for (let row = 0; row < rows.length; ) {
    let to = row;
    while (to < rows.length && isQuiet(to)) to++;
    if (to - row >= FOLD_MIN) {
      items.push({ kind: 'fold', from: row, to: to - 1 });
      row = to;
      continue;
    }
    const parts = { line: false, calls: false, facts: false, marks: 0 };
    const cells = rows[row]!.map((step, run) => {
      if (step === null) return null;
      const cell = cellOf(
        runs[run]!,
        step,
        told[run]![step]!.facts,
        marksOf[run]!.get(step) ?? [],
        last[run]!,
      );
      parts.line ||= cell.line !== null;
      parts.calls ||= cell.calls.length > 0;
      parts.facts ||= cell.facts.length > 0;
      parts.marks = Math.max(parts.marks, cell.marks.length);
      return cell;
    });
    items.push({ kind: 'row', row, cells, parts });
    row++;
  }
  return items;
}

function cellOf(
  run: DesignRun,
  step: number,
  facts: readonly string[],
  marks: readonly Mark[],
  last: Map<number, { line: number; stack: readonly string[] }>,
): Cell {
  const { task, stack, label } = run.steps[step]!;
  const { line } = run.places[step]!;
  const [text = '', ...functions] = stack;
  const before = last.get(task);
  const same = before !== undefined && before.line === line ? before.stack : null;
  let shared = 0;
  while (same !== null && shared < functions.length && functions[shared] === same[shared]) shared++;
  const calls = functions.slice(shared);
  // A step named after its function needs no line above it that says the same.
  if (calls.at(-1) === label) calls.pop();
  last.set(task, { line, stack: functions });
  const isReturn = label === RETURN_TO_USER;
  return {
    step,
    task,
    line: same === null ? text : null,
    calls,
    depth: functions.length,
    label: isReturn ? `${label} ${facts.join(', ')}`.trimEnd() : label,
    facts: isReturn ? [] : facts,
    marks,
  };
}
