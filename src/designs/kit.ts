/**
 * What a design is written with, in one place: `import { … } from './kit.ts'` beside the others, from `./src/designs/kit.ts`
 * in a file of your own, from 'ext4lab/designs' where the package is installed. Re-exports only.
 */

// ---- inodes, handles, folios
export { nondaSwitch } from '../balloc/balloc.ts';
export { inodeBlock } from '../device/buffer.ts';
export {
  dirtyMetadata,
  getInodeWriteAccess,
  journalStart,
  journalStop,
  tryJournalStart,
  updateFsyncTrans,
} from '../device/journal.ts';
// ---- ops: a step, a wait, a function of the kernel that is called; results as values
export { type Errno, err, isErr, type Result } from '../errno.ts';
// ---- the design itself, and the table of hooks
export type { Hooks, InlineVerdict, VmaView, VmFault, WriteBegin, WritebackControl } from '../hooks.ts';
// ---- ways to convert
export { allocateFirst, convertUnderFolio, pendingAtFault, throughPageCache } from '../inline/convert.ts';
export {
  convertInlineDataToExtent,
  destroyInline,
  fillInlineFolio,
  orphanIfPast,
  readInlineFolio,
  tryToWriteInlineData,
  writeInlineData,
} from '../inline/ops.ts';
export { hasInlineData, markInodeDirty } from '../inode/update.ts';
export { type Kernel, PAGE_SIZE } from '../kernel.ts';
// ---- locks, and a section that takes no other lock as one step (`locked`)
export {
  folioLock,
  iDataSem,
  invalidateLock,
  iRwsem,
  lock,
  locked,
  mmapLock,
  sbPagefaults,
  sbWriters,
  tryLock,
  unlock,
  xattrSem,
} from '../locks/lock.ts';
export {
  blockDirtyFolio,
  folioData,
  getFolioLocked,
  lockIfPresent,
  mappingTagged,
  unlockFolio,
  zeroFolio,
} from '../pagecache/folio.ts';
export { clearDirtyForIo, folioMkclean } from '../pagecache/rmap.ts';
export { AGAIN, call, loop, type Op, step, waitFor } from '../task.ts';
// ---- what the kernel does at the hooks: take it over, or put something before or behind it
export {
  beginInline,
  convert,
  cutShortWrite,
  faultOf,
  inlineEnd,
  type MkwritePrepare,
  mkwriteBlocks,
  pageMkwrite,
  updateInodeSize,
} from '../vfs/aops.ts';
export { filemapFlush } from '../writeback/writepages.ts';
export { type Design, defineDesign } from './design.ts';
export { convertLocked, nothing } from './mmap-convert.ts';
