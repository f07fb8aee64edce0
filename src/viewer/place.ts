/**
 * A place in a lane, named so that another design's run can come to the same one: the scenario line, the innermost
 * kernel function, the step's label, and how often that was there before.
 */
import { RETURN_TO_USER } from '../locks/lockdep.ts';

/** What names a step: a `Transaction`, or a `StepInfo` of one that is about to be taken. */
export interface Step {
  readonly task: number;
  readonly label: string;
  readonly stack: readonly string[];
}

export interface Place {
  readonly task: number;
  /** Scenario lines that the lane has finished. */
  readonly line: number;
  /** Names the place; different places of one run have different keys. */
  readonly key: string;
}

/** Names the places of one run, in the order in which it comes to them. */
export class Places {
  readonly #lines: number[] = [];
  readonly #seen = new Map<string, number>();

  /** The place of the step that a task would take next. */
  next({ task, label, stack }: Step): Place {
    const line = this.#lines[task] ?? 0;
    const what = this.#what(task, line, label, stack);
    return { task, line, key: `${what}#${this.#seen.get(what) ?? 0}` };
  }

  /** The same, and the step is taken. */
  take(step: Step): Place {
    const place = this.next(step);
    const what = this.#what(step.task, place.line, step.label, step.stack);
    this.#seen.set(what, (this.#seen.get(what) ?? 0) + 1);
    if (step.label === RETURN_TO_USER) this.#lines[step.task] = place.line + 1;
    return place;
  }

  #what(task: number, line: number, label: string, stack: readonly string[]): string {
    return `${task}\n${line}\n${stack.length > 1 ? stack.at(-1) : ''}\n${label}`;
  }
}

export function placesOf(steps: readonly Step[]): Place[] {
  const places = new Places();
  return steps.map((step) => places.take(step));
}
