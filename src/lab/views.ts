/**
 * Looking at an inode and at a folio: plain data, copied, that does not change when the state does. Looking touches
 * nothing: what is not cached is read from the medium and stays uncached.
 */
import { Bytes } from '../bytes/bytes.ts';
import { bufferBytes } from '../device/buffer.ts';
import { readMedium } from '../device/medium.ts';
import { isErr, type Result } from '../errno.ts';
import { findInlineData, readInlineData } from '../inline/bytes.ts';
import {
  fitsInInode,
  I_BLOCK_AT,
  I_BLOCK_SIZE,
  INODE_FLAG,
  type InodeField,
  inodeLayout,
  rawFileAcl,
} from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock } from '../locks/lock.ts';
import { folioMapping } from '../pagecache/rmap.ts';
import { fieldsOf, type Rec } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { peekBlock, peekRaw } from '../vfs/peek.ts';
import { type Extent, entries } from '../volume/extent.ts';
import { inodeLocation } from '../volume/geometry.ts';
import { xattrBlockEntries, xattrBlockValue } from '../xattr/block.ts';
import { hasIbody, ibodyEntries, ibodyValue } from '../xattr/ibody.ts';
import { listedXattrName } from '../xattr/names.ts';

/** An inode, as its bytes and as the kernel has it in memory. */
export interface InodeView {
  readonly ino: number;
  /** Where it lies: a block of the inode table, and the byte in it. */
  readonly location: { readonly block: number; readonly offset: number };
  /** The whole inode as the bdev cache has it, or the medium when it is not cached. */
  readonly raw: Uint8Array;
  /** struct ext4_inode decoded; fields that this inode is too small for are left out. */
  readonly fields: Readonly<Partial<Record<Exclude<InodeField, 'iBlock'>, number>>> & {
    readonly iBlock: Uint8Array;
  };
  /** By full name, as listxattr(2) and getxattr(2) tell. */
  readonly xattrs: Readonly<Record<string, Uint8Array>>;
  /** Offset of the system.data entry in `raw`, the bytes there is room for (i_inline_size), and those bytes. */
  readonly inline: { readonly off: number; readonly size: number; readonly bytes: Uint8Array } | null;
  /** In logical order; what delayed allocation has only promised is not among them. */
  readonly extents: readonly Extent[];
  /** struct inode and struct ext4_inode_info; null when the inode is not in core. */
  readonly core: Readonly<CoreFields> | null;
}

/** The in-memory inode without its content. */
export type CoreFields = Omit<Rec<'inode'>, 'inCore' | 'iData'>;

export function viewInode(k: Kernel, ino: number): InodeView {
  const raw = peekRaw(k, ino);
  const inCore = k.world.firstKeys('inode').includes(ino) && k.inode(ino).inCore;
  return {
    ino,
    location: inodeLocation(k.geo, ino),
    raw: raw.toUint8Array(),
    fields: fieldsIn(raw),
    xattrs: Object.fromEntries(xattrsIn(k, raw).map(([name, value]) => [name, value.toUint8Array()])),
    inline: inlineIn(raw),
    extents: extentsIn(k, raw, inCore ? k.inode(ino) : null),
    core: inCore ? coreFields(k.inode(ino)) : null,
  };
}

function fieldsIn(raw: Bytes): InodeView['fields'] {
  const out: Record<string, number | Uint8Array> = {};
  for (const name of Object.keys(inodeLayout.fields) as InodeField[]) {
    if (!fitsInInode(raw, name)) continue;
    const value = inodeLayout.get(raw, name) as number | Bytes;
    out[name] = value instanceof Bytes ? value.toUint8Array() : value;
  }
  return out as unknown as InodeView['fields'];
}

function coreFields(inode: Rec<'inode'>): CoreFields {
  const names = Object.keys(fieldsOf('inode')).filter((name) => name !== 'inCore' && name !== 'iData');
  return Object.fromEntries(names.map((name) => [name, inode[name as keyof CoreFields]])) as CoreFields;
}

function inlineIn(raw: Bytes): InodeView['inline'] {
  const place = findInlineData(raw);
  if ((raw.u32(0x20) & INODE_FLAG.inlineData) === 0 || place === undefined || place === 'corrupt')
    return null;
  const bytes = readInlineData(raw, place, place.inlineSize).toUint8Array();
  return { off: place.inlineOff, size: place.inlineSize, bytes };
}

function extentsIn(k: Kernel, raw: Bytes, inode: Rec<'inode'> | null): readonly Extent[] {
  const flags = inode?.flags ?? raw.u32(0x20);
  if ((flags & INODE_FLAG.extents) === 0) return [];
  const root = inode?.iData ?? raw.slice(I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
  const tree = entries(root, (block) => peekBlock(k, block));
  return isErr(tree) ? [] : tree;
}

/** What listxattr lists, and the values. */
function xattrsIn(k: Kernel, raw: Bytes): [name: string, value: Bytes][] {
  const out: [string, Bytes][] = [];
  const add = (index: number, name: string, value: () => Bytes): void => {
    const full = listedXattrName(index, name);
    if (full !== undefined) out.push([full, value()]);
  };
  if (hasIbody(raw)) {
    for (const entry of ibodyEntries(raw)) add(entry.nameIndex, entry.name, () => ibodyValue(raw, entry));
  }
  const acl = rawFileAcl(raw);
  if (acl !== 0) {
    const block = peekBlock(k, acl);
    for (const entry of xattrBlockEntries(block))
      add(entry.nameIndex, entry.name, () => xattrBlockValue(block, entry));
  }
  return out;
}

/** @source fs/ext4/xattr.c ext4_listxattr */
export function* xattrNames(k: Kernel, ino: number): Op<Result<string[]>> {
  return yield* step(k, 'ext4_listxattr', () => xattrsIn(k, peekRaw(k, ino)).map(([name]) => name));
}

/** A block of the device: its buffer, and what survives. */
export interface BlockView {
  readonly block: number;
  /** As the bdev cache has it: metadata, inode tables put together. Null when it is not cached. */
  readonly buffer: Uint8Array | null;
  /** As the medium has it. */
  readonly medium: Uint8Array;
  /** BH_Dirty: the flusher of the block device will write it. */
  readonly dirty: boolean;
  /** On the running and on the committing transaction. */
  readonly running: boolean;
  readonly committing: boolean;
}

/** The second and the third copy of a byte; the first is in a folio. */
export function viewBlock(k: Kernel, block: number): BlockView {
  const { cached, dirty, running, committing } = k.buf(block);
  return {
    block,
    buffer: cached ? bufferBytes(k, block).toUint8Array() : null,
    medium: readMedium(k, block).toUint8Array(),
    dirty,
    running,
    committing,
  };
}

/** A page of the page cache, with its flags and who maps it. */
export interface FolioView {
  readonly present: boolean;
  readonly uptodate: boolean;
  /** PG_dirty. */
  readonly dirty: boolean;
  readonly writeback: boolean;
  readonly locked: boolean;
  /** Some page table maps it; and whether some entry is writable, and dirty. */
  readonly mapped: boolean;
  readonly pteWritable: boolean;
  readonly pteDirty: boolean;
  /** Tags of i_pages, which are apart from the flags. */
  readonly tags: { readonly dirty: boolean; readonly towrite: boolean; readonly writeback: boolean };
  /** Its 4096 bytes; null when the folio is absent. */
  readonly data: Uint8Array | null;
}

export function viewFolio(k: Kernel, ino: number, index: number): FolioView {
  const folio = k.folio(ino, index);
  const { mapped, writable, dirty } = folioMapping(k, ino, index);
  const data = folio.data ?? Bytes.zero(PAGE_SIZE);
  return {
    present: folio.present,
    uptodate: folio.uptodate,
    dirty: folio.dirty,
    writeback: folio.writeback,
    locked: k.lockRecord(folioLock(ino, index)).owner !== 0,
    mapped,
    pteWritable: writable,
    pteDirty: dirty,
    tags: { dirty: folio.tagDirty, towrite: folio.tagTowrite, writeback: folio.tagWriteback },
    data: folio.present ? data.toUint8Array() : null,
  };
}
