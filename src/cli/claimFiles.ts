/** Claims as the command line names them: bundled ones by name, or paths of files. */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Claim, readClaim, type Sources } from '../compare/claim.ts';
import { CLAIM_DESIGNS } from '../designs/drawn.ts';
import { designById } from '../designs/index.ts';
import { didYouMean } from '../scenario/suggest.ts';
import { UsageError } from './errors.ts';
import { imageOf } from './images.ts';
import { bundledFiles, loadScenario, BUNDLED_FOLDER as SCENARIOS, shownPath } from './scenarioFiles.ts';

export const CLAIMS_FOLDER: string = fileURLToPath(new URL('../../fixtures/claims', import.meta.url));

/**
 * @param words  names and files; none means every bundled claim
 * @throws       UsageError for a name that is not bundled, ScenarioError for a file that is no claim
 */
export function loadClaims(words: readonly string[]): Claim[] {
  const bundled = bundledFiles(CLAIMS_FOLDER);
  const files = words.length === 0 ? bundled : words.map((word) => fileOf(word, bundled));
  const claims = files.map((file) => ({
    ...readClaim(readFileSync(file, 'utf8'), shownPath(file)),
    path: file,
  }));
  for (const { name, path } of claims) {
    const file = basename(path, '.json');
    if (file !== name) throw new UsageError(`${shownPath(path)} holds the claim ${name}: name the file so`);
  }
  return claims;
}

function fileOf(word: string, bundled: readonly string[]): string {
  if (word.includes('/') || word.endsWith('.json')) return word;
  const found = bundled.find((file) => basename(file, '.json') === word);
  if (found !== undefined) return found;
  if (existsSync(word)) return word;
  const near = didYouMean(
    word,
    bundled.map((file) => basename(file, '.json')),
  );
  throw new UsageError(
    `no bundled claim ${JSON.stringify(word)}${near === '' ? ' (see ext4lab claims)' : near}`,
  );
}

/** Bundled scenarios, every design, and those that only claims use. */
export const CLAIM_SOURCES: Sources = {
  scenario(name) {
    const file = bundledFiles(SCENARIOS).find((each) => basename(each, '.json') === name);
    return file === undefined ? undefined : loadScenario(file);
  },
  image: imageOf,
  design: (id) => designById(id) ?? CLAIM_DESIGNS.find((design) => design.id === id),
};
