/** docs/api.md: what `generated.test.ts` does not ask of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { apiEntries } from '../../scripts/docs/api.ts';
import { ROOT } from '../../scripts/docs/source.ts';
import * as library from '../../src/index.ts';

const entries = apiEntries();

describe('the API reference', () => {
  it('has a chapter for every entry of the package', () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const specifiers = Object.keys(exports).filter((key) => key !== './package.json');
    expect(entries.map(({ specifier }) => specifier)).toEqual(
      specifiers.map((key) => `ext4lab${key.slice(1)}`),
    );
  });

  it.each(entries.map((each) => [each.specifier, each] as const))(
    '%s: every name has a docstring',
    (_, entry) => {
      expect(entry.header).not.toBe('');
      expect(entry.symbols.filter(({ doc }) => doc === '').map(({ name }) => name)).toEqual([]);
    },
  );

  it('has every value that the library exports, and nothing of what is private', () => {
    const [main] = entries;
    const names = main!.symbols.map(({ name }) => name);
    for (const name of Object.keys(library)) expect(names).toContain(name);
    for (const { code } of entries.flatMap(({ symbols }) => symbols))
      expect(code).not.toMatch(/^\s*(#private|private )/m);
  });
});
