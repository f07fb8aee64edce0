/**
 * The ops of a scenario as an automaton, to read while writing its Promela mirror: every place a task can come to
 * in any schedule, the step that waits there, and where its results lead.
 *
 *   tsx bench/mirror/dump.ts reclaim-beside-write mkwrite-convert nodelalloc
 */
import { pathToFileURL } from 'node:url';
import type { Node } from '../../src/explore/automaton.ts';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import type { Subject } from '../../src/explore/subject.ts';
import { Walk } from '../../src/explore/walk.ts';
import { scenarioSession } from '../scenarios.ts';

/** Lines of text: per task, its places in the order in which a depth-first search meets them. */
export function dump(subject: Subject): string[] {
  const walk = new Walk(subject);
  exhaustive(subject, { graph: false }, walk);
  const lines: string[] = [];
  walk.automaton.roots.forEach((root, task) => {
    lines.push(`== ${walk.automaton.names[task]}`);
    const numbers = new Map<Node, number>();
    const pending: Node[] = [root];
    const number = (node: Node): number => {
      if (!numbers.has(node)) {
        numbers.set(node, numbers.size);
        pending.push(node);
      }
      return numbers.get(node)!;
    };
    numbers.set(root, 0);
    while (pending.length > 0) {
      const node = pending.pop()!;
      const here = numbers.get(node)!;
      if (node.request === null) {
        lines.push(`${here}  finished`);
        continue;
      }
      const { kind, label } = node.request;
      const edges = childrenOf(node).map(([value, next]) => `${show(value)}→${number(next)}`);
      lines.push(
        `${here}  [${walk.automaton.stack(node).join(' > ')}] ${kind} '${label}'  ${edges.join('  ')}`,
      );
    }
  });
  return lines;
}

function childrenOf(node: Node): [unknown, Node][] {
  return [
    ...(node.primitives ?? []),
    ...[...(node.bytes ?? [])].map(([id, next]): [unknown, Node] => [`bytes ${id}`, next]),
    ...(node.objects ?? []).map(({ value, node: next }): [unknown, Node] => [value, next]),
  ];
}

const show = (value: unknown): string => (value === undefined ? '' : JSON.stringify(value));

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , scenario = '', design = '', mount = ''] = process.argv;
  const { session } = scenarioSession(scenario, design, mount);
  process.stdout.write(
    `${dump({ k: session.k, world: session.world, specs: session.specs, invariants: [] }).join('\n')}\n`,
  );
}
