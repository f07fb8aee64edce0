/**
 * Which kernel function is where, from the `@source` lines of the comments, and what is left out, from the headers of
 * the files. A line names a file once and then its functions: `fs/ext4/inode.c ext4_map_blocks, ext4_map_query_blocks`.
 */
import { functionsOf, headerOf, type SourceFile, sourceFiles } from './source.ts';

/** The kernel whose source was read. */
export const KERNEL_READ = '6.12';

export interface Source {
  /** `fs/ext4/inode.c` */
  readonly kernelFile: string;
  /** `ext4_map_blocks`, or words where no function is named. */
  readonly what: string;
  /** `balloc/mapBlocks.ts` */
  readonly file: string;
  /** Our name; empty where the comment stands above something that is no function. */
  readonly name: string;
}

const KERNEL_FILE = /^((?:fs|mm|include|kernel|lib)\/[\w./-]+\.[ch])\s*(.*)$/;

/** Every place of src that says where in the kernel it comes from. */
export function sources(): Source[] {
  return sourceFiles().flatMap((file) => sourcesOf(file));
}

function sourcesOf(file: SourceFile): Source[] {
  const { text } = file;
  const places = functionsOf(file);
  const found: Source[] = [];
  for (const match of text.matchAll(/@source\s+((?:(?!\*\/|@|\n\s*\n|\n \* ?\n)[^\n]|\n \*\s+(?!@))*)/g)) {
    const words = match[1]!.replaceAll(/\n \*\s+/g, ' ').trim();
    const name = declaredAfter(text, match.index + match[0].length, places);
    let kernelFile = '';
    for (const part of words.split(/[;,]\s*(?![^(]*\))/)) {
      const named = KERNEL_FILE.exec(part.trim());
      if (named !== null) kernelFile = named[1]!;
      if (kernelFile === '') continue;
      const what = (named === null ? part : named[2]!).trim().replace(/\.$/, '');
      found.push({ kernelFile, what, file: file.name, name });
    }
  }
  return found;
}

/** What the comment stands above: a function, a constant, a field. */
function declaredAfter(text: string, at: number, places: ReturnType<typeof functionsOf>): string {
  const rest = text.slice(at);
  const match =
    /^[^\n]*?(?:\*\/)?\s*(?:(?:export|async|const|function\*?|interface|type|class)\s+)*\*?(\w+)/.exec(
      rest.replace(/^(?:(?!\*\/)[\s\S])*\*\//, ''),
    );
  const name = match?.[1] ?? '';
  return places.some((place) => place.name === name) || /^[a-zA-Z]\w*$/.test(name) ? name : '';
}

export interface LeftOut {
  readonly file: string;
  readonly what: string;
}

/** What files say they leave out, in the words of their headers. */
export function leftOut(): LeftOut[] {
  return sourceFiles().flatMap(({ name, text }) =>
    headerOf(text).flatMap((paragraph) => {
      const match = /(?:Not modelled|Unmodelled|Not modelled here): ?(.*)$/.exec(paragraph);
      return match === null ? [] : [{ file: name, what: match[1]!.replace(/\.$/, '') }];
    }),
  );
}

/** Kernel files with fewer functions here than this have no row in the README. */
const ROW_MIN = 4;
/** Our files named in a row. */
const ROW_FILES = 3;

/** One row a kernel file: how many of its functions are here, and where most of them are. */
export function fidelityTable(): string {
  const rows = new Map<string, { functions: Set<string>; files: Map<string, number> }>();
  for (const { kernelFile, what, file } of sources()) {
    const row = rows.get(kernelFile) ?? { functions: new Set(), files: new Map() };
    if (/^\w+$/.test(what)) row.functions.add(what);
    row.files.set(file, (row.files.get(file) ?? 0) + 1);
    rows.set(kernelFile, row);
  }
  const shown = [...rows]
    .filter(([, { functions }]) => functions.size >= ROW_MIN)
    .sort(([a, x], [b, y]) => y.functions.size - x.functions.size || (a < b ? -1 : 1));
  const lines = [`| Linux ${KERNEL_READ} | functions and tables | mostly in src/ |`, '| --- | --- | --- |'];
  for (const [kernelFile, { functions, files }] of shown) {
    const most = [...files].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, ROW_FILES);
    lines.push(`| ${kernelFile} | ${functions.size} | ${most.map(([file]) => file).join(', ')} |`);
  }
  return lines.join('\n');
}

export function fidelityPage(): string {
  const all = sources();
  const lines = [
    '# Fidelity',
    '',
    'Generated from the `@source` lines of the sources by `npx tsx scripts/generate-docs.ts`; a test holds it against them.',
    '',
    `Every kernel function, structure or constant that something here stands for. Read in Linux ${KERNEL_READ}. A row says`,
    'where to compare, not that nothing is missing: what a file leaves out is at the end.',
  ];
  const files = [...new Set(all.map(({ kernelFile }) => kernelFile))].sort();
  for (const kernelFile of files) {
    lines.push('', `## ${kernelFile}`, '', '| kernel | here |', '| --- | --- |');
    const rows = new Map<string, Set<string>>();
    for (const each of all.filter((one) => one.kernelFile === kernelFile)) {
      const places = rows.get(each.what) ?? new Set();
      places.add(each.name === '' ? each.file : `${each.file} \`${each.name}\``);
      rows.set(each.what, places);
    }
    for (const [what, places] of [...rows].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      lines.push(
        `| ${what === '' ? '(the file)' : what.replaceAll('|', '\\|').replaceAll('*', '\\*')} | ${[...places].join(', ')} |`,
      );
  }
  lines.push('', '## Left out', '', ...leftOutList());
  return `${lines.join('\n')}\n`;
}

export function leftOutList(): string[] {
  return leftOut().map(({ file, what }) => `- src/${file}: ${what}.`);
}
