/** A foreign text: offsets as lines and columns, and complaints that name them. */
import { ScenarioError } from '../scenario/error.ts';

export class Source {
  readonly text: string;
  readonly file: string;

  /** @param file  its name, for messages */
  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
  }

  /** Line and column of a character, both from 1. */
  place(at: number): { readonly line: number; readonly column: number } {
    const before = this.text.slice(0, Math.min(at, this.text.length));
    return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
  }

  /** @throws ScenarioError `FILE:LINE:COLUMN: problem (hint)` */
  fail(at: number, problem: string, hint?: string): never {
    throw new ScenarioError(problem, { file: this.file, ...this.place(at) }, hint);
  }

  /** Lines without their ends, each with the offset of its first character. */
  lines(): { readonly text: string; readonly at: number }[] {
    let at = 0;
    return this.text.split('\n').map((row) => {
      const line = { text: row.replace(/\r$/, ''), at };
      at += row.length + 1;
      return line;
    });
  }
}
