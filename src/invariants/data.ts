/**
 * Are the bytes right? Coherence of the three copies, the plain model, durability, and what is kept about space.
 *
 * Not verified here: bytes of directories and symlinks; the time at which promises are kept (a crash at every point
 * is the crash explorer's business).
 */
import { Bytes } from '../bytes/bytes.ts';
import { findInlineData, readInlineData } from '../inline/bytes.ts';
import { INODE_FLAG } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, iDataSem, iRwsem, type LockRef, xattrSem } from '../locks/lock.ts';
import { folioMapping } from '../pagecache/rmap.ts';
import { FINDINGS, type FindingId } from '../state/findings.ts';
import { mediumMismatch } from '../vfs/mediumFile.ts';
import { unmountedComplaint } from '../vfs/unmounted.ts';
import type { Invariant } from './invariant.ts';

const free = (k: Kernel, lock: LockRef): boolean => {
  const { owner, readers } = k.lockRecord(lock);
  return owner === 0 && readers === 0;
};

function eachInode(k: Kernel, look: (ino: number) => string | null): string | null {
  if (k.sb.halted) return null;
  for (const ino of k.world.firstKeys('inode')) {
    if (!k.inode(ino).inCore) continue;
    const answer = look(ino);
    if (answer !== null) return answer;
  }
  return null;
}

const hit = (k: Kernel, id: FindingId): string | null => (k.finding(id).hit ? FINDINGS[id].message : null);

export const coherence: Invariant = {
  id: 'coherence',
  summary: 'a clean, unlocked folio 0 of an inline file shows the inline bytes, and zeros behind them',
  why: 'reads come from the folio, writeback and crashes from the inode',
  when: 'always',
  check: (k) =>
    eachInode(k, (ino) => {
      const inode = k.inode(ino);
      if ((inode.flags & INODE_FLAG.inlineData) === 0 || inode.inlineOff === 0 || !inode.mayInline)
        return null;
      const folio = k.folio(ino, 0);
      if (!folio.present || !folio.uptodate || folio.dirty || inode.inlineDirty) return null;
      if (!free(k, folioLock(ino, 0)) || !free(k, iRwsem(ino)) || !free(k, xattrSem(ino))) return null;
      if (folioMapping(k, ino, 0).dirty) return null;
      const raw = k.raw(ino).data;
      if (raw === null) return null;
      const length = Math.min(inode.size, inode.inlineSize);
      const data = folio.data ?? Bytes.zero(PAGE_SIZE);
      const inline = readInlineData(
        raw,
        { inlineOff: inode.inlineOff, inlineSize: inode.inlineSize },
        length,
      );
      if (!data.slice(0, length).equals(inline)) return `ino ${ino}: folio 0 and the inline bytes differ`;
      if (!data.isZero(length, PAGE_SIZE))
        return `ino ${ino}: folio 0 has bytes behind the end of the inline data`;
      return null;
    }),
};

export const format: Invariant = {
  id: 'format',
  summary: 'inline flag, system.data entry, i_inline_off and i_inline_size agree whenever xattr_sem is free',
  why: 'everything else trusts them',
  when: 'always',
  check: (k) =>
    eachInode(k, (ino) => {
      const raw = k.raw(ino).data;
      if (raw === null || !free(k, xattrSem(ino))) return null;
      const { flags, inlineOff, inlineSize } = k.inode(ino);
      const inline = (flags & INODE_FLAG.inlineData) !== 0;
      if (inline && (flags & INODE_FLAG.extents) !== 0) return `ino ${ino} has both INLINE_DATA and EXTENTS`;
      const found = findInlineData(raw);
      if (found === 'corrupt') return `ino ${ino}: system.data is corrupt`;
      if (inline && found === undefined) return `ino ${ino} is inline and has no system.data`;
      if (!inline && found !== undefined && inlineOff !== 0)
        return `ino ${ino} is not inline and has system.data`;
      if (
        inline &&
        found !== undefined &&
        (found.inlineOff !== inlineOff || found.inlineSize !== inlineSize)
      ) {
        return `ino ${ino}: i_inline_off ${inlineOff}, i_inline_size ${inlineSize}; the entry says ${found.inlineOff}, ${found.inlineSize}`;
      }
      return null;
    }),
};

export const disksize: Invariant = {
  id: 'disksize',
  summary: 'i_disksize is never larger than i_size',
  why: 'a crash would show bytes nobody wrote',
  when: 'always',
  check: (k) =>
    eachInode(k, (ino) => {
      const { size, disksize: disk, unlinked } = k.inode(ino);
      // Deleting sets i_size alone: without links nothing of the file is ever shown.
      if (unlinked) return null;
      return disk > size ? `ino ${ino}: i_disksize ${disk} > i_size ${size}` : null;
    }),
};

export const reservation: Invariant = {
  id: 'reservation',
  summary: 'every delayed extent has a reserved block, and nothing else has one',
  why: 'a delayed write must not meet ENOSPC at writeback',
  when: 'always',
  check: (k) => {
    let promised = 0;
    const answer = eachInode(k, (ino) => {
      const { reserved, delayed } = k.inode(ino);
      promised += reserved;
      if (!free(k, iDataSem(ino)) || reserved === (delayed?.length ?? 0)) return null;
      return `ino ${ino}: ${reserved} blocks reserved, ${delayed?.length ?? 0} delayed`;
    });
    if (answer !== null || k.sb.halted) return answer;
    return promised === k.sb.dirtyBlocks
      ? null
      : `s_dirtyclusters_counter ${k.sb.dirtyBlocks}, inodes have ${promised}`;
  },
};

export const alias: Invariant = {
  id: 'alias',
  summary: 'no dirty folio shares its block with a dirty or journalled buffer of the bdev cache',
  why: 'two dirty copies of one block: whoever is written last wins, the cause of docs/findings.md 1',
  when: 'always',
  check: (k) =>
    eachInode(k, (ino) => {
      for (const index of k.world.secondKeys('folio', ino)) {
        const folio = k.folio(ino, index);
        if (!folio.present || !folio.buffers || !folio.dirty) continue;
        for (let i = 0; i < k.blocksPerPage; i++) {
          const { block } = k.fbuf(ino, index * k.blocksPerPage + i);
          if (block === 0) continue;
          const buf = k.buf(block);
          if (buf.dirty || buf.running || buf.committing) {
            return `ino ${ino}: folio ${index} is dirty over block ${block}, whose bdev buffer is to be written too`;
          }
        }
      }
      return null;
    }),
};

export const model: Invariant = {
  id: 'model',
  summary: 'every read and mapped load agrees with the file as a plain byte array',
  why: 'POSIX: never bytes the file does not own',
  when: 'always',
  check: (k) => hit(k, 'model-mismatch'),
};

export const fsck: Invariant = {
  id: 'fsck',
  summary: 'every unmounted volume passes our image check, which is stricter than e2fsck',
  why: 'what leaves the emulator must be an ext4 volume; also: no block is leaked, no count is wrong',
  when: 'always',
  check: (k) => {
    const found = hit(k, 'fsck');
    if (found === null) return null;
    const complaint = unmountedComplaint(k);
    return complaint === null ? found : `${found}: ${complaint}`;
  },
};

export const durability: Invariant = {
  id: 'durability',
  summary: 'what fsync, fdatasync, msync, sync or an unmount made durable is there after the next mount',
  why: 'POSIX: that is what a program calls them for',
  when: 'always',
  check: (k) => {
    const lost = hit(k, 'durability');
    if (lost === null) return null;
    const where = mediumMismatch(k, 'all');
    return where === null ? lost : `${lost}: ${where}`;
  },
};
