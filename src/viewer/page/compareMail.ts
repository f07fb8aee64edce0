/** Text for a mail: what the command line prints, to read and to copy. */
import type { Comparison } from '../comparison.ts';
import { mailTexts } from '../mailText.ts';
import { button, el } from './compareDom.ts';

export interface MailDialog {
  readonly root: HTMLDialogElement;
  /** Opens with the text of a design that fits a step. */
  open(run: number, title: string): void;
}

export function makeMail(comparison: Comparison, copied: (text: string) => void): MailDialog {
  const { runs } = comparison;
  const select = el('select', { 'aria-label': 'text' });
  const text = el('pre', { tabindex: 0, 'aria-label': 'the text' });
  const choices: { readonly run: number; readonly title: string; readonly text: string }[] = [];
  const root = el(
    'dialog.cmp-dialog',
    { 'aria-label': 'text for a mail' },
    el('h2', { text: 'Text for a mail' }),
    el('p', { text: 'Word for word what the command line prints; at most 75 columns.' }),
    select,
    text,
    el(
      'p',
      {},
      button('Copy', () => copied(text.textContent ?? '')),
      ' ',
      button('Close', () => root.close()),
    ),
  );
  select.addEventListener('change', () => {
    text.textContent = choices[select.selectedIndex]?.text ?? '';
  });
  return {
    root,
    open(run, title) {
      if (choices.length === 0) {
        runs.forEach((each, number) => {
          for (const mail of mailTexts(comparison, each)) choices.push({ run: number, ...mail });
        });
        select.replaceChildren(
          ...choices.map((each) => el('option', { text: `${runs[each.run]!.design.id}: ${each.title}` })),
        );
      }
      select.selectedIndex = choices.findIndex((each) => each.run === run && each.title === title);
      text.textContent = choices[select.selectedIndex]?.text ?? '';
      root.showModal();
    },
  };
}

/** Puts text on the clipboard; where the browser refuses, by way of a selection. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el('textarea', { class: 'cmp-unseen', 'aria-hidden': 'true' });
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}
