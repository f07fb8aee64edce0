/** Recordings as the command line names them: the name of a bundled one, a file, or a folder of files. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Recording, readRecording } from '../../compare/recording.ts';
import { didYouMean } from '../../scenario/suggest.ts';
import { UsageError } from '../errors.ts';
import { shownPath } from '../scenarioFiles.ts';

/** Of the package: the same from `src/cli/kernel` and from `dist/cli/kernel`. */
export const BUNDLED_RECORDINGS: string = fileURLToPath(new URL('../../../fixtures/kernel', import.meta.url));
export const FIXTURE_IMAGES_FOLDER: string = fileURLToPath(
  new URL('../../../fixtures/images', import.meta.url),
);

/** @param words  none means every bundled recording */
export function recordingFiles(words: readonly string[], folder: string = BUNDLED_RECORDINGS): string[] {
  const bundled = filesIn(folder);
  if (words.length === 0) return bundled;
  const files = words.flatMap((word) => {
    if (existsSync(word)) return statSync(word).isDirectory() ? filesIn(word) : [word];
    const found = bundled.find((file) => basename(file, '.json') === word);
    if (found !== undefined) return [found];
    const near = didYouMean(
      word,
      bundled.map((file) => basename(file, '.json')),
    );
    throw new UsageError(`no recording ${JSON.stringify(word)}${near}`);
  });
  return [...new Set(files)];
}

/** @throws RecordingError, or the error of reading the file */
export function loadRecording(file: string): Recording {
  return readRecording(readFileSync(file, 'utf8'), shownPath(file));
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(folder, name));
}
