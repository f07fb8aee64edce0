/** The reduced search finds what the whole one finds: every bundled scenario under every mount and design. */
import { expect, it } from 'vitest';
import { foundReduced, foundWhole } from '../support/reduced.ts';
import { CASES, OTHER_CASES } from '../support/scenarios.ts';

it.each([...CASES, ...OTHER_CASES])('$label', (each) => {
  expect(foundReduced(each)).toEqual(foundWhole(each));
});
