/**
 * Generated parts of a markdown file: everything between a begin and an end marker is made by a run.
 *
 *     <!-- generated: token store-beside-rewrite mkwrite-convert delalloc bug-on -->
 *     … replaced …
 *     <!-- end -->
 *
 * The first word names a block of `blocks.ts`, the rest are its arguments. What stands outside is written by people.
 */

/** Makes the text of a block; without a line end at the end. */
export type Block = (...args: string[]) => string | Promise<string>;

export interface Part {
  readonly name: string;
  readonly args: readonly string[];
  /** What stands between the markers. */
  readonly body: string;
}

const PART = /<!-- generated: ([^>]*?) -->\n([\s\S]*?)<!-- end -->/g;

/** The generated parts of a text, in order. */
export function partsOf(text: string): Part[] {
  return [...text.matchAll(PART)].map(([, words, body]) => {
    const [name, ...args] = words!.split(' ');
    return { name: name!, args, body: body! };
  });
}

/** A part as it should read. */
export async function render(
  part: Pick<Part, 'name' | 'args'>,
  blocks: Readonly<Record<string, Block>>,
): Promise<string> {
  const block = blocks[part.name];
  if (block === undefined)
    throw new Error(`no generated block ${part.name}; there are ${Object.keys(blocks).join(', ')}`);
  return `${await block(...part.args)}\n`;
}

/** The text with every generated part made anew. */
export async function regenerate(text: string, blocks: Readonly<Record<string, Block>>): Promise<string> {
  const bodies: string[] = [];
  for (const part of partsOf(text)) bodies.push(await render(part, blocks));
  let at = 0;
  return text.replace(
    PART,
    (_, words: string) => `<!-- generated: ${words} -->\n${bodies[at++]}<!-- end -->`,
  );
}

export interface CodeBlock {
  /** The words after the fence: `sh`, `ts`, `json`. */
  readonly language: string;
  readonly code: string;
  /** The nearest heading above. */
  readonly heading: string;
}

/** Fenced code blocks of a text, in order. */
export function codeBlocks(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let heading = '';
  let language: string | null = null;
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    if (language === null) {
      const title = /^#+ (.*)$/.exec(line);
      if (title !== null) heading = title[1]!;
      const fence = /^```(\S*)/.exec(line);
      if (fence !== null) language = fence[1]!;
    } else if (line === '```') {
      blocks.push({ language, code: lines.join('\n'), heading });
      language = null;
      lines = [];
    } else lines.push(line);
  }
  return blocks;
}
