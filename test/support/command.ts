/** The command as a function: what it printed and its exit code. */
import { main } from '../../src/cli/main.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function ext4lab(...words: string[]): Promise<Ran> {
  let out = '';
  let err = '';
  const sink = (add: (text: string) => void) => ({ write: add, isTerminal: false, columns: undefined });
  const code = await main(words, {
    stdout: sink((text) => {
      out += text;
    }),
    stderr: sink((text) => {
      err += text;
    }),
    env: { NO_COLOR: '1' },
    onInterrupt() {},
  });
  return { code, out, err };
}
