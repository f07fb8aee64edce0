/**
 * What the kernel would say about itself: warnings, errors in the log, handles and locks left behind.
 */
import { FINDING_IDS, FINDINGS } from '../state/findings.ts';
import { findingOf } from './inline.ts';
import type { Invariant } from './invariant.ts';

export const warnOn: Invariant = {
  id: 'warn-on',
  summary: 'no WARN_ON fires',
  why: 'the kernel calls it a bug; data is lost behind some of them',
  when: 'always',
  check: (k) => findingOf(k, ['warn-on']),
};

export const fsError: Invariant = {
  id: 'fs-error',
  summary: 'no EXT4-fs error is logged',
  why: 'with errors=remount-ro the file system would go read-only',
  when: 'always',
  check: (k) => {
    for (const number of k.world.firstKeys('finding')) {
      const id = FINDING_IDS[number]!;
      if (id === 'durability' || id === 'model-mismatch' || id === 'fsck' || FINDINGS[id].kind !== 'error')
        continue;
      if (k.finding(id).hit) return `${FINDINGS[id].message} (${FINDINGS[id].source})`;
    }
    return null;
  },
};

export const handleBalance: Invariant = {
  id: 'handle-balance',
  summary: 'no task returns to user space with an open journal handle or gives back a lock it does not hold',
  why: 'the next commit would wait for ever',
  when: 'always',
  check: (k) => findingOf(k, ['lock']),
};
