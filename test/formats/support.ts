/** What every reader of a foreign format must do with text that is not right. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { type Format, type ImportResult, importFile } from '../../src/formats/read.ts';
import { ScenarioError } from '../../src/scenario/error.ts';
import { readScenario, type Scenario } from '../../src/scenario/schema.ts';

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export function imported(text: string, as: Format, options: object = {}): ImportResult {
  return importFile(bytesOf(text), `in.${as}`, { as, ...options });
}

/** What was imported, as race and run read it. */
export function scenarioOf({ scenario }: Pick<ImportResult, 'scenario'>): Scenario {
  return readScenario(JSON.stringify(scenario), 'imported.json');
}

/** The complaint about a text: it names file, line and column. */
export function complaint(text: string, as: Format, options: object = {}): string {
  let message: string | null = null;
  try {
    imported(text, as, options);
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError);
    message = (error as Error).message;
  }
  expect(message, `${JSON.stringify(text)} was accepted`).not.toBeNull();
  expect(message).toMatch(new RegExp(`^in\\.${as}:\\d+:\\d+: \\S`));
  return message!.slice(`in.${as}:`.length);
}

/** A good text with a few characters changed, cut or doubled. */
export function damaged(samples: readonly string[]): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat(2000),
    cut: fc.nat(6),
    put: fc.oneof(
      fc.string({ maxLength: 4 }),
      fc.constantFrom(
        '"',
        "'",
        '(',
        ')',
        '&',
        '$',
        '\n',
        '0x',
        ',',
        '{',
        '}',
        '[',
        '@',
        '<',
        '\\',
        '\0',
        'é',
        '-',
        '99999999999',
      ),
    ),
  });
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([text, edits]) => {
      let out = text;
      for (const { at, cut, put } of edits) {
        const from = at % (out.length + 1);
        out = out.slice(0, from) + put + out.slice(from + cut);
      }
      return out;
    });
}

/** Damaged input is read, or complained about; nothing else. What is read, race and run take. */
export function survivesDamage(
  samples: readonly string[],
  as: Format,
  options: object = {},
  numRuns = 400,
): void {
  fc.assert(
    fc.property(damaged(samples), (text) => {
      try {
        scenarioOf(imported(text, as, options));
      } catch (error) {
        if (!(error instanceof ScenarioError)) throw error;
        expect(error.message).toMatch(/^in\./);
      }
    }),
    { numRuns, seed: 6 },
  );
}
