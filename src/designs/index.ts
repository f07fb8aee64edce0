/** Every design, in the order of the discussion; ours last. */
import { allocateFirst } from './allocate-first.ts';
import { atomicSwitch } from './atomic-switch.ts';
import { decisionPinning } from './decision-pinning.ts';
import { defer } from './defer.ts';
import { deferComplete } from './defer-complete.ts';
import { deferInodeDirty } from './defer-inode-dirty.ts';
import { deferInodeLock } from './defer-inode-lock.ts';
import type { Design } from './design.ts';
import { dropBugOn } from './drop-bug-on.ts';
import { faultRetry } from './fault-retry.ts';
import { folioLockConvert } from './folio-lock-convert.ts';
import { folioLockSwitch } from './folio-lock-switch.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';
import { mkwriteInodeLock } from './mkwrite-inode-lock.ts';
import { mmapConvert, mmapConvertWrite } from './mmap-convert.ts';
import { noConversion } from './no-conversion.ts';
import { pageCacheConvert } from './page-cache-convert.ts';
import { preMmap } from './pre-mmap.ts';

/** Every design, in the order of the tables: what was, what is, what was proposed, ours. */
export const DESIGNS: readonly Design[] = [
  noConversion,
  mkwriteConvert,
  mmapConvertWrite,
  mmapConvert,
  preMmap,
  defer,
  deferInodeLock,
  faultRetry,
  dropBugOn,
  allocateFirst,
  deferComplete,
  deferInodeDirty,
  folioLockConvert,
  atomicSwitch,
  decisionPinning,
  pageCacheConvert,
  mkwriteInodeLock,
  folioLockSwitch,
];

/**
 * What is raced when nobody asks for more: what the kernel did, what it does, and what the mails preferred. The others
 * take several times as long.
 */
export const MAIN_DESIGNS: readonly Design[] = [noConversion, mkwriteConvert, defer];

/** The design of that name; undefined for an unknown one. */
export function designById(id: string): Design | undefined {
  return DESIGNS.find((design) => design.id === id);
}

export * from './kit.ts';
export {
  allocateFirst,
  atomicSwitch,
  decisionPinning,
  defer,
  deferComplete,
  deferInodeDirty,
  deferInodeLock,
  dropBugOn,
  faultRetry,
  folioLockConvert,
  folioLockSwitch,
  mkwriteConvert,
  mkwriteInodeLock,
  mmapConvert,
  mmapConvertWrite,
  noConversion,
  pageCacheConvert,
  preMmap,
};
