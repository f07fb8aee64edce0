/** The bundled scenarios with their volumes, for tests that run over all of them. */
import { imageOf } from '../../src/cli/images.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { DESIGNS, type Design, MAIN_DESIGNS } from '../../src/designs/index.ts';
import type { MountOption } from '../../src/scenario/image.ts';
import { mountLabel, type Scenario } from '../../src/scenario/schema.ts';
import type { Image } from '../../src/volume/image.ts';

export interface Case {
  readonly label: string;
  readonly scenario: Scenario;
  readonly image: Image;
  readonly mount: readonly MountOption[];
  readonly design: Design;
}

export const SCENARIOS: readonly Scenario[] = loadScenarios([]);

const casesOf = (designs: readonly Design[]): readonly Case[] =>
  SCENARIOS.flatMap((scenario) =>
    scenario.mounts.flatMap((mount) =>
      designs.map((design) => ({
        label: `${scenario.name} ${mountLabel(mount)} ${design.id}`,
        scenario,
        image: imageOf(scenario),
        mount,
        design,
      })),
    ),
  );

/** Every scenario × mount × main design. */
export const CASES = casesOf(MAIN_DESIGNS);

/** The other designs: the long tests have them. */
export const OTHER_CASES = casesOf(DESIGNS.filter((design) => !MAIN_DESIGNS.includes(design)));
