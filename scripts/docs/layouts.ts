/** docs/layouts.md: every layout table of src, as it decodes, encodes and labels. */
import { Layout } from '../../src/bytes/layout.ts';
import { sourceFiles } from './source.ts';

export interface FoundLayout {
  readonly file: string;
  /** The exported name. */
  readonly id: string;
  readonly layout: Layout<Record<string, Field>>;
}

type Field = { readonly at: number; readonly size: number; readonly kind: never; readonly note: string };

/** Every exported layout, by file. */
export async function allLayouts(): Promise<FoundLayout[]> {
  const found: FoundLayout[] = [];
  for (const { name, code } of sourceFiles()) {
    const made = [...code.matchAll(/= layout\(/g)].length;
    if (made === 0) continue;
    const module = (await import(/* @vite-ignore */ `../../src/${name}`)) as Record<string, unknown>;
    const here = Object.entries(module).filter(
      (entry): entry is [string, FoundLayout['layout']] => entry[1] instanceof Layout,
    );
    if (here.length < made) throw new Error(`src/${name}: ${made} layouts, ${here.length} exported`);
    for (const [id, layout] of here.sort(([a], [b]) => (a < b ? -1 : 1)))
      found.push({ file: name, id, layout });
  }
  return found;
}

const hex = (n: number, digits: number): string => `0x${n.toString(16).padStart(digits, '0')}`;

export async function layoutsPage(): Promise<string> {
  const layouts = await allLayouts();
  const structures = new Map<string, FoundLayout[]>();
  for (const each of layouts)
    structures.set(each.layout.name, [...(structures.get(each.layout.name) ?? []), each]);
  const lines = [
    '# Layouts',
    '',
    'Generated from the layout tables by `npx tsx scripts/generate-docs.ts`; a test holds it against them. The same tables',
    'read, write and label the bytes. Offsets are those of the structure; `be` is big endian, everything else little',
    'endian. A structure that two folders know has two tables: `volume` reads images by itself, so that our own check',
    'does not lean on the code it checks. A test holds the two against each other.',
  ];
  for (const [name, tables] of [...structures].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push('', `## ${name}`);
    for (const { file, id, layout } of tables) {
      const digits = layout.size > 0x100 ? 3 : 2;
      lines.push('', `\`${id}\` in src/${file}, ${layout.size} bytes`, '');
      lines.push('| offset | bytes | field | kind | |', '| --- | --- | --- | --- | --- |');
      for (const [field, { at, size, kind, note }] of Object.entries(layout.fields))
        lines.push(`| ${hex(at, digits)} | ${size} | ${field} | ${kind} | ${note.replaceAll('|', '\\|')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
