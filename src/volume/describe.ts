/**
 * What `ext4lab inspect` shows: a volume, its groups and its inodes as plain objects, ready for JSON. Content is
 * hex, names are text (`nameText`), numbers are as stored. Nothing here judges; that is `check`.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import { nameBytes, nameText } from './dirent.ts';
import type { TreeWalk } from './extent.ts';
import { type DirName, fileMap, inlineBytes, listDir, readFile, xattrValue } from './file.ts';
import { blocksInGroup, groupFirstBlock, groupHasSuper, inodeLocation, ROOT_INO } from './geometry.ts';
import { BG_FLAGS } from './groupDesc.ts';
import { type HtreeLeaf, readHtree } from './htree.ts';
import type { Image } from './image.ts';
import { journalSuperblockLayout } from './journalSuper.ts';
import {
  type FileKind,
  fileKind,
  INODE_FLAGS,
  rawInodeChecksum,
  rawInodeExtraLayout,
  rawInodeLayout,
} from './rawInode.ts';
import { ibodyOf, type XattrArea, xattrBlockOf, xattrHeaderLayout, xattrName } from './rawXattr.ts';
import {
  FS_STATE,
  featureNames,
  freeBlocksCountOf,
  superblockChecksum,
  superblockLayout,
} from './superblock.ts';

export interface SuperblockDescription {
  readonly label: string;
  readonly uuid: string;
  readonly features: readonly string[];
  readonly state: readonly string[];
  readonly blockSize: number;
  readonly blocksCount: number;
  readonly freeBlocksCount: number;
  readonly inodeSize: number;
  readonly inodesCount: number;
  readonly freeInodesCount: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly groupCount: number;
  readonly descSize: number;
  readonly firstIno: number;
  readonly wantExtraIsize: number;
  readonly minExtraIsize: number;
  readonly hashSeed: string;
  readonly lastOrphan: number;
  readonly mountCount: number;
  /** Seconds since 1970. */
  readonly mkfsTime: number;
  readonly writeTime: number;
  readonly mountTime: number;
  /** Undefined without metadata_csum. */
  readonly checksum: { readonly stored: number; readonly computed: number } | undefined;
  readonly checksumSeed: number;
  readonly readOnlyReason: string | undefined;
  /** Every field as it is stored; bytes as hex. */
  readonly fields: Readonly<Record<string, number | string>>;
}

export interface JournalDescription {
  readonly ino: number;
  readonly blocks: number;
  readonly first: number;
  readonly sequence: number;
  /** Block the log starts at; 0 when it is empty. */
  readonly start: number;
  readonly needsRecovery: boolean;
}

export interface GroupDescription {
  readonly group: number;
  readonly firstBlock: number;
  readonly blocks: number;
  readonly hasSuperblock: boolean;
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly usedDirs: number;
  readonly itableUnused: number;
  readonly flags: readonly string[];
}

export interface ImageDescription {
  readonly superblock: SuperblockDescription;
  readonly journal: JournalDescription | undefined;
  readonly groups: readonly GroupDescription[];
}

export interface XattrDescription {
  readonly name: string;
  /** Bytes from the start of the inode or block. */
  readonly offset: number;
  readonly valueOffs: number;
  readonly valueSize: number;
  readonly hash: number;
  /** Inode that holds the value; left out when it lies in the area. */
  readonly valueInum?: number;
  /** Hex; undefined when it cannot be read. */
  readonly value: string | undefined;
}

export interface InodeDescription {
  readonly ino: number;
  /** Byte of the inode in the file. */
  readonly offset: number;
  readonly kind: FileKind | undefined;
  /** Octal, such as `0100644`. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  /** 512-byte units, or blocks with HUGE_FILE. */
  readonly blocks: number;
  readonly flags: { readonly value: number; readonly names: readonly string[] };
  readonly generation: number;
  readonly dtime: number;
  readonly extraIsize: number;
  readonly times: Readonly<Record<'atime' | 'ctime' | 'mtime' | 'crtime', string>>;
  readonly checksum: { readonly stored: number; readonly computed: number } | undefined;
  readonly ibodyXattrs: readonly XattrDescription[];
  readonly xattrBlock:
    | { readonly block: number; readonly refcount: number; readonly xattrs: readonly XattrDescription[] }
    | undefined;
  /** Hex of the bytes held in the inode; undefined when it is not inline. */
  readonly inline: string | undefined;
  readonly extents: readonly {
    readonly lblk: number;
    readonly pblk: number;
    readonly length: number;
    readonly unwritten: boolean;
  }[];
  /** Blocks of the extent tree or block map itself. */
  readonly treeBlocks: readonly number[];
  /** Symlinks: where they point. */
  /** At most a block of it: a longer one has a size that makes no sense. */
  readonly target: string | undefined;
  /** Directories: names in on-disk order. An errno name when it cannot be read. */
  readonly entries:
    | readonly { readonly name: string; readonly ino: number; readonly fileType: number }[]
    | string
    | undefined;
  /** Indexed directories: the hash, and which range of hashes leads to which block. */
  readonly htree:
    | {
        readonly hashVersion: number;
        readonly nodes: readonly number[];
        readonly leaves: readonly HtreeLeaf[];
      }
    | undefined;
  /** Hex of the whole raw inode. */
  readonly raw: string;
}

export function describeImage(image: Image): ImageDescription {
  const groups = Array.from({ length: image.geometry.groupCount }, (_, group) => describeGroup(image, group));
  return { superblock: describeSuperblock(image), journal: describeJournal(image), groups };
}

export function describeSuperblock(image: Image): SuperblockDescription {
  const { geometry: geo, superblock: sb } = image;
  const get = superblockLayout.decode(sb);
  return {
    label: nameText(upToNul(get.volumeName)),
    uuid: dashed(geo.uuid),
    features: featureNames(geo.features),
    state: namesOf(FS_STATE, get.state),
    blockSize: geo.blockSize,
    blocksCount: geo.blocksCount,
    freeBlocksCount: freeBlocksCountOf(sb),
    inodeSize: geo.inodeSize,
    inodesCount: geo.inodesCount,
    freeInodesCount: get.freeInodesCount,
    firstDataBlock: geo.firstDataBlock,
    blocksPerGroup: geo.blocksPerGroup,
    inodesPerGroup: geo.inodesPerGroup,
    groupCount: geo.groupCount,
    descSize: geo.descSize,
    firstIno: geo.firstIno,
    wantExtraIsize: geo.wantExtraIsize,
    minExtraIsize: geo.minExtraIsize,
    hashSeed: dashed(geo.hashSeed),
    lastOrphan: get.lastOrphan,
    mountCount: get.mntCount,
    mkfsTime: get.mkfsTime,
    writeTime: get.wtime,
    mountTime: get.mtime,
    checksum: geo.metadataCsum ? { stored: get.checksum, computed: superblockChecksum(sb) } : undefined,
    checksumSeed: geo.csumSeed,
    readOnlyReason: geo.readOnlyReason,
    fields: Object.fromEntries(
      Object.entries(get).map(([name, value]) => [name, typeof value === 'number' ? value : value.toHex()]),
    ),
  };
}

/** Undefined without a journal in the volume. @throws BadImage when it cannot be found */
export function describeJournal(image: Image): JournalDescription | undefined {
  if (image.geometry.journalInum === 0) return undefined;
  const jsb = journalSuperblockLayout.decode(image.journalBlock(0));
  return {
    ino: image.geometry.journalInum,
    blocks: jsb.maxlen,
    first: jsb.first,
    sequence: jsb.sequence,
    start: jsb.start,
    needsRecovery: image.needsRecovery,
  };
}

export function describeGroup(image: Image, group: number): GroupDescription {
  const geo = image.geometry;
  const desc = image.groupDesc(group);
  return {
    group,
    firstBlock: groupFirstBlock(geo, group),
    blocks: blocksInGroup(geo, group),
    hasSuperblock: groupHasSuper(geo, group),
    blockBitmap: desc.blockBitmap,
    inodeBitmap: desc.inodeBitmap,
    inodeTable: desc.inodeTable,
    freeBlocks: desc.freeBlocks,
    freeInodes: desc.freeInodes,
    usedDirs: desc.usedDirs,
    itableUnused: desc.itableUnused,
    flags: namesOf(BG_FLAGS, desc.flags),
  };
}

/** @throws RangeError when there is no such inode */
export function describeInode(image: Image, ino: number): InodeDescription {
  const geo = image.geometry;
  const raw = image.rawInode(ino);
  const inode = image.inode(ino);
  const get = rawInodeLayout.decode(raw);
  const where = inodeLocation(geo, ino);
  const kind = fileKind(inode.mode);
  const map =
    kind === 'file' || kind === 'directory' || kind === 'symlink' ? fileMap(image, ino, inode) : undefined;
  const target = kind === 'symlink' ? readFile(image, ino, 0, image.blockSize) : undefined;
  return {
    ino,
    offset: where.block * geo.blockSize + where.offset,
    kind,
    mode: `0${inode.mode.toString(8)}`,
    uid: get.uidLo + get.uidHigh * 2 ** 16,
    gid: get.gidLo + get.gidHigh * 2 ** 16,
    size: inode.size,
    links: inode.linksCount,
    blocks: inode.blocks,
    flags: { value: inode.flags, names: inodeFlagNames(inode.flags) },
    generation: inode.generation,
    dtime: inode.dtime,
    extraIsize: inode.extraIsize,
    times: describeTimes(image, ino),
    checksum: geo.metadataCsum
      ? { stored: inode.checksum, computed: rawInodeChecksum(geo, ino, raw) }
      : undefined,
    ibodyXattrs: describeXattrs(image, ibodyOf(raw, inode.extraIsize)),
    xattrBlock: describeXattrBlock(image, inode.fileAcl),
    inline: inlineBytes(image, ino)?.toHex(),
    extents: map?.extents ?? [],
    treeBlocks: map?.treeBlocks ?? [],
    target: target === undefined || isErr(target) ? undefined : nameText(target),
    entries: kind === 'directory' ? describeEntries(listDir(image, ino)) : undefined,
    htree: kind === 'directory' && inode.flags & INODE_FLAGS.INDEX ? describeHtree(image, map!) : undefined,
    raw: raw.toHex(),
  };
}

function describeHtree(image: Image, map: TreeWalk): InodeDescription['htree'] {
  const block = (lblk: number) => {
    const found = map.extents.find((e) => !e.unwritten && lblk >= e.lblk && lblk < e.lblk + e.length);
    const nr = found === undefined ? image.blocksCount : found.pblk + lblk - found.lblk;
    return nr < image.blocksCount ? image.block(nr) : undefined;
  };
  const { hashVersion, nodes, leaves } = readHtree(
    block,
    undefined,
    image.geometry.largeDir,
    image.geometry.metadataCsum,
  );
  return { hashVersion, nodes: [...nodes], leaves };
}

/**
 * The inode a path leads to. Symlinks on the way are followed, one at the end is not.
 * @param path  from the root, such as `/a/b`; or `<12>` for an inode number, as debugfs takes it
 * @returns     ENOENT, ENOTDIR, ELOOP after 40 symlinks, or what listing a directory on the way gave
 */
export function resolve(image: Image, path: string): Result<number> {
  const number = /^<(\d+)>$/.exec(path);
  if (number !== null) {
    const ino = Number(number[1]);
    return ino >= 1 && ino <= image.geometry.inodesCount ? ino : err('ENOENT');
  }
  return walk(image, ROOT_INO, path, 0);
}

/** Symlinks followed in one lookup. @source include/linux/namei.h MAXSYMLINKS */
const MAX_SYMLINKS = 40;

function walk(image: Image, from: number, path: string, depth: number): Result<number> {
  if (depth > MAX_SYMLINKS) return err('ELOOP');
  let dir = path.startsWith('/') ? ROOT_INO : from;
  const parts = path.split('/').filter((part) => part !== '');
  for (const [i, part] of parts.entries()) {
    const names = listDir(image, dir);
    if (isErr(names)) return names;
    const wanted = nameBytes(part);
    const found = names.find((entry) => entry.name.equals(wanted));
    if (found === undefined || found.ino > image.geometry.inodesCount) return err('ENOENT');
    const last = i === parts.length - 1;
    if (last || fileKind(image.inode(found.ino).mode) !== 'symlink') {
      dir = found.ino;
      continue;
    }
    const target = readFile(image, found.ino, 0, image.blockSize);
    if (isErr(target)) return target;
    const text = new TextDecoder().decode(target.toUint8Array());
    return walk(image, dir, [text, ...parts.slice(i + 1)].join('/'), depth + 1);
  }
  return dir;
}

/**
 * Every path of the volume with its inode, depth first in on-disk order. Broken directories are listed, not
 * entered; a directory of two names is entered once.
 */
export function paths(image: Image): [path: string, ino: number][] {
  const found: [string, number][] = [];
  const entered = new Set<number>();
  const stack: [string, number][] = [['/', ROOT_INO]];
  for (let here = stack.pop(); here !== undefined; here = stack.pop()) {
    const [path, ino] = here;
    found.push(here);
    const exists = ino >= 1 && ino <= image.geometry.inodesCount;
    if (!exists || entered.has(ino) || fileKind(image.inode(ino).mode) !== 'directory') continue;
    entered.add(ino);
    const names = listDir(image, ino);
    if (isErr(names)) continue;
    const below = names
      .map(({ name, ino: child }): [string, number] => [
        `${path === '/' ? '' : path}/${nameText(name)}`,
        child,
      ])
      .filter(([child]) => !/\/\.\.?$/.test(child));
    stack.push(...below.reverse());
  }
  return found;
}

/** Names of the set flags, as debugfs and chattr call them; unnamed bits in hex. */
export function inodeFlagNames(flags: number): string[] {
  return namesOf(FLAG_NAMES, flags);
}

/** @source fs/ext4/ext4.h EXT4_SYNC_FL and its neighbours */
const FLAG_NAMES: Readonly<Record<string, number>> = {
  SYNC: 0x0000_0008,
  IMMUTABLE: 0x0000_0010,
  APPEND: 0x0000_0020,
  NODUMP: 0x0000_0040,
  NOATIME: 0x0000_0080,
  ENCRYPT: 0x0000_0800,
  INDEX: INODE_FLAGS.INDEX,
  IMAGIC: 0x0000_2000,
  JOURNAL_DATA: 0x0000_4000,
  NOTAIL: 0x0000_8000,
  DIRSYNC: 0x0001_0000,
  TOPDIR: 0x0002_0000,
  HUGE_FILE: INODE_FLAGS.HUGE_FILE,
  EXTENTS: INODE_FLAGS.EXTENTS,
  VERITY: INODE_FLAGS.VERITY,
  EA_INODE: INODE_FLAGS.EA_INODE,
  DAX: 0x0200_0000,
  INLINE_DATA: INODE_FLAGS.INLINE_DATA,
  PROJINHERIT: 0x2000_0000,
  CASEFOLD: 0x4000_0000,
};

function namesOf(table: Readonly<Record<string, number>>, value: number): string[] {
  const names: string[] = [];
  for (let i = 0; i < 32; i++) {
    const bit = 2 ** i;
    if ((value & (1 << i)) === 0) continue;
    names.push(Object.keys(table).find((name) => table[name] === bit) ?? `0x${bit.toString(16)}`);
  }
  return names;
}

/** `seconds.nanoseconds`; the extra field, where the inode has it, widens both. @source fs/ext4/ext4.h ext4_decode_extra_time */
function describeTimes(image: Image, ino: number): InodeDescription['times'] {
  const raw = image.rawInode(ino);
  const { extraIsize } = image.inode(ino);
  const has = (end: number) => raw.length > 128 && 128 + extraIsize >= end;
  const time = (seconds: number, extraField: 'ctimeExtra' | 'mtimeExtra' | 'atimeExtra' | 'crtimeExtra') => {
    const field = rawInodeExtraLayout.fields[extraField];
    const extra = has(field.at + field.size) ? rawInodeExtraLayout.get(raw, extraField) : 0;
    const whole = (seconds | 0) + (extra & 3) * 2 ** 32;
    return `${whole}.${String(extra >>> 2).padStart(9, '0')}`;
  };
  const get = rawInodeLayout.decode(raw);
  return {
    atime: time(get.atime, 'atimeExtra'),
    ctime: time(get.ctime, 'ctimeExtra'),
    mtime: time(get.mtime, 'mtimeExtra'),
    crtime: time(has(0x94) ? rawInodeExtraLayout.get(raw, 'crtime') : 0, 'crtimeExtra'),
  };
}

function describeXattrs(image: Image, area: XattrArea): XattrDescription[] {
  return area.entries.map((entry) => ({
    name: xattrName(entry),
    offset: entry.offset,
    valueOffs: entry.valueOffs,
    valueSize: entry.valueSize,
    hash: entry.hash,
    ...(entry.valueInum === 0 ? {} : { valueInum: entry.valueInum }),
    value: xattrValue(image, entry)?.toHex(),
  }));
}

function describeXattrBlock(image: Image, nr: number): InodeDescription['xattrBlock'] {
  if (nr === 0 || nr >= image.blocksCount) return undefined;
  const block = image.block(nr);
  const refcount = xattrHeaderLayout.get(block, 'refcount');
  return { block: nr, refcount, xattrs: describeXattrs(image, xattrBlockOf(block)) };
}

function describeEntries(names: Result<readonly DirName[]>): InodeDescription['entries'] {
  if (isErr(names)) return names.errno;
  return names.map(({ name, ino, fileType }) => ({ name: nameText(name), ino, fileType }));
}

function upToNul(bytes: Bytes): Bytes {
  const end = bytes.toUint8Array().indexOf(0);
  return end < 0 ? bytes : bytes.slice(0, end);
}

function dashed(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
