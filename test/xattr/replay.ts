/**
 * Replays a recording of record-kernel.py with our codecs and reports the first byte that differs.
 *
 * The op sequences of ext4_xattr_set_handle and of a nodelalloc write are repeated here in their shortest form, so
 * that a recording exercises setIbodyEntry, the xattr block and the inline bytes together.
 */
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr } from '../../src/errno.ts';
import {
  createInlineData,
  destroyInlineData,
  findInlineData,
  type InlinePlace,
  maxInlineSize,
  truncateInlineData,
  updateInlineData,
  writeInlineData,
} from '../../src/inline/bytes.ts';
import { sealInode } from '../../src/inode/checksum.ts';
import * as block from '../../src/xattr/block.ts';
import * as ibody from '../../src/xattr/ibody.ts';
import { inodeByteLabel } from '../../src/xattr/ibody.ts';
import { resolveXattrName } from '../../src/xattr/names.ts';

/** The seed of UUID 00112233-4455-6677-8899-aabbccddeeff, which every recording uses. */
export const FS_SEED = 0xb720167d;

/** Bytes from the hex of a recording, where `(n)` stands for n zero bytes. */
export function unsqueeze(text: string): Bytes {
  return Bytes.fromHex(text.replace(/\((\d+)\)/g, (_, n) => '00'.repeat(Number(n))));
}

export interface RecordedStep {
  op: string;
  name?: string;
  value?: string;
  pos?: number;
  data?: string;
  size?: number;
  errno?: string;
  raw: string;
  acl?: number;
  block?: string;
}

export interface RecordedSequence {
  ino: number;
  inodeSize: number;
  steps: RecordedStep[];
}

interface State {
  raw: Bytes;
  place: InlinePlace;
  acl: Bytes | undefined;
  mayInline: boolean;
}

const NOT_INLINE: InlinePlace = { inlineOff: 0, inlineSize: 0 };
const ok = <T>(value: T): Exclude<T, { errno: string }> => {
  if (isErr(value)) throw new Error(`unexpected ${value.errno}`);
  return value as Exclude<T, { errno: string }>;
};

/** ext4_xattr_set_handle with flags 0 (set) or XATTR_REPLACE (remove); without ea_inode and without sharing. */
function setXattr(state: State, text: string, value: Bytes | null): string | undefined {
  const name = resolveXattrName(text);
  if (isErr(name)) return name.errno;
  const { nameIndex, name: rest } = name;
  const inBody = ok(ibody.findIbodyEntry(state.raw, nameIndex, rest));
  const inBlock =
    inBody === undefined && state.acl !== undefined
      ? ok(block.findXattrBlockEntry(state.acl, nameIndex, rest))
      : undefined;
  if (value === null && inBody === undefined && inBlock === undefined) return 'ENODATA';
  if (inBody !== undefined && value !== null && ibody.ibodyValue(state.raw, inBody).equals(value))
    return undefined;
  if (inBlock !== undefined && value !== null && block.xattrBlockValue(state.acl!, inBlock).equals(value)) {
    return undefined;
  }
  const setBody = (v: Bytes | null) => {
    const next = ibody.setIbodyEntry(state.raw, nameIndex, rest, v);
    if (isErr(next)) return next.errno;
    state.raw = next;
    const found = findInlineData(next);
    if (state.place.inlineOff !== 0 && found !== undefined && found !== 'corrupt') state.place = found;
    return undefined;
  };
  const setBlock = (v: Bytes | null) => {
    const before = state.acl ?? block.emptyXattrBlock(4096);
    const next = block.setXattrBlockEntry(before, nameIndex, rest, v);
    if (isErr(next)) return next.errno;
    state.acl = block.isEmptyXattrBlock(next) ? undefined : next;
    return undefined;
  };
  if (value === null) return inBody !== undefined ? setBody(null) : setBlock(null);
  const error = setBody(value);
  if (error === undefined) return inBlock === undefined ? undefined : setBlock(null);
  if (error !== 'ENOSPC') return error;
  const inBlockError = setBlock(value);
  if (inBlockError !== undefined || inBody === undefined) return inBlockError;
  return setBody(null);
}

function write(state: State, pos: number, data: Bytes): void {
  if (!state.mayInline) return;
  const end = pos + data.length;
  const { inlineOff } = state.place;
  const made =
    end > maxInlineSize(state.raw, inlineOff)
      ? undefined
      : inlineOff === 0
        ? createInlineData(state.raw, end)
        : updateInlineData(state.raw, state.place, end);
  if (made !== undefined && !isErr(made)) {
    state.place = made;
    state.raw = writeInlineData(made.raw, made, pos, data);
    return;
  }
  state.mayInline = false;
  if (inlineOff !== 0) state.raw = destroyInlineData(state.raw);
  state.place = NOT_INLINE;
}

/**
 * Which bytes of the raw inode a replay must reproduce: i_block (while inline or never written), the extra size and
 * everything from the ibody header on. The rest is times, counters, allocation and the checksum.
 */
function compared(at: number, start: number, iBlock: boolean): boolean {
  return (iBlock && at >= 0x28 && at < 0x64) || at === 0x80 || at === 0x81 || at >= start;
}

/** @returns what differs first, or the number of steps that agree */
export function replay(sequence: RecordedSequence, fsSeed: number = FS_SEED): string | number {
  const first = sequence.steps[0]!;
  const state: State = { raw: unsqueeze(first.raw), place: NOT_INLINE, acl: undefined, mayInline: true };
  let written = false;
  for (const [i, step] of sequence.steps.entries()) {
    const where = `inode ${sequence.ino} step ${i} ${step.op} ${step.name ?? ''}${step.pos ?? ''}`;
    const kernel = unsqueeze(step.raw);
    let errno: string | undefined;
    switch (step.op) {
      case 'create':
        break;
      case 'set':
        errno = setXattr(state, step.name!, Bytes.fromHex(step.value!));
        break;
      case 'remove':
        errno = setXattr(state, step.name!, null);
        break;
      case 'write':
        written = true;
        write(state, step.pos!, Bytes.fromHex(step.data!));
        break;
      case 'truncate':
        if (state.place.inlineOff !== 0) {
          const cut = ok(truncateInlineData(state.raw, state.place, step.size!));
          state.raw = cut.raw;
          state.place = cut;
        }
        break;
      default:
        return `${where}: unknown op`;
    }
    if (errno !== step.errno) return `${where}: ${errno} here, ${step.errno} in the kernel`;
    const inlineInKernel = (kernel.u32(0x20) & 0x10000000) !== 0;
    if (inlineInKernel !== (state.place.inlineOff !== 0))
      return `${where}: inline ${inlineInKernel} in the kernel`;
    const start = ibody.ibodyStart(kernel);
    for (let at = 0; at < kernel.length; at++) {
      if (!compared(at, start, inlineInKernel || !written) || kernel.u8(at) === state.raw.u8(at)) continue;
      return `${where}: byte 0x${at.toString(16)} (${inodeByteLabel(kernel, at)})\nkernel ${kernel.toHex()}\nhere   ${state.raw.toHex()}`;
    }
    if (!sealInode(kernel, sequence.ino, fsSeed).equals(kernel)) return `${where}: inode checksum`;
    if ((step.block === undefined) !== (state.acl === undefined)) return `${where}: xattr block ${step.acl}`;
    if (step.block !== undefined) {
      const real = unsqueeze(step.block);
      const sealed = block.sealXattrBlock(state.acl!, step.acl!, fsSeed);
      if (!real.equals(sealed))
        return `${where}: xattr block\nkernel ${real.toHex()}\nhere   ${sealed.toHex()}`;
    }
  }
  return sequence.steps.length;
}
