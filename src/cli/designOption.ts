/** `--design D`, `--designs D,…` and `--mount M` as the commands take them. */
import { resolve } from 'node:path';
import { DESIGNS, type Design, designById, MAIN_DESIGNS } from '../designs/index.ts';
import type { MountOption } from '../scenario/image.ts';
import { mountLabel, type Scenario } from '../scenario/schema.ts';
import { didYouMean } from '../scenario/suggest.ts';
import { designFromFile, isDesignFile } from './designFile.ts';
import { UsageError } from './errors.ts';

/** @throws UsageError for an unknown design, with the one that was probably meant */
export function designNamed(id: string): Design {
  const design = designById(id);
  if (design !== undefined) return design;
  const known = DESIGNS.map((each) => each.id);
  throw new UsageError(`unknown design ${id}${didYouMean(id, known)}; known: ${known.join(', ')}`);
}

/** Where designs that are not bundled came from. */
const files = new WeakMap<Design, string>();

/** The `D` of `--design D`: a name, or a file that exports a design. */
export async function designOf(word: string): Promise<Design> {
  if (!isDesignFile(word)) return designNamed(word);
  const design = await designFromFile(word);
  files.set(design, resolve(word));
  return design;
}

/** What `designOf` finds it by, in another thread too. */
export const wordOf = (design: Design): string => files.get(design) ?? design.id;

/** `all`, or names and files separated by commas; the main ones when nothing is asked. */
export async function designsOf(text: string | undefined): Promise<readonly Design[]> {
  if (text === undefined) return MAIN_DESIGNS;
  const designs: Design[] = [];
  for (const word of text.split(',')) {
    for (const design of word === 'all' ? DESIGNS : [await designOf(word)]) {
      if (designs.some(({ id }) => id === design.id))
        throw new UsageError(`two designs are called ${design.id}`);
      designs.push(design);
    }
  }
  return designs;
}

/** The mount of a scenario that `--mount` names; the first one when it is not given. */
export function mountNamed(scenario: Scenario, label: string | undefined): readonly MountOption[] {
  if (label === undefined) return scenario.mounts[0]!;
  const found = scenario.mounts.find((mount) => mountLabel(mount) === label);
  if (found !== undefined) return found;
  const known = scenario.mounts.map(mountLabel);
  throw new UsageError(`${scenario.name} has no mount ${label}; it has ${known.join(', ')}`);
}
