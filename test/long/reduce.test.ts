/** The reduced search finds what the whole one finds: every bundled scenario under every mount and design. */
import { expect, it } from 'vitest';
import { foundReduced, foundWhole } from '../support/reduced.ts';
import { CASES, OTHER_CASES } from '../support/scenarios.ts';

/** Hundreds of dirty blocks that every step of the flusher touches: what steps have in common takes 20 GiB to note. */
const LARGE = /^low-space-/;

it.each([...CASES, ...OTHER_CASES].filter(({ label }) => !LARGE.test(label)))('$label', (each) => {
  expect(foundReduced(each)).toEqual(foundWhole(each));
});
