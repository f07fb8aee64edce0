/**
 * The user's own invariant in its three strengths: no dirty folio ever exists on an inline inode.
 *
 *   bug-on    what writepages asserts, and every other BUG_ON                       (I0)
 *   settled   while the data may still be inline: no PG_dirty, no DIRTY tag, no writable or dirty PTE   (I1b)
 *   strict    while INLINE_DATA is set: no PG_dirty, no DIRTY tag                   (I2)
 *   pending   while INLINE_DATA is set and MAY_INLINE_DATA is not: dirty only over a delayed block   (I3)
 *
 * Under delayed allocation the kernel breaks `strict` by design: a growing write leaves an inline inode with a dirty
 * folio until writeback (the *pending* state, INLINE_DATA set and MAY_INLINE_DATA clear). `strict` broken and
 * `settled` and `pending` kept means: broken only by the pending state.
 *
 * Not verified here: whether the bytes are right (coherence, model, durability).
 */
import { INODE_FLAG } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import { folioMapping } from '../pagecache/rmap.ts';
import { FINDING_IDS, FINDINGS } from '../state/findings.ts';
import type { Invariant } from './invariant.ts';

/** Calls `look` for every inline inode in core until it answers. */
function eachInline(k: Kernel, look: (ino: number, mayInline: boolean) => string | null): string | null {
  for (const ino of k.world.firstKeys('inode')) {
    const inode = k.inode(ino);
    if (!inode.inCore || (inode.flags & INODE_FLAG.inlineData) === 0 || inode.inlineOff === 0) continue;
    const answer = look(ino, inode.mayInline);
    if (answer !== null) return answer;
  }
  return null;
}

/** What is dirty about a file's folios, in the flags and the tags. */
function dirtyFolio(k: Kernel, ino: number): string | null {
  for (const index of k.world.secondKeys('folio', ino)) {
    const folio = k.folio(ino, index);
    if (!folio.present) continue;
    if (folio.dirty) return `folio ${index} is dirty`;
    if (folio.tagDirty) return `folio ${index} is clean but its DIRTY tag is set`;
  }
  return null;
}

export const strict: Invariant = {
  id: 'strict',
  summary: 'no dirty folio ever exists on an inline inode',
  why: 'writeback expects none, the sentence taken literally',
  when: 'always',
  check: (k) =>
    eachInline(k, (ino, mayInline) => {
      const dirty = dirtyFolio(k, ino);
      if (dirty === null) return null;
      const pendingNow = !mayInline && (k.inode(ino).delayed?.includes(0) ?? false);
      return `ino ${ino} is inline${pendingNow ? ' (conversion pending)' : ''} and its ${dirty}`;
    }),
};

export const settled: Invariant = {
  id: 'settled',
  summary: 'no dirty folio, tag, or writable or dirty PTE on an inode whose data may stay inline',
  why: 'what page_mkwrite converts for',
  when: 'always',
  check: (k) =>
    eachInline(k, (ino, mayInline) => {
      if (!mayInline) return null;
      const dirty = dirtyFolio(k, ino);
      if (dirty !== null) return `ino ${ino} may stay inline and its ${dirty}`;
      for (const index of k.world.secondKeys('folio', ino)) {
        if (!k.folio(ino, index).present) continue;
        const { writable, dirty: pteDirty } = folioMapping(k, ino, index);
        if (pteDirty) return `ino ${ino} may stay inline and a PTE of folio ${index} is dirty`;
        if (writable) return `ino ${ino} may stay inline and a PTE of folio ${index} is writable`;
      }
      return null;
    }),
};

export const pending: Invariant = {
  id: 'pending',
  summary:
    'a dirty folio on an inline inode with MAY_INLINE_DATA clear has a delayed block under its inline bytes',
  why: 'that is what makes it the pending state, which writepages resolves',
  when: 'always',
  check: (k) =>
    eachInline(k, (ino, mayInline) => {
      if (mayInline || dirtyFolio(k, ino) === null) return null;
      if (k.inode(ino).delayed?.includes(0)) return null;
      return `ino ${ino} is inline, may not stay inline, and its ${dirtyFolio(k, ino)}, yet no delayed block waits for it`;
    }),
};

/** The first finding of these kinds that was hit. */
export function findingOf(k: Kernel, kinds: readonly string[]): string | null {
  for (const number of k.world.firstKeys('finding')) {
    const id = FINDING_IDS[number]!;
    if (kinds.includes(FINDINGS[id].kind) && k.finding(id).hit)
      return `${FINDINGS[id].message} (${FINDINGS[id].source})`;
  }
  return null;
}

export const bugOn: Invariant = {
  id: 'bug-on',
  summary: 'no BUG_ON fires',
  why: 'writepages asserts !(DIRTY tag, INLINE_DATA, MAY_INLINE_DATA), and the BUG_ONs of the write path',
  when: 'always',
  check: (k) => (k.sb.halted ? findingOf(k, ['bug-on']) : null),
};
