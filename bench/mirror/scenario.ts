/**
 * A real scenario of the fixtures held against SPIN: the ops that verdicts come from, with all their bytes, and a
 * Promela model of the same steps written by hand (`writer-store-writepages.pml`, which says what it leaves out).
 */
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { INODE_FLAG } from '../../src/inode/layout.ts';
import { invariantById } from '../../src/invariants/index.ts';
import type { Invariant } from '../../src/invariants/invariant.ts';
import type { Kernel } from '../../src/kernel.ts';
import { BH } from '../../src/state/tables.ts';
import { scenarioSession, subjectOfSession } from '../scenarios.ts';
import { buildPan, type Counts, countsOf, type Tuples, tuplesInto } from './mirror.ts';

export const SCENARIO = 'writer-store-writepages';
const DESIGN = 'mkwrite-convert';
const MOUNT = 'nodelalloc';
/** In one line, as in the matrix. */
export const SCENARIO_NAME: string = `${SCENARIO}:${DESIGN}@${MOUNT}`;

/** Invariants that the Promela model has too, by id and by the name of its macro. */
const PROPERTIES: Readonly<Record<string, string>> = { strict: 'STRICT', settled: 'SETTLED', alias: 'ALIAS' };

export interface ScenarioCounts extends Counts {
  /** Of the invariants that both have, those that some schedule breaks. */
  readonly violates: readonly string[];
}

const INO = 12;
/** The file's bytes at 0 and 60 when CPU1 and CPU0 have written them. */
const STORED = 0x42;
const WRITTEN = 0x43;

/** The data of a state as the Promela model prints it. */
function tupleOf(k: Kernel): string {
  const inode = k.inode(INO);
  const folio = k.folio(INO, 0);
  const { state, block } = k.fbuf(INO, 0);
  const pte = k.pte(1, 0);
  const medium = k.medium(block).data;
  const open = [0, 1].filter((task) => k.file(task, 0).open).length + (k.vma(1, 0).live ? 1 : 0);
  return [
    (inode.flags & INODE_FLAG.inlineData) !== 0,
    inode.mayInline,
    inode.blocks !== 0,
    inode.size === 150,
    k.raw(INO).data?.u32(0x04) === 150,
    inode.dirtyPages,
    k.buf(block).running,
    folio.dirty,
    folio.tagDirty,
    folio.tagTowrite,
    folio.writeback,
    folio.data?.u8(60) === WRITTEN,
    folio.data?.u8(0) === STORED,
    folio.buffers,
    (state & BH.dirty) !== 0,
    (state & BH.mapped) !== 0,
    (state & BH.new) !== 0,
    Number(pte.present) + 2 * Number(pte.writable) + 4 * Number(pte.dirty),
    medium === null ? 0 : 1 + Number(medium.u8(60) === WRITTEN) + 2 * Number(medium.u8(0) === STORED),
    open,
  ]
    .map(Number)
    .join(' ');
}

/** Counts of our explorer on the ops. */
export function exploredScenario(): ScenarioCounts {
  const tuples: Tuples = new Set();
  const { session } = scenarioSession(SCENARIO, DESIGN, MOUNT);
  const asked: Invariant[] = Object.keys(PROPERTIES).map((id) => invariantById(id)!);
  const subject = subjectOfSession(session, [...asked, tuplesInto(tuples, tupleOf)]);
  const { states, transitions, deadlocks, complete, found } = exhaustive(subject, { graph: false });
  if (!complete) throw new Error(`${SCENARIO_NAME}: the search was cut short`);
  const violates = found.map(({ invariant }) => invariant).filter((id) => id in PROPERTIES);
  return { states, transitions, deadlocks, ends: [...tuples].sort(), violates: violates.sort() };
}

const PML: URL = new URL(`${SCENARIO}.pml`, import.meta.url);

/** Counts of SPIN, from a fresh build of the model. */
export function verifiedScenario(): Counts {
  return ran(['-DTUPLES'], '-w20', countsOf);
}

/** The same with a build for every invariant. */
export function verifiedScenarioWithVerdict(): ScenarioCounts {
  const violates = Object.entries(PROPERTIES)
    .filter(([, macro]) => ran([`-DPROPERTY=${macro}`], '-c1', (report) => !/errors: 0\b/.test(report)))
    .map(([id]) => id);
  return { ...verifiedScenario(), violates: violates.sort() };
}

function ran<T>(defines: readonly string[], option: string, read: (report: string) => T): T {
  const pan = buildPan(PML, defines);
  try {
    return read(pan.run(option));
  } finally {
    pan.remove();
  }
}
