/** Replays a directory recording of test/xattr/record-kernel.py and reports what differs first. */
import { Bytes } from '../../src/bytes/bytes.ts';
import { crc32cBytes } from '../../src/bytes/crc32c.ts';
import { isErr } from '../../src/errno.ts';
import { destroyInlineData, findInlineData, type InlinePlace } from '../../src/inline/bytes.ts';
import {
  emptyInlineDir,
  findInlineDirent,
  inlineDirEntries,
  inlineDirToBlock,
  insertInChunk,
  insertInlineDirent,
  readInlineDir,
  removeInlineDirent,
} from '../../src/inline/dir.ts';
import { inodeSeed } from '../../src/inode/checksum.ts';
import { direntTypeOf } from '../../src/inode/layout.ts';
import { ibodyStart, setIbodyEntry } from '../../src/xattr/ibody.ts';
import { FS_SEED, unsqueeze } from '../xattr/replay.ts';

export interface RecordedDirStep {
  op: string;
  name?: string;
  value?: string;
  parent?: number;
  ino?: number;
  mode?: number;
  dirSize?: number;
  raw: string;
  dirBlock?: string;
  list?: string[];
}

export interface RecordedDirSequence {
  ino: number;
  inodeSize: number;
  steps: RecordedDirStep[];
}

const ok = <T>(value: T): Exclude<T, { errno: string }> => {
  if (isErr(value)) throw new Error(`unexpected ${value.errno}`);
  return value as Exclude<T, { errno: string }>;
};
const placeOf = (raw: Bytes): InlinePlace => {
  const place = findInlineData(raw);
  if (place === undefined || place === 'corrupt') throw new Error('not inline');
  return place;
};

/** @returns what differs first, or the number of steps that agree */
export function replayDir(sequence: RecordedDirSequence, fsSeed: number = FS_SEED): string | number {
  let raw = unsqueeze(sequence.steps[0]!.raw);
  for (const [i, step] of sequence.steps.entries()) {
    const where = `dir ${sequence.ino} step ${i} ${step.op} ${step.name ?? ''}`;
    const kernel = unsqueeze(step.raw);
    let block: Bytes | undefined;
    switch (step.op) {
      case 'mkdir':
        if (!raw.slice(0x28, 0x64).equals(emptyInlineDir(step.parent!))) return `${where}: i_block`;
        break;
      case 'set':
        raw = ok(setIbodyEntry(raw, 1, 'k', Bytes.fromHex(step.value!)));
        break;
      case 'unlink': {
        const place = placeOf(raw);
        const entry = ok(findInlineDirent(raw, place, step.name!));
        if (entry === undefined) return `${where}: not found`;
        raw = ok(removeInlineDirent(raw, place, entry.at));
        break;
      }
      case 'add': {
        const entry = { ino: step.ino!, name: step.name!, fileType: direntTypeOf(step.mode!) };
        const added = ok(insertInlineDirent(raw, placeOf(raw), entry));
        raw = added.raw;
        if (added.at !== undefined) {
          if (step.dirSize !== added.inlineSize)
            return `${where}: size ${added.inlineSize}, not ${step.dirSize}`;
          break;
        }
        const fresh = ok(inlineDirToBlock(raw, added, sequence.ino, { blockSize: 4096, tail: true }));
        const full = insertInChunk(fresh, { at: 0, size: 4096 - 12 }, entry);
        if (full === undefined || isErr(full)) return `${where}: no room in the block`;
        const seed = inodeSeed(sequence.ino, kernel.u32(0x64), fsSeed);
        block = full.raw.putU32(4092, crc32cBytes(seed, full.raw, 0, 4084));
        raw = destroyInlineData(raw);
        break;
      }
      default:
        return `${where}: unknown op`;
    }
    const converted = (kernel.u32(0x20) & 0x10000000) === 0;
    if (converted !== (block !== undefined)) return `${where}: converted ${converted} in the kernel`;
    if (block !== undefined && !block.equals(unsqueeze(step.dirBlock!))) {
      return `${where}: block\nkernel ${step.dirBlock}\nhere   ${block.toHex()}`;
    }
    const start = ibodyStart(kernel);
    const same = (from: number, to: number) => kernel.slice(from, to).equals(raw.slice(from, to));
    if (!(converted || same(0x28, 0x64)) || !same(start, raw.length)) {
      return `${where}\nkernel ${kernel.toHex()}\nhere   ${raw.toHex()}`;
    }
    if (!converted && step.list !== undefined) {
      const names = ok(inlineDirEntries(raw, placeOf(raw))).map((entry) => entry.name);
      if (names.join() !== step.list.join()) return `${where}: ${names} here, ${step.list} in the kernel`;
      const lines = readInlineDir(raw, placeOf(raw), sequence.ino).map((line) => line.name);
      if (lines.join() !== ['.', '..', ...names].join()) return `${where}: readdir ${lines}`;
    }
  }
  return sequence.steps.length;
}
