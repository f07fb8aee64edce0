/**
 * node labTimes.mjs DIST DIR ROUNDS: prints the nanoseconds a call takes, as JSON. All contenders take turns in short bursts
 * and the best burst of each counts, so that a busy machine slows all alike.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createFsFromVolume, Volume } from 'memfs';

const [dist, dir, rounds] = process.argv.slice(2);
const { createLab } = await import(pathToFileURL(join(dist, 'index.js')).href);

const LENGTH = 100;
const BURST = 4000;

const data = new Uint8Array(LENGTH).fill(0x61);
const back = new Uint8Array(LENGTH);
const lab = createLab({ mkfs: { inodeSize: 256 } });
const file = lab.fs.openSync('/f', 'w+');
const mem = createFsFromVolume(new Volume());
const memFd = mem.openSync('/f', 'w+');
const realPath = join(dir, `ext4lab-bench-${process.pid}`);
const realFd = openSync(realPath, 'w+');

const contenders = {
  'lab write': () => file.writeSync(data, 0, LENGTH, 0),
  'memfs write': () => mem.writeSync(memFd, data, 0, LENGTH, 0),
  'real write': () => writeSync(realFd, data, 0, LENGTH, 0),
  'lab read': () => file.readSync(back, 0, LENGTH, 0),
  'memfs read': () => mem.readSync(memFd, back, 0, LENGTH, 0),
  'real read': () => readSync(realFd, back, 0, LENGTH, 0),
};
const best = {};
for (let round = 0; round < Number(rounds); round++) {
  for (const [name, call] of Object.entries(contenders)) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < BURST; i++) {
      data[0] = i;
      call();
    }
    const each = Number(process.hrtime.bigint() - start) / BURST;
    best[name] = Math.min(best[name] ?? each, each);
  }
}
closeSync(realFd);
rmSync(realPath);
if (lab.inode('/f').inline === null) throw new Error('the file left its inode');
console.log(JSON.stringify(best));
