/**
 * An exhaustive search in parts, for as many machines. All parts walk the same first steps. Where schedules are `depth`
 * steps long the nodes are counted in the order in which the walk comes to them, and every part goes on from its own:
 *
 *   start ─┬─ … ─┬─▶ node 0 ─▶ …   part 1
 *          │     └─▶ node 1 ─▶ …   part 1      up to the cut a node is (state, steps taken): one state may be in two
 *          └─ … ───▶ node 2 ─▶ …   part 2
 *
 * Every schedule goes through one node of the cut, or ends before it: those are part 1's. So the parts have each schedule
 * once, and the cheapest schedule to any state is in one of them, whole. States they do not divide: behind two nodes may
 * stand the same state, and each part that comes there looks at it. That is what parts cost.
 */
import { hex64 } from '../state/flat.ts';

/** `index` from 1 to `count`. */
export interface Part {
  readonly index: number;
  readonly count: number;
}

/** Where a search is cut. The same for all its parts. */
export interface Cut {
  /** Steps from the start, at least 1. */
  readonly depth: number;
  readonly nodes: number;
  /** Of all nodes, hex. */
  readonly digest: string;
}

/** The range `[first, end)` of `total` things that a part has: together all, each once, in the order of the parts. */
export function rangeOf({ index, count }: Part, total: number): { first: number; end: number } {
  return {
    first: Math.floor(((index - 1) * total) / count),
    end: Math.floor((index * total) / count),
  };
}

/** Nodes of the cut for each part: the more, the evener the parts and the longer what all of them walk. */
const NODES_EACH = 256;
const FIRST_LIMIT = 16;

/** Nodes that stand at one depth. */
export interface Level {
  nodes: number;
  /** Sum of their fingerprints. */
  z1: number;
  z2: number;
}

/**
 * The first depth with nodes enough, else the one with the most.
 * @param levels  walks so many steps deep: by depth what stands there; null when that was cut short
 */
export function findCut({ count }: Part, levels: (limit: number) => readonly Level[] | null): Cut | null {
  for (let limit = FIRST_LIMIT; ; limit = Math.ceil(limit * 1.5)) {
    const found = levels(limit);
    if (found === null) return null;
    const sizes = found.map(({ nodes }, depth) => (depth === 0 ? 0 : nodes));
    const enough = sizes.findIndex((nodes) => nodes >= NODES_EACH * count);
    if (enough < 0 && found.length > limit) continue;
    const depth = Math.max(1, enough > 0 ? enough : sizes.indexOf(Math.max(...sizes)));
    const { nodes, z1, z2 } = found[depth] ?? { nodes: 0, z1: 0, z2: 0 };
    return { depth, nodes, digest: hex64(z1, z2) };
  }
}
