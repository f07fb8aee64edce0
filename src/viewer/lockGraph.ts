/**
 * The lock-order graph as a picture: classes in layers, an arrow from what was held to what was taken under it.
 *
 *     layer 0        layer 1          layer 2
 *     sb_writers ──▶ i_rwsem ──▶ mmap_lock
 *          ▲                          ┊            an edge that closes a cycle goes back, dashed
 *          └┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┘
 *
 * A class stands one layer behind the last that it is taken under; within a layer where its neighbours are on average.
 */

import { LOCK } from '../locks/lock.ts';
import { type LockEdge, type LockOrderData, lockCycles } from '../locks/lockdep.ts';

export interface GraphNode {
  readonly key: string;
  /** Short name: `xattr_sem`. */
  readonly name: string;
  readonly layer: number;
  /** Place within the layer, from the top. */
  readonly place: number;
  /** It is on a cycle. */
  readonly bad: boolean;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** On a cycle; `closes` marks the one edge that is against the order of the others. */
  readonly bad: boolean;
  readonly closes: boolean;
  /** Other edges lead there as well: it adds nothing to the order. */
  readonly implied: boolean;
  /** Who took what under what, in words. */
  readonly text: string;
}

export interface LockGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly layers: number;
  /** Longest layer. */
  readonly places: number;
  /** A sentence for each cycle. */
  readonly cycles: readonly string[];
}

export function lockGraph(order: LockOrderData): LockGraph {
  const cycles = lockCycles(order);
  const name = (edge: Pick<LockEdge, 'from' | 'to'>): string => `${edge.from}\n${edge.to}`;
  const closing = new Set(cycles.map(({ edge }) => name(edge)));
  const onCycle = cycles.flatMap(({ edge, path }) => [edge, ...path]);
  const bad = new Set(onCycle.map(name));
  const badKeys = new Set(onCycle.map(({ from }) => from));
  const forward = order.edges.filter((edge) => !closing.has(name(edge)) && edge.from !== edge.to);
  const used = new Set(order.edges.flatMap(({ from, to }) => [from, to]));
  const classes = order.classes
    .filter(({ key }) => used.has(key))
    .sort((a, b) => LOCK[a.lock].rank - LOCK[b.lock].rank || (a.key < b.key ? -1 : 1));
  const layerOf = layersOf(
    classes.map(({ key }) => key),
    forward,
  );
  const placeOf = placesIn(layerOf, forward);
  const nodes = classes.map(({ key, lock }): GraphNode => {
    const subclass = key.slice(key.lastIndexOf('/'));
    const dir = key.includes('i_mutex_dir') ? ' (dir)' : '';
    return {
      key,
      name: `${lock}${dir}${subclass.startsWith('/') ? subclass : ''}`,
      layer: layerOf.get(key)!,
      place: placeOf.get(key)!,
      bad: badKeys.has(key),
    };
  });
  const short = new Map(nodes.map((node) => [node.key, node.name]));
  return {
    nodes,
    edges: order.edges
      .filter(({ from, to }) => from !== to)
      .map((edge) => ({
        from: edge.from,
        to: edge.to,
        bad: bad.has(name(edge)),
        closes: closing.has(name(edge)),
        implied: !closing.has(name(edge)) && isImplied(edge, forward),
        text:
          `${short.get(edge.from)} is held when ${short.get(edge.to)} is taken: ${edge.next.task} in ` +
          `${edge.next.stack.at(-1)}`,
      })),
    layers: 1 + Math.max(-1, ...nodes.map(({ layer }) => layer)),
    places: 1 + Math.max(-1, ...nodes.map(({ place }) => place)),
    cycles: cycles.map(({ edge, path, lockdep }) => {
      const way = [edge.from, edge.to, ...path.map(({ to }) => to)].map((key) => short.get(key));
      return `${way.join(' → ')}${lockdep ? '' : ' (lockdep does not follow all of these)'}`;
    }),
  };
}

/** Is there a way of two or more edges from its lock to the other? */
function isImplied(
  { from, to }: Pick<LockEdge, 'from' | 'to'>,
  edges: readonly Pick<LockEdge, 'from' | 'to'>[],
): boolean {
  const seen = new Set<string>();
  const todo = edges.filter((edge) => edge.from === from && edge.to !== to).map((edge) => edge.to);
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (at === to) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    for (const edge of edges) if (edge.from === at) todo.push(edge.to);
  }
  return false;
}

/** Longest way from a class that nothing is held under. `keys` in documented order, for what is left of a cycle. */
function layersOf(
  keys: readonly string[],
  edges: readonly Pick<LockEdge, 'from' | 'to'>[],
): Map<string, number> {
  const layers = new Map<string, number>();
  const open = new Set<string>();
  const layer = (key: string): number => {
    const known = layers.get(key);
    if (known !== undefined) return known;
    if (open.has(key)) return 0;
    open.add(key);
    const before = edges.filter(({ to }) => to === key).map(({ from }) => 1 + layer(from));
    open.delete(key);
    const own = Math.max(0, ...before);
    layers.set(key, own);
    return own;
  };
  for (const key of keys) layer(key);
  return layers;
}

/** One pass from the left: each class beside the mean of those it is taken under. */
function placesIn(
  layerOf: ReadonlyMap<string, number>,
  edges: readonly Pick<LockEdge, 'from' | 'to'>[],
): Map<string, number> {
  const places = new Map<string, number>();
  const layers = Math.max(-1, ...layerOf.values()) + 1;
  for (let layer = 0; layer < layers; layer++) {
    const mean = (key: string): number => {
      const before = edges.flatMap(({ from, to }) => (to === key ? [places.get(from) ?? 0] : []));
      return before.length === 0 ? 0 : before.reduce((sum, each) => sum + each, 0) / before.length;
    };
    [...layerOf]
      .filter(([, each]) => each === layer)
      .map(([key]) => ({ key, mean: mean(key) }))
      .sort((a, b) => a.mean - b.mean)
      .forEach(({ key }, place) => {
        places.set(key, place);
      });
  }
  return places;
}
