/** The law of test/laws/worlds.test.ts on more mixtures. */
import { it } from 'vitest';
import { WORLD_CASES, worldsAgree } from '../support/worlds.ts';

it.each(WORLD_CASES)('agree after every step: $label', (each) => worldsAgree(each, [2, 3]));
