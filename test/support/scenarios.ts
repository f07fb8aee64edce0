/** The bundled scenarios with their volumes, for tests that run over all of them. */
import { imageOf } from '../../src/cli/images.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { DESIGNS, type Design } from '../../src/designs/index.ts';
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

/** Every scenario × mount × design. */
export const CASES: readonly Case[] = SCENARIOS.flatMap((scenario) =>
  scenario.mounts.flatMap((mount) =>
    DESIGNS.map((design) => ({
      label: `${scenario.name} ${mountLabel(mount)} ${design.id}`,
      scenario,
      image: imageOf(scenario),
      mount,
      design,
    })),
  ),
);
