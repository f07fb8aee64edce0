/** Keys and signs of the compare view. */
import { CHIPS } from '../chips.ts';
import { button, el } from './compareDom.ts';

export const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ['↓ j', 'next row'],
  ['↑ k', 'row before'],
  ['PageDown PageUp', 'ten rows on, ten back'],
  ['Home End', 'first row, last row'],
  ['n', 'next row in which something breaks'],
  ['p', 'the one before'],
  ['g', 'go to a row by its number'],
  ['Enter', 'on folded rows: show them'],
  ['f', 'fold quiet steps, or show them all'],
  ['l', 'which locks have a bar'],
  ['b', 'to the bytes of the inode; arrows choose one, Escape comes back'],
  ['c', 'copy the story as mail text'],
  ['m', 'all texts for a mail'],
  ['?', 'this'],
];

export function makeHelp(): HTMLDialogElement {
  const root: HTMLDialogElement = el(
    'dialog.cmp-dialog',
    { 'aria-label': 'keys and signs' },
    el('h2', { text: 'Keys' }),
    el(
      'dl.cmp-keys',
      {},
      ...KEYS.flatMap(([keys, does]) => [
        el('dt', {}, ...keys.split(' ').map((key) => el('kbd', { text: key }))),
        el('dd', { text: does }),
      ]),
    ),
    el('h2', { text: 'Signs' }),
    signs(),
    el(
      'p',
      {},
      button('Close', () => root.close()),
    ),
  );
  return root;
}

/** What stands in the grid, in words. */
export function signs(): HTMLElement {
  return el(
    'ul.cmp-signs',
    {},
    el(
      'li',
      {},
      el('b', { text: 'A  a  A?' }),
      ' in a lock’s column: lane A holds it exclusively, shared, or waits in its queue',
    ),
    el(
      'li',
      {},
      ...CHIPS.flatMap(([letter, word], at) => [at > 0 ? ', ' : '', el('b', { text: letter }), ` ${word}`]),
      ': the folio; outlined what this step changed',
    ),
    el('li', {}, el('b', { text: '✗' }), ' something breaks: a BUG_ON, a warning, an invariant'),
    el(
      'li',
      {},
      el('b', { text: '│' }),
      ' what the step changed; ',
      el('b', { text: 'f › g ›' }),
      ' kernel functions that were entered',
    ),
    el(
      'li',
      {},
      el('b', { text: 'hatched' }),
      ' the design has no such step; its locks and its folio stay as they were',
    ),
    el(
      'li',
      {},
      el('b', { text: '⋯' }),
      ' quiet steps: no field that a reader cares about, no lock that two lanes want',
    ),
  );
}
