/** What a power failure at the end of a run leaves: lost writes, recovered files, broken promises. */
import { lostLines } from '../../report/crashText.ts';
import type { DesignRun } from '../comparison.ts';
import { el } from './compareDom.ts';

export function powerPanel({ design, crash, token }: DesignRun): HTMLElement {
  const root = el('div', { role: 'group', 'aria-label': design.id });
  if (crash === null) return root;
  const { medium, media, end } = crash;
  const which = media === 1 ? 'the only one there can be' : `number ${medium} of 0 to ${media - 1}`;
  root.append(
    el('p', { text: `After step ${end.steps - 1}. The medium: ${which}.` }),
    el('pre', { text: lostLines(end.lost).join('\n') }),
    ...(end.broken.length === 0
      ? [el('p', { text: '✓ every promise is kept' })]
      : end.broken.map(([id, message]) => el('p.cmp-broken', { text: `✗ ${id}: ${message}` }))),
    el(
      'ul.cmp-invariants',
      { 'aria-label': 'recovered files' },
      ...end.files.map(({ path, ino, size, content }) =>
        el('li', {}, `${path} inode ${ino}, ${size} bytes `, el('code', { text: content })),
      ),
    ),
    el('p.cmp-dim', {}, 'replay ', el('code', { text: token })),
  );
  return root;
}
