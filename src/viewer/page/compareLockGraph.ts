/** The lock-order graph as a picture: held above taken, cycles red and dashed, and the cycles in words. */
import type { LockOrderData } from '../../locks/lockdep.ts';
import { type GraphEdge, type GraphNode, lockGraph } from '../lockGraph.ts';
import { el, svg } from './compareDom.ts';

const NODE = { width: 138, height: 24 };
const GAP = { x: 16, y: 26 };
/** Room beside the nodes for edges that go back or past a layer. */
const SIDE = 60;

export function lockGraphPicture(order: LockOrderData, title: string): HTMLElement {
  const graph = lockGraph(order);
  if (graph.nodes.length === 0) return el('p.cmp-dim', { text: 'no lock is taken under another' });
  const width = graph.places * (NODE.width + GAP.x) + 2 * SIDE;
  const height = graph.layers * (NODE.height + GAP.y) + GAP.y;
  const x = (node: GraphNode): number => SIDE + node.place * (NODE.width + GAP.x);
  const y = (node: GraphNode): number => GAP.y / 2 + node.layer * (NODE.height + GAP.y);
  const byKey = new Map(graph.nodes.map((node) => [node.key, node]));

  const path = (edge: GraphEdge): SVGElement => {
    const [from, to] = [byKey.get(edge.from)!, byKey.get(edge.to)!];
    const centre = NODE.width / 2;
    const down = to.layer > from.layer;
    const [x1, y1] = [x(from) + centre, y(from) + (down ? NODE.height : 0)];
    const [x2, y2] = [x(to) + centre, y(to) + (down ? 0 : NODE.height)];
    const past = to.layer - from.layer;
    // An edge to the next layer goes straight; one past a layer, or back, swings out beside the nodes.
    const swing = past === 1 ? 0 : down ? -centre - 6 * Math.min(past, 6) : centre + 30;
    const bend = Math.abs(y2 - y1) / 3;
    const d = down
      ? `M${x1},${y1} C${x1 + swing},${y1 + bend} ${x2 + swing},${y2 - bend} ${x2},${y2}`
      : `M${x1},${y1} C${x1 + swing},${y1 - bend} ${x2 + swing},${y2 + bend} ${x2},${y2}`;
    return svg(
      'path',
      {
        d,
        class: `cmp-edge${edge.bad ? ' cmp-edge-bad' : ''}${edge.closes ? ' cmp-edge-closes' : ''}${isFaint(edge) ? ' cmp-edge-implied' : ''}`,
        ...(isFaint(edge) ? {} : { 'marker-end': `url(#${edge.bad ? 'cmp-arrow-bad' : 'cmp-arrow'})` }),
      },
      svg('title', {}, edge.text),
    );
  };

  const picture = svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': `${title}, as a graph` },
    svg('defs', {}, arrow('cmp-arrow', 'cmp-arrow-head'), arrow('cmp-arrow-bad', 'cmp-arrow-head-bad')),
    ...[...graph.edges].sort((a, b) => weight(a) - weight(b)).map(path),
    ...graph.nodes.map((node) =>
      svg(
        'g',
        { class: node.bad ? 'cmp-node cmp-node-bad' : 'cmp-node' },
        svg('title', {}, node.key),
        svg('rect', { x: x(node), y: y(node), width: NODE.width, height: NODE.height, rx: 4 }),
        svg('text', { x: x(node) + NODE.width / 2, y: y(node) + 16, 'text-anchor': 'middle' }, node.name),
      ),
    ),
  );
  return el(
    'div',
    {},
    ...(graph.cycles.length === 0
      ? [el('p', { text: '✓ no cycle' })]
      : graph.cycles.map((cycle) => el('p.cmp-broken', { text: `✗ cycle: ${cycle}` }))),
    el('div.cmp-scroll-x', { tabindex: 0, role: 'group', 'aria-label': title }, picture),
    el(
      'details',
      {},
      el('summary', { text: 'as text' }),
      el('ul', {}, ...graph.edges.map(({ text, bad }) => el('li', { text: `${bad ? '✗ ' : ''}${text}` }))),
    ),
  );
}

/** What other edges imply already is only hinted at. */
const isFaint = ({ implied, bad }: GraphEdge): boolean => implied && !bad;
/** Drawn later, on top. */
const weight = (edge: GraphEdge): number => (edge.bad ? 2 : isFaint(edge) ? 0 : 1);

const arrow = (id: string, kind: string): SVGElement =>
  svg(
    'marker',
    { id, viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' },
    svg('path', { d: 'M0,0 L8,4 L0,8 z', class: kind }),
  );
