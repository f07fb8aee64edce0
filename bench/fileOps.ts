/**
 * Rows about small writes: 100 bytes at offset 0 of a file that lives in its inode, through the library, through
 * memfs, and through node on a real ext4 with inline data (a loop mount, for root).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabTimes, labTimes } from './lab.ts';
import type { Row } from './rows.ts';

/** A mounted ext4 with inline data. */
interface Mounted {
  readonly folder: string;
  remove(): void;
}

/** @returns the reason when there can be none */
function mountExt4(): Mounted | string {
  if (process.getuid?.() !== 0) return 'a loop mount needs root';
  const base = mkdtempSync(join(tmpdir(), 'ext4lab-ext4-'));
  const image = join(base, 'image');
  const folder = join(base, 'mounted');
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const run = (command: string, ...args: string[]): void => {
    execFileSync(command, args, { stdio: 'pipe', env });
  };
  try {
    mkdirSync(folder);
    run('mkfs.ext4', '-q', '-F', '-b', '4096', '-I', '256', '-O', 'inline_data', image, '16M');
    run('mount', '-o', 'loop', image, folder);
  } catch (error) {
    rmSync(base, { recursive: true });
    return `no loop mount: ${(error as Error).message.trim().split('\n').at(-1)}`;
  }
  const remove = (): void => {
    run('umount', folder);
    rmSync(base, { recursive: true });
  };
  return { folder, remove };
}

/** Do 100 bytes stay in the inode there? ext4_getattr reports one sector for data that needs no block. */
function keepsInline(folder: string): boolean {
  const path = join(folder, 'probe');
  writeFileSync(path, new Uint8Array(100), { flush: true });
  return statSync(path).blocks === 1;
}

export function fileOperations(rounds: number): Row[] {
  const mounted = mountExt4();
  const real = typeof mounted === 'string' ? null : mounted;
  const rows: LabTimes[] = [];
  let isInline = false;
  try {
    if (real !== null) isInline = keepsInline(real.folder);
    // Bursts take turns inside each run, and every run keeps its best.
    for (let round = 0; round < Math.ceil(rounds / 2); round++) rows.push(labTimes(real?.folder));
  } finally {
    real?.remove();
  }
  const best = (name: keyof LabTimes): number => Math.min(...rows.map((row) => row[name]));
  const rate = (name: keyof LabTimes): string => `${Math.round(1e6 / best(name))} k/s`;
  const ratio = (theirs: keyof LabTimes, ours: keyof LabTimes): number => best(theirs) / best(ours);
  const toExt4 = { better: 'higher', floor: 0.3, target: 1 } as const;
  const what = 'small inline write, library ÷ real ext4 from node';
  return [
    {
      what: 'small inline write, library ÷ memfs',
      measured: ratio('memfs write', 'lab write'),
      unit: '',
      goal: { better: 'higher', floor: 0.15, target: 0.7 },
      note: `library ${rate('lab write')}, memfs ${rate('memfs write')}`,
    },
    {
      what: 'small inline read, library ÷ memfs',
      measured: ratio('memfs read', 'lab read'),
      unit: '',
      goal: null,
      note: `library ${rate('lab read')}, memfs ${rate('memfs read')}`,
    },
    real === null
      ? { what, measured: null, unit: '', goal: toExt4, note: `${mounted}` }
      : {
          what,
          measured: ratio('real write', 'lab write'),
          unit: '',
          goal: toExt4,
          note: `ext4 ${rate('real write')} on a loop mount${isInline ? '' : ', NOT INLINE there'}`,
        },
  ];
}
