/**
 * What designs promise, held against the recorded verdicts: test/fixtures.test.ts and the long tests compute each of
 * those again.
 */
import { describe, expect, it } from 'vitest';
import { DESIGNS, type Design, designById } from '../../src/designs/index.ts';
import { invariantById } from '../../src/invariants/index.ts';
import { LOCK } from '../../src/locks/lock.ts';
import { expectationOf, mountLabel } from '../../src/scenario/schema.ts';
import { SCENARIOS } from '../support/scenarios.ts';

/** Every invariant that some scenario breaks under a design, with where; or what is lost when power fails. */
function broken(design: Design, part: 'expect' | 'crash' = 'expect'): Map<string, string> {
  const found = new Map<string, string>();
  for (const scenario of SCENARIOS) {
    for (const mount of scenario.mounts) {
      const expected = expectationOf(scenario, design.id, mount, part);
      if (expected === null || !('violates' in expected)) continue;
      for (const id of expected.violates) found.set(id, `${scenario.name} ${mountLabel(mount)}`);
    }
  }
  return found;
}

const OURS = [
  'defer-complete',
  'defer-inode-dirty',
  'folio-lock-convert',
  'atomic-switch',
  'decision-pinning',
  'folio-lock-switch',
].map((id) => designById(id)!);

describe('our designs', () => {
  it.each(OURS.map((design) => [design.id, design] as const))('%s keeps what it promises', (_, design) => {
    const breaks = broken(design);
    for (const promise of design.promises) expect(breaks.get(promise), promise).toBeUndefined();
    expect(breaks.get('no-deadlock')).toBeUndefined();
  });

  it('folio-lock-switch breaks nothing anywhere', () => {
    expect([...broken(designById('folio-lock-switch')!)]).toEqual([]);
  });

  it.each(['folio-lock-switch', 'atomic-switch'])(
    '%s: a power failure takes nothing that was promised, with a journal and barriers',
    (id) => {
      const safe = SCENARIOS.filter(({ image, name }) => {
        const journal =
          'mkfs' in image ? image.mkfs.features.includes('has_journal') : !/no-?journal/.test(image.file);
        return journal && name !== 'crash-without-barriers';
      });
      for (const scenario of safe) {
        for (const mount of scenario.mounts) {
          const expected = expectationOf(scenario, id, mount, 'crash');
          expect(expected ?? { holds: '' }, `${scenario.name} ${mountLabel(mount)}`).toHaveProperty('holds');
        }
      }
      expect(safe.length).toBeGreaterThan(40);
    },
  );

  // A page that get_user_pages pinned changes after its writeback: coherence.
  it('defer-inode-dirty never has a dirty folio on an inline inode; only its PTEs are dirty', () => {
    expect([...broken(designById('defer-inode-dirty')!).keys()].sort()).toEqual(['coherence', 'settled']);
  });

  it('defer-complete breaks only what a deferral is', () => {
    expect([...broken(designById('defer-complete')!).keys()].sort()).toEqual([
      'coherence',
      'settled',
      'strict',
    ]);
  });
});

describe('every design', () => {
  it.each(DESIGNS.map((design) => [design.id, design] as const))(
    '%s names locks and invariants that exist',
    (_, design) => {
      for (const id of design.locks) expect(LOCK).toHaveProperty(id);
      // A promise of one word is an invariant.
      for (const promise of design.promises) {
        if (!promise.includes(' ') && promise !== 'no-deadlock')
          expect(invariantById(promise), promise).toBeDefined();
      }
    },
  );
});
