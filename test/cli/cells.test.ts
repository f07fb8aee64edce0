/** Cells on worker threads: a process of its own, as a user has it. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ext4lab } from '../support/command.ts';

const root = resolve(import.meta.dirname, '../..');

/** What a program prints that is run by node over the sources. */
function printed(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  return new Promise((done) => child.on('close', () => done(out)));
}

/** More than anybody waits for. */
const ENDLESS = {
  name: 'long',
  question: 'How long is this?',
  image: { mkfs: { features: ['has_journal'] } },
  setup: ['open -f /f', 'pwrite -S 0x41 0 50'],
  tasks: Object.fromEntries(
    ['CPU0', 'CPU1', 'CPU2', 'CPU3'].map((lane) => [
      lane,
      ['open /f', 'pwrite 0 10', 'pread 0 10', 'pwrite 10 10'],
    ]),
  ),
};

describe('worker threads', () => {
  it('find what one thread finds, in the same order', async () => {
    const words = [
      'race',
      'store-beside-growing-write',
      'small-write-beside-store',
      '--designs',
      'defer-inode-lock,no-conversion',
      '--json',
    ];
    const here = await ext4lab(...words);
    expect(await printed('src/cli/main.ts', ...words)).toBe(here.out);
  });

  it('end in the middle of a search when they are told to, with what they have', async () => {
    const program = `
      import { runCells } from './src/cli/cells.ts';
      import { designById } from './src/designs/index.ts';
      import { readScenario } from './src/scenario/schema.ts';
      const scenario = readScenario(${JSON.stringify(JSON.stringify(ENDLESS))}, 'long.json');
      const stop = new AbortController();
      const [searched, never] = await runCells(
        ['mkwrite-convert', 'defer'].map((id) => ({ scenario, design: designById(id), mount: 'delalloc' })),
        {
          workers: 1,
          signal: stop.signal,
          onProgress: (done, states) => { if (states > 100_000) stop.abort(); },
          breathe: async () => {},
        },
      );
      const { cell } = searched;
      console.log(cell.verdict, cell.reach.complete, cell.reach.states > 100_000, never);`;
    expect(await printed('--input-type=module', '-e', program)).toBe('inconclusive false true undefined\n');
  });
});
