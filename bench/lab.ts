/**
 * The library against the two things it is used instead of: memfs, and the file system of this machine through node.
 * 100 bytes at offset 0 of a file that lives in its inode, written and read again and again.
 *
 * All contenders take turns in short bursts and the best burst of each counts, so that a busy machine slows all alike.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFsFromVolume, Volume } from 'memfs';
import { createLab } from '../src/index.ts';

export interface LabFigure {
  readonly name: string;
  /** A ratio of rates: ours ÷ theirs. */
  readonly value: number;
  readonly floor: number;
  readonly target: number;
}

const LENGTH = 100;
const BURST = 4000;
const ROUNDS = 150;

/** Nanoseconds per call of each contender. */
export function labTimes(rounds: number = ROUNDS): Record<string, number> {
  const data = new Uint8Array(LENGTH).fill(0x61);
  const back = new Uint8Array(LENGTH);
  const buffer = Buffer.from(data);

  const file = createLab({ mkfs: { inodeSize: 256 } }).fs.openSync('/f', 'w+');
  const mem = createFsFromVolume(new Volume());
  const memFd = mem.openSync('/f', 'w+');
  const folder = mkdtempSync(join(tmpdir(), 'ext4lab-bench-'));
  const realFd = openSync(join(folder, 'f'), 'w+');

  const contenders: Record<string, (i: number) => void> = {
    'lab write': (i) => {
      data[0] = i;
      file.writeSync(data, 0, LENGTH, 0);
    },
    'memfs write': (i) => {
      buffer[0] = i;
      mem.writeSync(memFd, buffer, 0, LENGTH, 0);
    },
    'real write': (i) => {
      buffer[0] = i;
      writeSync(realFd, buffer, 0, LENGTH, 0);
    },
    'lab read': () => {
      file.readSync(back, 0, LENGTH, 0);
    },
    'memfs read': () => {
      mem.readSync(memFd, buffer, 0, LENGTH, 0);
    },
    'real read': () => {
      readSync(realFd, buffer, 0, LENGTH, 0);
    },
  };
  const best: Record<string, number> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, call] of Object.entries(contenders)) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < BURST; i++) call(i);
      const each = Number(process.hrtime.bigint() - start) / BURST;
      best[name] = Math.min(best[name] ?? each, each);
    }
  }
  closeSync(realFd);
  rmSync(folder, { recursive: true });
  return best;
}

export async function benchLab(): Promise<LabFigure[]> {
  const t = labTimes();
  const ratio = (theirs: string, ours: string): number => t[theirs]! / t[ours]!;
  return [
    {
      name: 'small inline write ÷ memfs',
      value: ratio('memfs write', 'lab write'),
      floor: 0.15,
      target: 0.7,
    },
    { name: 'small inline read ÷ memfs', value: ratio('memfs read', 'lab read'), floor: 0.15, target: 0.7 },
    {
      name: 'small inline write ÷ this machine through node',
      value: ratio('real write', 'lab write'),
      floor: 0.3,
      target: 1,
    },
    {
      name: 'small inline read ÷ this machine through node',
      value: ratio('real read', 'lab read'),
      floor: 0.3,
      target: 1,
    },
  ];
}
