/**
 * Rows about small writes: 100 bytes at offset 0 of a file that lives in its inode, through the library, through
 * memfs, and through node on a real ext4 with inline data (a loop mount, for root).
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labTimes } from './lab.ts';
import type { Row } from './rows.ts';

const LENGTH = 100;
const BURST = 4000;

/** A mounted ext4 with inline data, and a file on it. */
interface RealFile {
  readonly fd: number;
  remove(): void;
}

/** @returns the reason when there can be none */
function realFile(): RealFile | string {
  if (process.getuid?.() !== 0) return 'a loop mount needs root';
  const folder = mkdtempSync(join(tmpdir(), 'ext4lab-ext4-'));
  const image = join(folder, 'image');
  const mounted = join(folder, 'mounted');
  const quiet = (command: string, ...args: string[]): void => {
    execFileSync(command, args, {
      stdio: 'pipe',
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
  };
  try {
    mkdirSync(mounted);
    quiet('mkfs.ext4', '-q', '-F', '-b', '4096', '-I', '256', '-O', 'inline_data', image, '16M');
    quiet('mount', '-o', 'loop', image, mounted);
  } catch (error) {
    rmSync(folder, { recursive: true });
    return `no loop mount: ${(error as Error).message.split('\n').filter(Boolean).at(-1)}`;
  }
  const fd = openSync(join(mounted, 'f'), 'w');
  return {
    fd,
    remove() {
      closeSync(fd);
      quiet('umount', mounted);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Nanoseconds per write, the best of so many bursts. */
function writeTime(fd: number, bursts: number): number {
  const data = new Uint8Array(LENGTH).fill(0x61);
  let best = Number.POSITIVE_INFINITY;
  for (let burst = 0; burst < bursts; burst++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < BURST; i++) {
      data[0] = i;
      writeSync(fd, data, 0, LENGTH, 0);
    }
    best = Math.min(best, Number(process.hrtime.bigint() - start) / BURST);
  }
  return best;
}

export function fileOperations(rounds: number): Row[] {
  const best: Record<string, number> = {};
  const keep = (times: Record<string, number>): void => {
    for (const [name, time] of Object.entries(times)) best[name] = Math.min(best[name] ?? time, time);
  };
  const real = realFile();
  let isInline = false;
  try {
    for (let round = 0; round < rounds; round++) {
      keep(labTimes(10));
      if (typeof real !== 'string') keep({ 'ext4 write': writeTime(real.fd, 10) });
    }
    if (typeof real !== 'string') {
      fsyncSync(real.fd);
      // ext4_getattr reports one sector for data that needs no block.
      isInline = fstatSync(real.fd).blocks === 1;
    }
  } finally {
    if (typeof real !== 'string') real.remove();
  }
  const rate = (name: string): string => `${Math.round(1e6 / best[name]!)} k/s`;
  const ratio = (theirs: string, ours: string): number => best[theirs]! / best[ours]!;
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
    typeof real === 'string'
      ? { what, measured: null, unit: '', goal: toExt4, note: real }
      : {
          what,
          measured: ratio('ext4 write', 'lab write'),
          unit: '',
          goal: toExt4,
          note: `ext4 ${rate('ext4 write')}${isInline ? '' : ' (NOT INLINE there)'}, loop mount, inline_data`,
        },
  ];
}
