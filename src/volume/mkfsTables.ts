/**
 * Where mkfs puts each group's bitmaps and inode table: in the group, or, with flex_bg, those of 16 groups together.
 *
 *     16 block bitmaps · 16 inode bitmaps · 16 inode tables      at the start of the first group, behind descriptors
 */
import { type GroupLocation, groupHasSuper } from './geometry.ts';
import type { Features } from './superblock.ts';

interface Shape {
  readonly blocks: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly inodeTableBlocks: number;
  readonly gdtBlocks: number;
  readonly reservedGdtBlocks: number;
  readonly logGroupsPerFlex: number;
  readonly backupGroups: readonly number[];
  readonly features: Features;
}

/** @throws RangeError when there is no room */
export function placeGroups(shape: Shape): GroupLocation[] {
  const used = new Uint8Array(shape.blocks);
  const firstOf = (group: number) => shape.firstDataBlock + group * shape.blocksPerGroup;
  const backupGroups = shape.backupGroups.filter((group) => group > 0);
  for (let group = 0; group < shape.groupCount; group++) {
    if (!groupHasSuper({ features: shape.features, backupGroups }, group)) continue;
    const start = firstOf(group);
    used.fill(1, start, start + 1 + shape.gdtBlocks + shape.reservedGdtBlocks);
  }
  const place = shape.logGroupsPerFlex > 0 ? new FlexPlacement(shape, used) : new Placement(shape, used);
  const groups: GroupLocation[] = [];
  for (let group = 0; group < shape.groupCount; group++) groups.push(place.group(group, groups[group - 1]));
  return groups;
}

class Placement {
  readonly shape: Shape;
  readonly used: Uint8Array;

  constructor(shape: Shape, used: Uint8Array) {
    this.shape = shape;
    this.used = used;
  }

  group(group: number, _before: GroupLocation | undefined): GroupLocation {
    const first = this.firstOf(group);
    const last = this.lastOf(group);
    const blockBitmap = this.take(this.find(first, last, 1), 1);
    const inodeBitmap = this.take(this.find(first, last, 1), 1);
    const { inodeTableBlocks } = this.shape;
    return {
      blockBitmap,
      inodeBitmap,
      inodeTable: this.take(this.find(first, last, inodeTableBlocks), inodeTableBlocks),
    };
  }

  firstOf(group: number): number {
    return this.shape.firstDataBlock + group * this.shape.blocksPerGroup;
  }

  lastOf(group: number): number {
    return Math.min(this.firstOf(group + 1), this.shape.blocks) - 1;
  }

  take(start: number | undefined, count: number): number {
    if (start === undefined) throw new RangeError('mkfs: no room for bitmaps and inode tables');
    this.used.fill(1, start, start + count);
    return start;
  }

  /** First run of so many free blocks, from `start`, around the end, up to `finish`. @source e2fsprogs lib/ext2fs/alloc.c ext2fs_get_free_blocks2 */
  find(start: number, finish: number, count: number): number | undefined {
    const { blocks, firstDataBlock } = this.shape;
    let at = start === 0 ? firstDataBlock : start;
    do {
      if (at + count - 1 >= blocks) {
        if (finish > start) return undefined;
        at = firstDataBlock;
      }
      const taken = this.used.subarray(at, at + count).lastIndexOf(1);
      if (taken < 0) return at;
      at++;
    } while (at !== finish);
    return undefined;
  }
}

/** @source e2fsprogs lib/ext2fs/alloc_tables.c ext2fs_allocate_group_table */
class FlexPlacement extends Placement {
  override group(group: number, before: GroupLocation | undefined): GroupLocation {
    const { logGroupsPerFlex, groupCount, inodeTableBlocks } = this.shape;
    const size = 2 ** logGroupsPerFlex;
    const isFirst = group % size === 0;
    const lastGroup = Math.min(group | (size - 1), groupCount - 1);
    const rest = lastGroup - group + 1;
    const last = this.lastOf(lastGroup);
    let offset = size;
    if (isFirst && lastGroup === groupCount - 1) {
      const within = lastGroup & (size - 1);
      offset = within === 0 ? size : within + 1;
    }
    const next = (previous: number | undefined, count: number): number => {
      const start = this.offset(group, previous ?? 0, rest, count, last);
      return this.take(this.find(start, last, count) ?? this.find(this.firstOf(group), last, count), count);
    };
    const blockBitmap = next(isFirst ? undefined : before!.blockBitmap + 1, 1);
    const inodeBitmap = next(isFirst ? blockBitmap + offset : before!.inodeBitmap + 1, 1);
    const tableAt = isFirst ? inodeBitmap + offset : before!.inodeTable + inodeTableBlocks;
    return { blockBitmap, inodeBitmap, inodeTable: next(tableAt, inodeTableBlocks) };
  }

  /** Where the next of a flex group's structures may start. @source e2fsprogs lib/ext2fs/alloc_tables.c flexbg_offset */
  offset(group: number, previous: number, rest: number, count: number, last: number): number {
    const { blocks, blocksPerGroup, logGroupsPerFlex } = this.shape;
    const size = Math.min(rest * count, Math.floor(blocksPerGroup / 4));
    if (previous !== 0 && previous < blocks) {
      const near = this.find(previous, previous + size, count);
      if (near !== undefined) return near;
    }
    const start = this.firstOf((group >> logGroupsPerFlex) << logGroupsPerFlex);
    return this.find(start, last, size) ?? this.find(start, last, count) ?? this.find(0, last, count) ?? 0;
  }
}
