/**
 * The page as one file: style, report and script inline. A browser that opens it asks nobody for anything; the policy
 * in its head forbids it to.
 *
 *     <script type="application/json" id="report">   what was raced: `report.ts`
 *     <script id="machine">                          the page, and the lab; a worker is made of the same text
 */

export interface PageBundle {
  readonly script: string;
  readonly style: string;
}

/** Ids that the page finds its parts by. */
export const REPORT_ID = 'report';
export const MACHINE_ID = 'machine';

/** Inline scripts and styles, a worker made from a Blob, and nothing that is fetched. */
const POLICY = [
  "default-src 'none'",
  "script-src 'unsafe-inline' blob:",
  "style-src 'unsafe-inline'",
  'worker-src blob:',
  'img-src data:',
  "form-action 'none'",
  "base-uri 'none'",
].join('; ');

/**
 * @param title   of the window
 * @param report  anything that JSON can carry
 */
export function pageHtml(title: string, report: unknown, { script, style }: PageBundle): string {
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    '<link rel="icon" href="data:,">',
    `<title>${escapeText(title)}</title>`,
    `<style>${style.replaceAll(/<(?=\/style)/gi, '\\3c ')}</style>`,
    '</head>',
    '<body>',
    '<div id="app"><noscript>This page computes what it shows, and needs JavaScript for it.</noscript></div>',
    `<script type="application/json" id="${REPORT_ID}">${inlineJson(report)}</script>`,
    `<script id="${MACHINE_ID}">${inlineScript(script)}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

/** JSON that no HTML parser takes for a tag. */
export function inlineJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** A script may not say what ends it or begins a comment; inside a string or a pattern `\x3c` is the same. */
export function inlineScript(script: string): string {
  return script.replaceAll(/<(?=\/script|!--)/gi, '\\x3c');
}

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
