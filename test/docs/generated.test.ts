/**
 * What is generated of the documentation is what a run gives now. When one of these fails the code changed what the
 * documentation shows: run `npx tsx scripts/generate-docs.ts` and read the diff.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allLayouts } from '../../scripts/docs/layouts.ts';
import { partsOf, render } from '../../scripts/docs/markers.ts';
import { ROOT, sourceFiles } from '../../scripts/docs/source.ts';
import { yieldPoints } from '../../scripts/docs/yieldPoints.ts';
import { BLOCKS, PAGES, writtenPages } from '../../scripts/generate-docs.ts';

const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

describe('generated pages', () => {
  it.each(Object.keys(PAGES))('%s is up to date', async (name) => {
    expect(read(name)).toBe(await PAGES[name]!());
  });
});

describe('generated parts', () => {
  const parts = writtenPages().flatMap((page) => partsOf(read(page)).map((part, at) => ({ page, part, at })));

  it.each(
    parts.map((each) => [`${each.page}: ${each.part.name} ${each.part.args.join(' ')}`, each] as const),
  )('%s', async (_, { part }) => {
    expect(part.body).toBe(await render(part, BLOCKS));
  });

  it('every marker is closed', () => {
    for (const page of writtenPages()) {
      const text = read(page);
      expect(text.match(/<!-- generated: /g)?.length ?? 0, page).toBe(partsOf(text).length);
      expect(text.match(/<!-- end -->/g)?.length ?? 0, page).toBe(partsOf(text).length);
    }
  });
});

describe('what is read from the sources', () => {
  it('no yield point of a file is missed', () => {
    const listed = yieldPoints();
    for (const { name, code } of sourceFiles()) {
      const points = listed.filter(({ file }) => file === name).flatMap((op) => op.points);
      if (points.length === 0) continue;
      const steps = points.filter(({ kind }) => !['call', 'runs', 'hook'].includes(kind));
      const written = code.match(
        /(?<![.\w])(step|waitFor|lock|tryLock|unlock|locked)(?:<[^>()]*>)?\(\s*\w+,/g,
      );
      expect(steps.length, name).toBe(written?.length ?? 0);
    }
  });

  it('two layout tables of one structure agree wherever both have a field', async () => {
    const layouts = await allLayouts();
    for (const one of layouts) {
      for (const other of layouts.filter(({ layout }) => layout.name === one.layout.name)) {
        for (const [name, field] of Object.entries(one.layout.fields)) {
          const twin = Object.entries(other.layout.fields).find(([, each]) => each.at === field.at);
          const where = `${one.layout.name}.${name} in ${one.file}, ${twin?.[0]} in ${other.file}`;
          if (twin !== undefined)
            expect([twin[1].size, twin[1].kind], where).toEqual([field.size, field.kind]);
        }
      }
    }
  });
});

describe('decisions', () => {
  const pages = writtenPages().filter((name) => /decisions\/\d/.test(name));

  it.each(pages)('%s says context, decision, consequence, and what was measured', (page) => {
    const parts = [...read(page).matchAll(/^\*\*(\w+)\.\*\*/gm)].map(([, part]) => part);
    expect(parts).toEqual(['Context', 'Decision', 'Consequence', 'Measured']);
  });
});

describe('links', () => {
  it('lead somewhere', () => {
    const anchorsOf = (text: string): string[] =>
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
        title!
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      );
    const broken: string[] = [];
    for (const page of [...writtenPages(), ...Object.keys(PAGES)]) {
      for (const [, target] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target!)) continue;
        const [path, anchor] = target!.split('#') as [string, string?];
        const file = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path);
        if (!existsSync(file)) broken.push(`${page}: ${target}`);
        else if (anchor !== undefined && !anchorsOf(readFileSync(file, 'utf8')).includes(anchor))
          broken.push(`${page}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('name files that are there, where they name a file of the project', () => {
    const missing: string[] = [];
    for (const page of writtenPages()) {
      for (const [, path] of read(page).matchAll(
        /`((?:src|test|fixtures|docs|scripts|bench)\/[\w./-]+\.\w+)`/g,
      )) {
        if (!/NAME|invalidate-lock-pins|sealed/.test(path!) && !existsSync(join(ROOT, path!)))
          missing.push(`${page}: ${path}`);
      }
    }
    expect(missing).toEqual([]);
  });
});
