/** The law of test/laws/worlds.test.ts on more mixtures. */
import { it } from 'vitest';
import { CASES } from '../support/scenarios.ts';
import { worldsAgree } from '../support/worlds.ts';

it.each(CASES)('agree after every step: $label', (each) => worldsAgree(each, [2, 3]));
