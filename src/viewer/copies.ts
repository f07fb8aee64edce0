/**
 * The copies of a file's bytes, one under the other, with what the file should hold above them.
 *
 *     model        the file as a plain byte array
 *     folio        the page cache: what read(2), loads and stores see
 *     bdev cache   where the bytes are at home: the raw inode, or the block
 *     log          the newest committed transaction that has that block
 *     medium       the same place, as it survives
 *
 * Where the inode on the medium still names another home than the one in core, that one is the last row: it is what a
 * mount without the log would find.
 */
import { Bytes } from '../bytes/bytes.ts';
import { bufferBytes } from '../device/buffer.ts';
import { readMedium } from '../device/medium.ts';
import { isErr } from '../errno.ts';
import { findInlineData, readInlineData } from '../inline/bytes.ts';
import { I_BLOCK_AT, I_BLOCK_SIZE, INODE_FLAG } from '../inode/layout.ts';
import { type Kernel, PAGE_SIZE } from '../kernel.ts';
import { peekBlock, peekRaw } from '../vfs/peek.ts';
import { lookupBlockMap } from '../volume/blockMap.ts';
import { lookup } from '../volume/extent.ts';
import { inodeLocation } from '../volume/geometry.ts';

export interface Copy {
  readonly name: string;
  /** Where, and in what state. */
  readonly where: string;
  /** Null: there is none, or none of these bytes. A copy may end before the others. */
  readonly bytes: Bytes | null;
}

/** Where file bytes are at home. */
type Home =
  | { readonly kind: 'inline' }
  | { readonly kind: 'block'; readonly block: number; readonly unwritten: boolean }
  | { readonly kind: 'none'; readonly why: string };

/** @param length  bytes from `from` on, in one block */
export function copiesOf(k: Kernel, ino: number, from: number, length: number): Copy[] {
  const copies: Copy[] = [];
  const ghost = k.ghost(ino);
  const index = Math.floor(from / PAGE_SIZE);
  const inPage = from % PAGE_SIZE;
  const page = (data: Bytes | null, bytes: number): Bytes => {
    const end = Math.max(inPage, Math.min(inPage + length, bytes, PAGE_SIZE));
    return data === null ? Bytes.zero(end - inPage) : data.slice(inPage, end);
  };
  copies.push({
    name: 'model',
    where: ghost.live ? `the file should be: ${ghost.size} bytes` : 'not known to the model',
    bytes: ghost.live ? page(k.ghostPage(ino, index).data, ghost.size - index * PAGE_SIZE) : null,
  });
  const folio = k.folio(ino, index);
  const state = [
    folio.uptodate ? 'uptodate' : 'not uptodate',
    folio.dirty ? 'dirty' : 'clean',
    ...(folio.writeback ? ['writeback'] : []),
  ];
  copies.push({
    name: `folio ${index}`,
    where: folio.present ? state.join(', ') : 'not in the page cache',
    bytes: folio.present ? page(folio.data, PAGE_SIZE) : null,
  });

  const home = homeOf(k, ino, from);
  const medium = (block: number): Bytes => readMedium(k, block);
  const logged = logOf(k);
  copies.push({
    name: 'bdev cache',
    ...atHome(k, ino, home, from, length, (block) => bufferBytes(k, block)),
  });
  const inLog = homeBlock(k, ino, home);
  const log = inLog === null ? undefined : logged.get(inLog);
  copies.push({
    name: 'log',
    ...(log === undefined
      ? { where: logged.size === 0 ? 'empty' : 'does not have the block', bytes: null }
      : atHome(k, ino, home, from, length, () => log)),
  });
  copies.push({ name: 'medium', ...atHome(k, ino, home, from, length, medium) });
  const mounted = homeOnMedium(k, ino, from);
  if (nameOf(mounted) !== nameOf(home))
    copies.push({ name: 'medium, by its inode', ...atHome(k, ino, mounted, from, length, medium) });
  return copies;
}

function homeOf(k: Kernel, ino: number, from: number): Home {
  const inode = k.inode(ino);
  if (!inode.inCore) return homeOfRaw(k, peekRaw(k, ino), from, (block) => peekBlock(k, block));
  const { flags, inlineOff, inlineSize, iData, delayed } = inode;
  const lblk = Math.floor(from / k.blockSize);
  if ((flags & INODE_FLAG.inlineData) !== 0) {
    if (inlineOff !== 0 && from < inlineSize) return { kind: 'inline' };
    return none('behind the inline bytes');
  }
  if (delayed?.includes(lblk)) return none('delayed: no block yet');
  return homeInMap(
    k,
    flags,
    iData ?? peekRaw(k, ino).slice(I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE),
    lblk,
    (block) => peekBlock(k, block),
  );
}

const homeOnMedium = (k: Kernel, ino: number, from: number): Home => {
  const { block, offset } = inodeLocation(k.geo, ino);
  const raw = readMedium(k, block).slice(offset, offset + k.geo.inodeSize);
  return homeOfRaw(k, raw, from, (nr) => readMedium(k, nr));
};

function homeOfRaw(k: Kernel, raw: Bytes, from: number, read: (block: number) => Bytes): Home {
  if (raw.u16(0) === 0) return none('the inode is free there');
  const flags = raw.u32(0x20);
  if ((flags & INODE_FLAG.inlineData) === 0) {
    const map = raw.slice(I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
    return homeInMap(k, flags, map, Math.floor(from / k.blockSize), read);
  }
  const place = findInlineData(raw);
  if (place === undefined || place === 'corrupt') return none('no system.data entry');
  return from < place.inlineSize ? { kind: 'inline' } : none('behind the inline bytes');
}

function homeInMap(k: Kernel, flags: number, map: Bytes, lblk: number, read: (block: number) => Bytes): Home {
  if ((flags & INODE_FLAG.extents) === 0) {
    const block = lookupBlockMap(map, lblk, k.blockSize, read);
    return block === 0 ? none('a hole') : { kind: 'block', block, unwritten: false };
  }
  const found = map.u16(0) === 0xf30a ? lookup(map, lblk, read) : null;
  if (found === null || isErr(found)) return none('no extent tree in i_block');
  return found.kind === 'hole'
    ? none('a hole')
    : { kind: 'block', block: found.pblk, unwritten: found.unwritten };
}

const none = (why: string): Home => ({ kind: 'none', why });

const nameOf = (home: Home): string =>
  home.kind === 'block' ? `block ${home.block}` : home.kind === 'none' ? '' : 'inline';

/** The block of the volume that holds the home. */
const homeBlock = (k: Kernel, ino: number, home: Home): number | null =>
  home.kind === 'none' ? null : home.kind === 'block' ? home.block : inodeLocation(k.geo, ino).block;

/** What a version of the home's block holds. */
function atHome(
  k: Kernel,
  ino: number,
  home: Home,
  from: number,
  length: number,
  read: (block: number) => Bytes,
): Omit<Copy, 'name'> {
  if (home.kind === 'none') return { where: home.why, bytes: null };
  if (home.kind === 'block') {
    const at = from % k.blockSize;
    const where = `block ${home.block}${home.unwritten ? ', unwritten: reads as zeros' : ''}`;
    return { where, bytes: read(home.block).slice(at, Math.min(at + length, k.blockSize)) };
  }
  const { block, offset } = inodeLocation(k.geo, ino);
  const raw = read(block).slice(offset, offset + k.geo.inodeSize);
  if ((raw.u32(0x20) & INODE_FLAG.inlineData) === 0)
    return { where: `inode ${ino} is not inline there`, bytes: null };
  // Each version's own value: the one in core may have moved it since.
  const place = findInlineData(raw);
  const own = place === undefined || place === 'corrupt' ? { inlineOff: 0, inlineSize: I_BLOCK_SIZE } : place;
  const bytes = readInlineData(raw, own, Math.min(from + length, own.inlineSize));
  const where = own.inlineSize > I_BLOCK_SIZE ? 'i_block and system.data' : 'i_block';
  return { where: `inode ${ino}: ${where}`, bytes: bytes.slice(Math.min(from, bytes.length)) };
}

/** The newest version of each block that the log has. */
function logOf(k: Kernel): Map<number, Bytes> {
  const blocks = new Map<number, Bytes>();
  for (const transaction of k.journal.log ?? [])
    for (const [block, data] of transaction.blocks) blocks.set(block, data);
  return blocks;
}
