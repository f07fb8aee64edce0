/**
 * docs/api.md: what the package exports, from the declarations that the compiler writes (`tsc --declaration` keeps the
 * docstrings). An entry of `exports` in package.json is a chapter, an exported name a section.
 *
 * Read are the forms that the compiler writes, not TypeScript: a statement begins in the first column, and ends where
 * the braces that it opens are closed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { ROOT } from './source.ts';

/** A statement of a declaration file. */
interface Declared {
  readonly name: string;
  /** As it stands above, without the stars; empty where there is nothing. */
  readonly doc: string;
  readonly text: string;
}

/** A declaration file, read. */
interface DeclarationFile {
  readonly declared: readonly Declared[];
  /** By exported name, where it comes from: a name of this file (`from` null) or of another. */
  readonly exported: ReadonlyMap<string, { readonly from: string | null; readonly name: string }>;
  /** Names that are imported, by their name here. */
  readonly imported: ReadonlyMap<string, { readonly from: string; readonly name: string }>;
  readonly stars: readonly string[];
}

/** A name that an entry exports. */
export interface ApiSymbol {
  readonly name: string;
  readonly doc: string;
  /** Overloads one below the other. */
  readonly code: string;
}

export interface ApiEntry {
  /** As one imports it: `ext4lab/designs`. */
  readonly specifier: string;
  /** What the file says of itself. */
  readonly header: string;
  readonly symbols: readonly ApiSymbol[];
}

/** The documentation comment, without its stars. */
const proseOf = (comment: string): string =>
  comment
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();

/** Statements of a declaration file with the comments above them. */
function statements(text: string): { comment: string; code: string }[] {
  const out: { comment: string; code: string }[] = [];
  const lines = text.split('\n');
  let comment = '';
  for (let at = 0; at < lines.length; ) {
    const line = lines[at]!;
    if (line.startsWith('/**')) {
      if (comment !== '') out.push({ comment, code: '' });
      const start = at;
      while (!lines[at]!.includes('*/')) at++;
      comment = lines.slice(start, ++at).join('\n');
      continue;
    }
    if (line === '' || line.startsWith('//')) {
      at++;
      continue;
    }
    const start = at;
    let depth = 0;
    do {
      // Comments inside may hold braces of their own.
      const bare = lines[at]!.replace(/\/\*.*?\*\//g, '').replace(/^\s*(\/\*\*|\*).*/, '');
      for (const c of bare) depth += '{(['.includes(c) ? 1 : '})]'.includes(c) ? -1 : 0;
      at++;
    } while (at < lines.length && (depth > 0 || !/[;}]\s*$/.test(lines[at - 1]!)));
    out.push({ comment, code: lines.slice(start, at).join('\n') });
    comment = '';
  }
  if (comment !== '') out.push({ comment, code: '' });
  return out;
}

const NAMED =
  /^(?:export )?(?:default )?(?:declare )?(?:abstract )?(?:const|let|function\*?|class|interface|type|enum) (\w+)/;

const listed = (list: string): { name: string; as: string }[] =>
  list
    .split(',')
    .map((each) => each.trim().replace(/^type /, ''))
    .filter((each) => each !== '')
    .map((each) => {
      const [name, as = name] = each.split(/ as /);
      return { name: name!, as: as! };
    });

function readDeclarations(text: string): DeclarationFile {
  const declared: Declared[] = [];
  const exported = new Map<string, { from: string | null; name: string }>();
  const imported = new Map<string, { from: string; name: string }>();
  const stars: string[] = [];
  const all = statements(text);
  for (const { comment, code } of all) {
    const names = /^(import|export)(?: type)? \{([^}]*)\}(?: from '([^']+)')?/.exec(code);
    if (names !== null) {
      for (const { name, as } of listed(names[2]!)) {
        if (names[1] === 'import') imported.set(as, { from: names[3]!, name });
        else exported.set(as, { from: names[3] ?? null, name });
      }
      continue;
    }
    const star = /^export \* from '([^']+)'/.exec(code);
    if (star !== null) stars.push(star[1]!);
    const name = NAMED.exec(code)?.[1];
    if (name === undefined) continue;
    declared.push({ name, doc: comment === '' ? '' : proseOf(comment), text: code });
    if (code.startsWith('export ')) exported.set(name, { from: null, name });
  }
  return { declared, exported, imported, stars };
}

/** Declarations as the reader wants them: without what is private, and what only the compiler needs. */
const shown = (code: string): string =>
  code
    .replace(/^export (?:default )?/, '')
    .replace(/^declare /, '')
    .split('\n')
    .filter((line) => !/^\s+(#private;|private |protected )/.test(line))
    .map((line) => line.replace(/^( {4})+/, (spaces) => ' '.repeat(spaces.length / 2)))
    .join('\n');

const camel = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** What a source says of itself, above its imports. */
function headerOf(path: string): string {
  const source = readFileSync(join(ROOT, 'src', path.replace(/\.d\.ts$/, '.ts')), 'utf8');
  return proseOf(/^\/\*\*[\s\S]*?\*\//.exec(source)?.[0] ?? '');
}

/** Follows names from file to file. */
class Declarations {
  readonly #folder: string;
  readonly #files = new Map<string, DeclarationFile>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  file(path: string): DeclarationFile {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const read = readDeclarations(readFileSync(join(this.#folder, path), 'utf8'));
    this.#files.set(path, read);
    return read;
  }

  /** Every name that a file exports, sorted. */
  names(path: string): string[] {
    const { exported, stars } = this.file(path);
    const more = stars.flatMap((from) => this.names(this.#beside(path, from)));
    return [...new Set([...exported.keys(), ...more])].sort((a, b) => (a < b ? -1 : 1));
  }

  symbol(path: string, name: string): ApiSymbol {
    const found = this.#find(path, name);
    if (found === null) throw new Error(`${path}: where does ${name} come from?`);
    const doc = found.map((each) => each.doc).find((each) => each !== '') ?? '';
    return { name, doc, code: found.map(({ text }) => shown(text)).join('\n') };
  }

  #find(path: string, name: string): readonly Declared[] | null {
    const { declared, exported, imported, stars } = this.file(path);
    const here = exported.get(name);
    if (here?.from != null) return this.#find(this.#beside(path, here.from), here.name);
    if (here !== undefined) {
      const own = declared.filter((each) => each.name === here.name);
      // A file says in its header what the thing is that it is named after; the compiler drops it with the imports below.
      const named = camel(basename(path, '.d.ts')) === name || exported.size === 1;
      if (own.length > 0)
        return own.map((each) => (named && each.doc === '' ? { ...each, doc: headerOf(path) } : each));
      const far = imported.get(here.name);
      if (far !== undefined) return this.#find(this.#beside(path, far.from), far.name);
    }
    for (const from of stars) {
      const found = this.#find(this.#beside(path, from), name);
      if (found !== null) return found;
    }
    return null;
  }

  #beside(path: string, from: string): string {
    const target = resolve('/', dirname(path), from).slice(1);
    return target.replace(/\.[jt]s$/, '.d.ts');
  }
}

/** What the package exports, as the compiler declares it. */
export function apiEntries(): ApiEntry[] {
  const { name, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    name: string;
    exports: Record<string, string | { types: string }>;
  };
  const folder = mkdtempSync(join(tmpdir(), 'ext4lab-api-'));
  try {
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const words = [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', folder];
    execFileSync(process.execPath, words, { stdio: 'pipe' });
    const declarations = new Declarations(folder);
    return Object.entries(exports).flatMap(([key, target]): ApiEntry[] => {
      if (typeof target === 'string') return [];
      const path = target.types.replace(/^\.\/dist\//, '');
      const symbols = declarations.names(path).map((each) => declarations.symbol(path, each));
      return [{ specifier: `${name}${key.slice(1)}`, header: headerOf(path), symbols }];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A docstring as markdown: tags become a list, code fences stay. */
function markdown(doc: string): string {
  const lines: string[] = [];
  let tags = false;
  for (const line of doc.split('\n')) {
    const tag = /^@(\w+)\s*(.*)$/.exec(line.trim());
    if (tag !== null) {
      if (!tags && lines.at(-1) !== '') lines.push('');
      tags = true;
      const [, kind, rest] = tag;
      const param = /^(\S+)\s+(.*)$/.exec(rest!);
      lines.push(
        kind === 'param' && param !== null ? `- \`${param[1]}\`: ${param[2]}` : `- ${kind}: ${rest!.trim()}`,
      );
    } else lines.push(tags && line.trim() !== '' ? `  ${line.trim()}` : line);
  }
  return lines.join('\n').trim();
}

const anchor = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');

export function apiPage(): string {
  const entries = apiEntries();
  const home = new Map<string, string>();
  const chapters = entries.flatMap(({ specifier, header, symbols }) => {
    const lines = ['', `## ${specifier}`, ''];
    if (header !== '') lines.push(header, '');
    const told = symbols.filter(({ name, code }) => home.get(name + code) === undefined);
    const elsewhere = symbols.filter((each) => !told.includes(each));
    for (const { name, code } of told) home.set(name + code, specifier);
    if (elsewhere.length > 0) {
      const names = elsewhere.map(({ name, code }) => `\`${name}\` (${home.get(name + code)})`);
      lines.push(`As in another entry: ${names.join(', ')}.`, '');
    }
    for (const { name, doc, code } of told)
      lines.push(`### ${name}`, '', markdown(doc), '', '```ts', code, '```', '');
    return lines;
  });
  return `${[
    '# API reference',
    '',
    'What the package exports, by entry, from the docstrings of the sources. Generated by',
    '`npx tsx scripts/generate-docs.ts`; a test compares, and asks a docstring of every name. How it is used is in the',
    '[README](../README.md).',
    '',
    ...entries.map(
      ({ specifier, symbols }) => `- [${specifier}](#${anchor(specifier)}): ${symbols.length} names`,
    ),
    ...chapters,
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}
