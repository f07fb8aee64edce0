/**
 * The shape of the house, checked by reading import lines: bands, the one Immer call, no node: outside cli, no clock
 * or randomness in the core, no forgotten yield*, every @source of the right form.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = resolve('src');
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(SRC, name));
const text = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));

/** Lowest first; a folder may import what is below it or stands further right in its own row. */
const BANDS: readonly (readonly string[])[] = [
  ['volume', 'state', 'bytes', 'errno.ts'],
  ['model.ts', 'modelNames.ts', 'kernel.ts', 'hooks.ts', 'locks', 'task.ts'],
  ['balloc', 'xattr', 'inode', 'device'],
  ['inline', 'pagecache'],
  ['vfs', 'writeback'],
  ['designs', 'invariants'],
  ['scenario', 'trace', 'sched'],
  ['compare', 'crash', 'explore'],
  ['report'],
  ['viewer', 'formats'],
  ['cli', 'index.ts', 'vitest.ts', 'fastCheck.ts', 'lab'],
];

const partOf = (file: string): string => relative(SRC, file).split(/[\\/]/)[0]!;
const place = (part: string): { band: number; at: number } => {
  const band = BANDS.findIndex((row) => row.includes(part));
  return { band, at: band < 0 ? -1 : BANDS[band]!.indexOf(part) };
};

/** What needs a document; the rest of the viewer runs anywhere. */
const isPage = (file: string): boolean => file.startsWith(join(SRC, 'viewer', 'page'));

const importsOf = (file: string): string[] =>
  [
    ...text
      .get(file)!
      .matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]|import\(['"]([^'"]+)['"]\)/g),
  ].map((match) => match[1] ?? match[2]!);

/** Type-only imports to the left within a band: two declarations that name each other. */
const ALLOWED_UP: ReadonlySet<string> = new Set(['hooks.ts -> kernel.ts', 'task.ts -> locks']);

describe('imports', () => {
  it('go down, or right within a band, never up', () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const target of importsOf(file)) {
        if (!target.startsWith('.')) continue;
        const to = partOf(resolve(dirname(file), target));
        const from = partOf(file);
        if (from === to) continue;
        const [a, b] = [place(from), place(to)];
        const edge = `${relative(SRC, file)} -> ${to}`;
        if (a.band < 0 || b.band < 0) wrong.push(`${edge}: not in a band`);
        else if (b.band > a.band || (b.band === a.band && b.at < a.at)) {
          if (!ALLOWED_UP.has(edge)) wrong.push(edge);
        }
      }
    }
    expect(wrong.sort()).toEqual([]);
  });

  it('of node: stand in cli alone', () => {
    const outside = files.filter(
      (file) => partOf(file) !== 'cli' && importsOf(file).some((name) => name.startsWith('node:')),
    );
    expect(outside.map((file) => relative(SRC, file))).toEqual([]);
  });

  it('of immer stand in one file, which has the one call', () => {
    const users = files.filter((file) => importsOf(file).some((name) => name === 'immer'));
    const values = users.filter(
      (file) =>
        /import \{(?![^}]*^\s*type)[^}]*\}\s*from 'immer'/m.test(text.get(file)!) &&
        !/import type \{[^}]*\} from 'immer'/.test(text.get(file)!),
    );
    expect(values.map((file) => relative(SRC, file))).toEqual([join('state', 'recording.ts')]);
  });

  it('name only the two runtime packages', () => {
    const names = new Set(
      files
        .filter((file) => !isPage(file))
        .flatMap(importsOf)
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:')),
    );
    expect([...names].sort()).toEqual(['fast-check', 'immer', 'vitest', 'zod']);
    // Two doors of their own, for those who have these packages.
    const usersOf = (name: string) => files.filter((file) => importsOf(file).includes(name));
    expect(usersOf('vitest').map((file) => relative(SRC, file))).toEqual(['vitest.ts']);
    expect(usersOf('fast-check').map((file) => relative(SRC, file))).toEqual(['fastCheck.ts']);
    expect(
      files.filter((file) => importsOf(file).some((name) => /\/(vitest|fastCheck)\.ts$/.test(name))),
    ).toEqual([]);
  });
});

describe('the page', () => {
  it('is imported by nobody: it is bundled, and needs a document', () => {
    const users = files.filter(
      (file) => !isPage(file) && importsOf(file).some((name) => isPage(resolve(dirname(file), name))),
    );
    expect(users.map((file) => relative(SRC, file))).toEqual([]);
  });

  it('brings only the packages of its editor', () => {
    const names = new Set(files.filter(isPage).flatMap(importsOf));
    const editor = /^@(codemirror|lezer)\//;
    const others = [...names].filter((name) => !name.startsWith('.') && !editor.test(name));
    expect(others).toEqual(['zod']);
    const users = files.filter((file) => importsOf(file).some((name) => editor.test(name)));
    expect(users.map((file) => basename(file)).sort()).toEqual(['editor.ts']);
  });
});

describe('determinism', () => {
  it('no clock, randomness or locale in src outside cli', () => {
    const banned =
      /\bDate\.now\b|\bnew Date\b|\bMath\.random\b|\bperformance\.now\b|\btoLocale\w+\b|\bIntl\.|\bprocess\./;
    // The worker says how fast it is and gives up after so many seconds; the playground shows that.
    const clocks = ['worker.ts', 'playRun.ts'].map((name) => join(SRC, 'viewer', 'page', name));
    const found = files
      .filter((file) => partOf(file) !== 'cli' && !clocks.includes(file))
      .flatMap((file) =>
        text
          .get(file)!
          .split('\n')
          .flatMap((line, i) =>
            banned.test(line) && !/^\s*(\*|\/\/)/.test(line) ? [`${relative(SRC, file)}:${i + 1}`] : [],
          ),
      );
    expect(found).toEqual([]);
  });
});

describe('style', () => {
  it('every @source names a file and a function', () => {
    const wrong = files.flatMap((file) =>
      [...text.get(file)!.matchAll(/@source\s+([^\n*]+)/g)].flatMap(([, source]) =>
        /^(fs|mm|lib|include|kernel|lib)\/[\w/.-]+|^(ext4|jbd2|E2FS|_*[a-z]\w+)/.test(source!.trim())
          ? []
          : [`${relative(SRC, file)}: ${source}`],
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('an op is never called without yield* or call', () => {
    const ops = new Set<string>();
    for (const file of files) {
      if (['cli', 'compare', 'explore', 'report', 'lab', 'volume', 'scenario'].includes(partOf(file)))
        continue;
      for (const [, name] of text.get(file)!.matchAll(/function\* (\w+)/g)) ops.add(name!);
    }
    const wrong: string[] = [];
    for (const file of files) {
      if (['cli', 'compare', 'explore', 'report', 'lab', 'volume'].includes(partOf(file))) continue;
      text
        .get(file)!
        .split('\n')
        .forEach((line, i) => {
          const match = /^\s+(?:const \w+ = |return |let \w+ = )?(\w+)\(k\b(?!:)/.exec(line);
          if (
            match !== null &&
            ops.has(match[1]!) &&
            !/=>\s*$/.test(text.get(file)!.split('\n')[i - 1] ?? '')
          ) {
            wrong.push(`${relative(SRC, file)}:${i + 1}: ${line.trim()}`);
          }
        });
    }
    expect(wrong).toEqual([]);
  });
});
