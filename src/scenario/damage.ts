/**
 * Running on a volume that is broken. The emulator follows the kernel into damage as far as the kernel's own checks
 * are modelled; where it meets what no check caught, the run ends with what is wrong on the volume.
 */
import { checkImage } from '../volume/check.ts';
import type { Image } from '../volume/image.ts';
import { ScenarioError } from './error.ts';

/**
 * Runs something on an image.
 * @throws ScenarioError naming the damage, when the run fails and the check objects to the image; otherwise what the
 *         run throws
 */
export function onVolume<T>(image: Image, file: string | undefined, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ScenarioError || !(error instanceof Error) || error.name === 'BadImage') throw error;
    const damage = checkImage(image).find(({ severity }) => severity === 'error');
    if (damage === undefined) throw error;
    throw new ScenarioError(
      `the volume is damaged, and the script ran into it: byte ${damage.offset}: ${damage.message}`,
      { file },
    );
  }
}
