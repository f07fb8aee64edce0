/**
 * Attributes outside their inode: shared blocks, and values in inodes of their own (ea_inode).
 *
 * Verified: every block's header, entries, hashes, order and checksum, its reference count; that an inode which holds
 * a value is one, has the value's size, and is referred to as often as it says. Not verified: hashes of such values.
 */
import { hex } from './badImage.ts';
import { blockPlace, type CheckContext, complainOfOwner, inodePlace } from './checkContext.ts';
import type { Place } from './complaint.ts';
import { INODE_FLAGS, type RawInode, rawInodeLayout } from './rawInode.ts';
import {
  isSorted,
  XATTR_REFCOUNT_MAX,
  type XattrEntry,
  xattrBlockChecksum,
  xattrBlockOf,
  xattrHeaderLayout,
  xattrName,
} from './rawXattr.ts';
import { hasFeature } from './superblock.ts';

/** @returns 1 when the inode has an external xattr block. @source fs/ext4/xattr.c ext4_xattr_block_get */
export function checkXattrBlock(ctx: CheckContext, ino: number, inode: RawInode): number {
  const { geo, complaints, image } = ctx;
  const nr = inode.fileAcl;
  if (nr === 0) return 0;
  const place = inodePlace(geo, ino, rawInodeLayout.fields.fileAclLo.at);
  if (nr <= geo.firstDataBlock || nr >= geo.blocksCount) {
    complaints.error(
      'file-acl',
      place,
      'xattr block outside the volume',
      `${geo.firstDataBlock + 1}..${geo.blocksCount - 1}`,
      nr,
    );
    return 0;
  }
  if (!hasFeature(geo.features, 'ext_attr')) {
    complaints.error('file-acl', place, 'xattr block on a volume without ext_attr', 0, nr);
  }
  const shared = ctx.xattrBlocks.get(nr);
  if (shared !== undefined) {
    shared.count++;
    return 1;
  }
  ctx.xattrBlocks.set(nr, { count: 1, ino });
  const owner = ctx.claims.claim(nr, ino);
  if (owner !== undefined) complainOfOwner(ctx, place, nr, owner);
  const block = image.block(nr);
  const area = xattrBlockOf(block, geo.eaInode);
  const within = (offset: number) => blockPlace(geo, 'xattr block', nr, offset, ino);
  for (const problem of area.problems) {
    complaints.error('xattr-block', within(problem.offset), problem.problem, problem.expected, problem.found);
  }
  if (!area.present) return 1;
  noteEaReferences(ctx, area.entries, within);
  if (!isSorted(area.entries)) complaints.note('xattr-order', within(area.first), 'entries are not sorted');
  if (!geo.metadataCsum) return 1;
  const stored = xattrHeaderLayout.get(block, 'checksum');
  const computed = xattrBlockChecksum(geo.csumSeed, nr, block);
  if (stored !== computed) {
    complaints.error(
      'xattr-block',
      within(xattrHeaderLayout.fields.checksum.at),
      'wrong checksum',
      hex(computed, 8),
      hex(stored, 8),
    );
  }
  return 1;
}

/** After all inodes: an external block's refcount is the number of inodes that point at it. */
export function checkXattrRefcounts(ctx: CheckContext): void {
  for (const [nr, { count, ino }] of ctx.xattrBlocks) {
    const refcount = xattrHeaderLayout.get(ctx.image.block(nr), 'refcount');
    if (refcount === count && count <= XATTR_REFCOUNT_MAX) continue;
    const place = blockPlace(ctx.geo, 'xattr block', nr, xattrHeaderLayout.fields.refcount.at, ino);
    ctx.complaints.error('xattr-refcount', place, 'wrong reference count', count, refcount);
  }
}

/**
 * Remembers which inodes hold values.
 * @param at  where a byte of the inode or block is
 */
export function noteEaReferences(
  ctx: CheckContext,
  entries: readonly XattrEntry[],
  at: (offset: number) => Place,
): void {
  if (!ctx.geo.eaInode) return;
  for (const entry of entries) {
    if (entry.valueInum === 0) continue;
    const { offset, valueInum: ino, valueSize: size } = entry;
    ctx.eaReferences.push({ ino, size, place: at(offset + 4), name: xattrName(entry) });
  }
}

/**
 * After all inodes: each value's inode is one, and counts its references.
 * @source fs/ext4/xattr.c ext4_xattr_inode_iget, ext4_xattr_inode_get_ref; e2fsprogs e2fsck/pass1.c check_large_ea_inode
 */
export function checkEaInodes(ctx: CheckContext): void {
  const { complaints, geo, image, used } = ctx;
  const counts = new Map<number, number>();
  for (const { ino, size, place, name } of ctx.eaReferences) {
    const inode = used.get(ino)?.inode;
    const holds = inode !== undefined && (inode.flags & INODE_FLAGS.EA_INODE) !== 0;
    if (!holds)
      complaints.error('ea-inode', place, `value of ${name} in an inode that holds none`, undefined, ino);
    else if (inode.size !== size)
      complaints.error(
        'ea-inode',
        place,
        `value of ${name} has another size than its inode`,
        inode.size,
        size,
      );
    counts.set(ino, (counts.get(ino) ?? 0) + 1);
  }
  for (const { ino, inode } of used.values()) {
    if ((inode.flags & INODE_FLAGS.EA_INODE) === 0 || !geo.eaInode) continue;
    const { ctime, versionLo } = rawInodeLayout.decode(image.rawInode(ino));
    const stored = ctime * 2 ** 32 + versionLo;
    const count = counts.get(ino) ?? 0;
    const place = inodePlace(geo, ino, rawInodeLayout.fields.versionLo.at);
    if (count === 0) complaints.error('unreachable', inodePlace(geo, ino), 'no attribute has its value here');
    else if (stored !== count)
      complaints.error('ea-inode', place, 'wrong reference count of a value', count, stored);
  }
}
