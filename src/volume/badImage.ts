/**
 * What is thrown when a file cannot be taken as a volume: one line that names the structure, the byte offset in
 * the file, what was expected and what was found.
 */

export class BadImage extends Error {
  override readonly name = 'BadImage';
  /** The on-disk structure, such as `superblock` or `group descriptor 3`. */
  readonly structure: string;
  /** Byte offset in the file. */
  readonly offset: number;
  readonly expected: string | undefined;
  readonly found: string | undefined;

  constructor(structure: string, offset: number, problem: string, expected?: string, found?: string) {
    const wanted = expected === undefined ? '' : `, expected ${expected}`;
    const got = found === undefined ? '' : `, found ${found}`;
    super(`${structure} at byte ${offset}: ${problem}${wanted}${got}`);
    this.structure = structure;
    this.offset = offset;
    this.expected = expected;
    this.found = found;
  }
}

/** Hex as messages print it. */
export function hex(value: number, digits = 0): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
