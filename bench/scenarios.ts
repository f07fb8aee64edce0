/** The fixtures' scenarios as sessions and subjects, for the benchmarks. */
import { dirname, join } from 'node:path';
import { readImage } from '../src/cli/kernel/check.ts';
import { loadScenarios } from '../src/cli/scenarioFiles.ts';
import { DESIGNS } from '../src/designs/index.ts';
import type { Subject } from '../src/explore/subject.ts';
import type { Invariant } from '../src/invariants/invariant.ts';
import type { MountOption } from '../src/scenario/image.ts';
import { makeVolume } from '../src/scenario/image.ts';
import { mountLabel, type Scenario } from '../src/scenario/schema.ts';
import { type Session, startSession } from '../src/scenario/session.ts';
import { Image } from '../src/volume/image.ts';

export function imageOf(scenario: Scenario): Image {
  const { image, file } = scenario;
  return 'file' in image
    ? Image.load(readImage(join(dirname(file!), image.file)))
    : makeVolume(image.mkfs, file);
}

/** @param mount  as the matrix prints it: `delalloc` */
export function scenarioSession(
  name: string,
  design: string,
  mount: string,
): { readonly scenario: Scenario; readonly session: Session } {
  const scenario = loadScenarios([]).find((each) => each.name === name);
  const chosen = DESIGNS.find((each) => each.id === design);
  const options: readonly MountOption[] | undefined = scenario?.mounts.find(
    (each) => mountLabel(each) === mount,
  );
  if (scenario === undefined || chosen === undefined || options === undefined)
    throw new Error(`no ${name}:${design}@${mount}`);
  return { scenario, session: startSession(scenario, imageOf(scenario), chosen, options) };
}

export const subjectOfSession = (session: Session, invariants: readonly Invariant[]): Subject => ({
  k: session.k,
  world: session.world,
  specs: session.specs,
  invariants,
});
