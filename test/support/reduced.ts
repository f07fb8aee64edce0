/** What a search over a bundled case finds, in the form in which the reduced search must find it too. */
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { INVARIANTS } from '../../src/invariants/index.ts';
import { startSession } from '../../src/scenario/session.ts';
import type { Case } from './scenarios.ts';

interface FoundThere {
  readonly complete: boolean;
  readonly broken: readonly string[];
  readonly endStates: readonly string[];
  readonly halted: boolean;
  readonly reached: readonly string[];
}

function found({ scenario, image, design, mount }: Case, reduce: boolean): FoundThere {
  const { k, world, specs } = startSession(scenario, image, design, mount);
  k.reached.clear();
  const result = exhaustive({ k, world, specs, invariants: INVARIANTS }, { graph: false, reduce });
  return {
    complete: result.complete,
    broken: result.found.map(({ invariant }) => invariant),
    endStates: result.endStates,
    halted: result.halted > 0,
    reached: [...k.reached].sort(),
  };
}

export const foundWhole = (each: Case): FoundThere => found(each, false);
export const foundReduced = (each: Case): FoundThere => found(each, true);
