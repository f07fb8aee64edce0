/** Links that a mail carries whole; what is longer goes as a file. */
import { announceFirmly, copyText, download, h } from './dom.ts';

/** Longer links are cut by some mail clients and trackers. */
export const LINK_MAX = 2000;

/**
 * @param hash   the place, with its `#`
 * @param instead  what is offered as a file where the link is too long
 */
export async function shareLink(
  hash: string,
  instead: { readonly name: string; readonly text: string },
): Promise<void> {
  const link = new URL(hash, location.href).href;
  if (link.length <= LINK_MAX) {
    await copyText(link, `link of ${link.length} characters`);
    return;
  }
  announceFirmly(
    `The link would have ${link.length} characters, more than the ${LINK_MAX} that mails and trackers keep whole. `,
    h('button', { type: 'button', onclick: () => download(instead.name, instead.text) }, 'Download as file'),
  );
}
