/**
 * The findings as links of the page: `src/viewer/findings.ts`, from the headings and the generated stories of
 * docs/findings.md. A test compares; run `npx tsx scripts/page/gallery.ts` after changing that page.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FindingLink } from '../../src/viewer/findings.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

export const GALLERY_FILE: string = path('src/viewer/findings.ts');

/** The text of the file. */
export function galleryText(markdown: string = readFileSync(path('docs/findings.md'), 'utf8')): string {
  const sections = markdown.split(/^## /m).slice(1);
  const findings = sections.flatMap((section) => {
    const head = /^(\d+)\. (.*)\n/.exec(section);
    if (head === null) return [];
    const body = section.slice(head[0].length).trimStart();
    const text = body.startsWith('<!--') ? '' : body.split('\n\n')[0]!.replaceAll('\n', ' ');
    return [{ number: Number(head[1]), title: plain(head[2]!), text: plain(text), links: linksOf(section) }];
  });
  return `/** The findings, each with the cells that show it. Made of docs/findings.md by scripts/page/gallery.ts. */

export interface FindingLink {
  readonly scenario: string;
  readonly design: string;
  readonly mount: string;
  /** The invariant; null: the cell as it is. */
  readonly broken: string | null;
  /** When power fails. */
  readonly power: boolean;
}

export interface Finding {
  readonly number: number;
  readonly title: string;
  /** Its first paragraph. */
  readonly text: string;
  readonly links: readonly FindingLink[];
}

export const FINDINGS: readonly Finding[] = ${JSON.stringify(findings, null, 2)};
`;
}

const plain = (text: string): string =>
  text
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*\\]/g, '')
    .trim();

function linksOf(section: string): FindingLink[] {
  const links: FindingLink[] = [];
  const add = (
    scenario: string,
    design: string,
    mount: string,
    broken: string | null,
    power: boolean,
  ): void => {
    const link = { scenario, design, mount, broken, power };
    if (!links.some((each) => JSON.stringify(each) === JSON.stringify(link))) links.push(link);
  };
  for (const [, words] of section.matchAll(/<!-- generated: ([^>]*?) -->/g)) {
    const [name, ...args] = words!.split(' ');
    if (name === 'token' || name === 'story' || name === 'crash') {
      const [scenario, design, mount, ...invariants] = args;
      for (const invariant of invariants) add(scenario!, design!, mount!, invariant, name === 'crash');
    }
    if (name === 'verdict') {
      for (const arg of args) {
        const match = /^([^:]+):([^@]+)@(.+)$/.exec(arg);
        if (match !== null) add(match[1]!, match[2]!, match[3]!, null, false);
      }
    }
  }
  return links;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(GALLERY_FILE, galleryText());
