/**
 * Crash states recovered by another kernel: user-mode-linux mounts each, and what it finds must be what our own recovery
 * gives: names, inodes, modes, sizes, links, times, xattrs, contents. EXT4LAB_UML_IMAGES says how many.
 */
import { expect } from 'vitest';
import { walkInUml } from '../../scripts/kernel/uml.ts';
import { differences, walkImage } from '../../scripts/walk.ts';
import { type CrashState, eachCrashState } from '../support/crashImages.ts';
import { refereed } from '../support/referee.ts';

const COUNT = Number(process.env.EXT4LAB_UML_IMAGES ?? 100);
/** Images of one boot. */
const CHUNK = 50;

refereed(
  `linux.uml recovers ${COUNT} crash states to the files that our recovery gives`,
  ['linux.uml', 'python3'],
  () => {
    const wrong: string[] = [];
    let chunk: CrashState[] = [];
    const boot = (): void => {
      const walked = walkInUml(chunk.map(({ image }) => image));
      for (const [i, { label, recovered }] of chunk.entries()) {
        const answer = walked[i]!;
        if ('error' in answer) wrong.push(`${label}: ${answer.error}`);
        else
          wrong.push(...differences(walkImage(recovered), answer.found).map((line) => `${label}: ${line}`));
      }
      chunk = [];
    };
    const count = eachCrashState(COUNT, (state) => {
      chunk.push(state);
      if (chunk.length === CHUNK) boot();
    });
    if (chunk.length > 0) boot();
    expect(wrong).toEqual([]);
    expect(count).toBe(COUNT);
  },
);
