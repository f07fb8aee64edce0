/**
 * Scenarios as the command line names them: the name of a bundled one, a path to a file, or a folder of files.
 * A word with a `/` or ending in `.json` is a path.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readScenario, type Scenario } from '../scenario/schema.ts';
import { didYouMean } from '../scenario/suggest.ts';
import { UsageError } from './errors.ts';

/** Of the package: the same from `src/cli` and from `dist/cli`. */
export const BUNDLED_FOLDER: string = fileURLToPath(new URL('../../fixtures/scenarios', import.meta.url));

/** The files of the bundled scenarios, sorted by name. */
export function bundledFiles(folder: string = BUNDLED_FOLDER): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * @param words   names, files and folders; none means every bundled scenario
 * @param folder  where the bundled ones are
 * @returns       each file once, in the order given
 * @throws        UsageError for a name that is not bundled or a folder without scenarios
 */
export function scenarioFiles(words: readonly string[], folder: string = BUNDLED_FOLDER): string[] {
  const bundled = bundledFiles(folder);
  const files = words.length === 0 ? bundled : words.flatMap((word) => filesOf(word, bundled));
  return [...new Set(files)];
}

/** Reads one. @throws ScenarioError, or the error of reading the file */
export function loadScenario(file: string): Scenario {
  return readScenario(readFileSync(file, 'utf8'), shownPath(file));
}

/** @throws UsageError where two files hold scenarios of one name: tables and tokens go by name */
export function loadScenarios(words: readonly string[], folder: string = BUNDLED_FOLDER): Scenario[] {
  const scenarios = scenarioFiles(words, folder).map(loadScenario);
  const byName = new Map<string, string>();
  for (const { name, file } of scenarios) {
    const other = byName.get(name);
    if (other !== undefined) throw new UsageError(`two scenarios are called ${name}: ${other} and ${file}`);
    byName.set(name, file);
  }
  return scenarios;
}

/** Relative to the working folder where that is shorter. */
export function shownPath(file: string): string {
  const near = relative('', file);
  return near.length < file.length && !near.startsWith('..') ? near : file;
}

function filesOf(word: string, bundled: readonly string[]): string[] {
  if (!word.includes('/') && !word.endsWith('.json')) {
    const found = bundled.find((file) => basename(file, '.json') === word);
    if (found !== undefined) return [found];
    if (!existsSync(word)) {
      const names = bundled.map((file) => basename(file, '.json'));
      const near = didYouMean(word, names);
      throw new UsageError(
        `no bundled scenario ${JSON.stringify(word)}${near === '' ? ' (see ext4lab scenarios)' : near}`,
      );
    }
  }
  if (!statSync(word).isDirectory()) return [word];
  const files = bundledFiles(word);
  if (files.length === 0) throw new UsageError(`${word} holds no scenario`);
  return files;
}
