/** The examples run, and print what they printed when somebody last looked. */
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';

const EXAMPLES = readdirSync('examples').filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));

afterEach(() => {
  vi.restoreAllMocks();
});

describe('examples', () => {
  it('are there', () => {
    expect(EXAMPLES).toEqual(
      expect.arrayContaining(['inline-capacity.ts', 'lost-store.ts', 'race-two-designs.ts']),
    );
  });

  it.each(EXAMPLES)('%s', async (name) => {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((...parts: unknown[]) => {
      lines.push(parts.join(' '));
    });
    vi.resetModules();
    await import(pathToFileURL(resolve('examples', name)).href);
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`golden/${name.replace('.ts', '.txt')}`);
  });
});
