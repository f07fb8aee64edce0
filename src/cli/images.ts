/** The volume a scenario starts from: a file beside it, or our own mkfs. Read once per command. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { makeVolume } from '../scenario/image.ts';
import type { Scenario } from '../scenario/schema.ts';
import { Image } from '../volume/image.ts';
import { UsageError } from './errors.ts';

const loaded = new Map<string, Image>();

/** @throws BadImage, or the error of reading the file */
export function imageOf(scenario: Pick<Scenario, 'image' | 'file'>): Image {
  if ('mkfs' in scenario.image) {
    const key = JSON.stringify(scenario.image.mkfs);
    return remember(key, () =>
      makeVolume((scenario.image as { mkfs: Parameters<typeof makeVolume>[0] }).mkfs, scenario.file),
    );
  }
  return readImageFile(resolve(dirname(scenario.file), scenario.image.file));
}

/** An image file; `.gz` is unpacked. @throws BadImage naming the file */
export function readImageFile(file: string): Image {
  return remember(file, () => {
    let bytes: Uint8Array = readFileSync(file);
    if (file.endsWith('.gz')) {
      try {
        bytes = gunzipSync(bytes);
      } catch (error) {
        throw new UsageError(`${file}: not a gzip file: ${(error as Error).message}`);
      }
    }
    try {
      return Image.load(new Uint8Array(bytes));
    } catch (error) {
      if (error instanceof Error && error.name === 'BadImage') error.message = `${file}: ${error.message}`;
      throw error;
    }
  });
}

function remember(key: string, make: () => Image): Image {
  let image = loaded.get(key);
  if (image === undefined) loaded.set(key, (image = make()));
  return image;
}
