import { expect, it } from 'vitest';
import { onVolume } from '../../src/scenario/damage.ts';
import { ScenarioError } from '../../src/scenario/error.ts';
import { mkfsImage } from '../../src/volume/mkfs.ts';
import { patchSuper } from '../volume/build.ts';

const sound = mkfsImage();
const damaged = patchSuper(sound, { freeInodesCount: 3 });
const fail = (): never => {
  throw new RangeError('inode 99 is outside 1..16');
};

it('a run that fails on a damaged volume ends with what is wrong on the volume', () => {
  expect(() => onVolume(damaged, 'fs.img', fail)).toThrow(
    /^fs\.img: the volume is damaged, and the script ran into it: byte 1040: superblock: wrong free inode count/,
  );
});

it('a run that fails on a sound volume is our mistake, and what it says itself stays', () => {
  expect(() => onVolume(sound, 'fs.img', fail)).toThrow(RangeError);
  const own = () => {
    throw new ScenarioError('line 3', {});
  };
  expect(() => onVolume(damaged, 'fs.img', own)).toThrow(/^line 3$/);
  expect(onVolume(damaged, 'fs.img', () => 7)).toBe(7);
});
