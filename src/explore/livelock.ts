/**
 * Livelock: a state from which no schedule comes to an end, though somebody can always run. It takes tasks that spin
 * (`loop`), as a fault does that is retried until a trylock succeeds; where another task can still let the lock go,
 * some schedule ends, and it is none. Read off the state graph: a search that outgrew its graph says nothing.
 */
import { shortest } from './counterexample.ts';
import type { Graph } from './graph.ts';
import { StateSet } from './visited.ts';
import type { Walk } from './walk.ts';

/** Who goes round, and where; null when an end can be reached from every state. */
export function livelock(walk: Walk, graph: Graph): string | null {
  const lost = withoutEnd(graph);
  const path = lost === null ? null : shortest(graph, lost);
  return path === null ? null : walk.search(() => spinning(walk, path));
}

/** States that lead to no end; null when there are none. */
function withoutEnd(graph: Graph): StateSet | null {
  const ends = new Uint8Array(graph.size);
  for (let isNew = true; isNew; ) {
    isNew = false;
    // A state has a higher number than the one it was first reached from: most of them are done in one round.
    for (let node = graph.size - 1; node >= 0; node--) {
      if (ends[node] === 1) continue;
      let can = graph.enabled(node);
      const isEnd = can === 0;
      while (can !== 0 && ends[graph.next(node, lowest(can))] !== 1) can &= can - 1;
      if (!isEnd && can === 0) continue;
      ends[node] = 1;
      isNew = true;
    }
  }
  if (!ends.includes(0)) return null;
  const lost = new StateSet();
  ends.forEach((has, node) => {
    if (has === 0) lost.add(node);
  });
  return lost;
}

const lowest = (tasks: number): number => 31 - Math.clz32(tasks & -tasks);

/** Goes on from the end of `path`, the lowest task first, until it has been there before; the lock that is tried meanwhile. */
function spinning(walk: Walk, path: readonly number[]): string {
  for (const task of path) walk.step(task);
  const seen = new Set<string>();
  let where = '';
  for (let place = walk.exactKey(); !seen.has(place); place = walk.exactKey()) {
    seen.add(place);
    const task = lowest(walk.runnable());
    if (where === '' || walk.at[task]!.request?.kind === 'trylock') where = walk.where(task);
    walk.step(task);
  }
  return where;
}
