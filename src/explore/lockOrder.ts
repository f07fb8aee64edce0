/**
 * lockdep over all schedules that a search has seen, from the automaton that it left behind: every place a task came
 * to, with every set of locks it can have held there, is visited once. Nothing is done while the search runs but to
 * keep what steps say of locks, once per footprint.
 *
 *   (node, held) ── lock ──▶ (next, held + lock)       an edge of the class graph for what is held
 *                ── step ──▶ (next, held ± effects)    jbd2_handle, fs_reclaim, leaf sections, might_fault
 *
 * A node forgets what its finished callees did, so two ways to it may hold different locks: both are followed, with
 * everything that any task did from there. A task that leaked a lock and one that did not are told apart only until
 * they return to user space, where the leak is a finding of its own and is forgotten, as the kernel does.
 */
import type { LockRef } from '../locks/lock.ts';
import {
  type Hold,
  holdOf,
  LockOrder,
  type LockOrderData,
  type LockSite,
  RETURN_TO_USER,
} from '../locks/lockdep.ts';
import type { Request } from '../task.ts';
import { type Automaton, type Frame, following, type Node } from './automaton.ts';

export function lockOrderOf(automaton: Automaton): LockOrderData {
  const order = new LockOrder();
  const sites = new Map<Frame, LockSite>();
  const siteOf = (node: Node): LockSite => {
    const known = sites.get(node.frame);
    if (known !== undefined) return known;
    const site = { task: automaton.names[node.task]!, pid: node.task + 1, stack: automaton.stack(node) };
    sites.set(node.frame, site);
    return site;
  };
  const seen = new Map<Node, Set<string>>();
  const todo: { readonly node: Node; readonly held: readonly Hold[] }[] = [];
  const go = (node: Node, all: readonly Hold[]): void => {
    const held = twiceAtMost(all);
    const name = held.map((each) => `${each.key} ${each.instance} ${each.read} ${each.trylock}`).join();
    let names = seen.get(node);
    if (names === undefined) {
      names = new Set();
      seen.set(node, names);
    }
    if (names.has(name)) return;
    names.add(name);
    todo.push({ node, held });
  };
  for (const root of automaton.roots) go(root, []);
  for (let place = todo.pop(); place !== undefined; place = todo.pop()) {
    const { node, held } = place;
    const { request } = node;
    if (request === null) continue;
    const site = siteOf(node);
    if (request.kind === 'lock') {
      const after = order.acquire(held, asked(request, site));
      for (const next of following(node)) go(next, after);
    } else if (request.kind === 'trylock') {
      const got = node.primitives?.get(true);
      if (got !== undefined) go(got, order.acquire(held, asked(request, site)));
      const missed = node.primitives?.get(false);
      if (missed !== undefined) go(missed, held);
    } else if (request.kind === 'unlock') {
      const after = order.release(held, asked(request, site));
      for (const next of following(node)) go(next, after);
    } else {
      const start = request.label === RETURN_TO_USER ? order.leave(held, site) : held;
      if (request.kind === 'wait') {
        for (const bit of request.awaits) order.wait(start, waited(bit, site));
        if (request.lock === null) order.mayWait(start, request.label, site);
      }
      for (const { next, effects } of node.moves ?? []) {
        let now = start;
        for (const effect of effects) {
          const hold = holdOf(effect, site);
          if (effect.type === 'acquire') now = order.acquire(now, hold);
          else if (effect.type === 'release') now = order.release(now, hold);
        }
        go(next, now);
      }
    }
  }
  return order.data;
}

/** A lock that every turn of a loop leaks is held once more each time: a third time says nothing new. */
function twiceAtMost(held: readonly Hold[]): readonly Hold[] {
  if (held.length < 3) return held;
  const isSame = (a: Hold, b: Hold): boolean => a.key === b.key && a.instance === b.instance;
  const kept = held.filter((hold, i) => held.slice(0, i).filter((each) => isSame(each, hold)).length < 2);
  return kept.length === held.length ? held : kept;
}

const waited = (ref: LockRef, { task, pid, stack }: LockSite): Hold => ({
  task,
  pid,
  stack,
  lock: ref.class.id as Hold['lock'],
  key: ref.key,
  instance: ref.index === 0 ? `${ref.instance}` : `${ref.instance}:${ref.index}`,
  read: 0,
  trylock: false,
});

function asked(request: Request<unknown>, site: LockSite): Hold {
  return {
    ...waited(request.lock!, site),
    read: request.mode === 'shared' ? 1 : 0,
    trylock: request.kind === 'trylock',
  };
}
