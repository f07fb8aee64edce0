/** An address comes back as the place it was made of. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { VERDICT_FILTERS } from '../../src/viewer/matrix.ts';
import { formatRoute, MATRIX, parseRoute, type Route, tokenRoute } from '../../src/viewer/route.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const id = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/);
const ids = fc.array(id, { minLength: 1, maxLength: 4 });
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });
const count = orNull(fc.nat(999_999));
const ref = fc.oneof(fc.record({ scenario: word }), fc.record({ z: word }));

const route: fc.Arbitrary<Route> = fc.oneof(
  fc.record({
    view: fc.constant('matrix' as const),
    power: fc.boolean(),
    q: text,
    verdict: fc.constantFrom(...VERDICT_FILTERS),
    invariant: orNull(id),
    designs: orNull(ids),
    words: orNull(fc.boolean()),
  }),
  fc.record({
    view: fc.constant('cell' as const),
    ref,
    mount: text,
    of: id,
    beside: orNull(ids),
    power: fc.boolean(),
    broken: orNull(id),
    schedule: orNull(fc.constantFrom('A29B23', '-')),
    medium: count,
    row: count,
  }),
  fc.record({
    view: fc.constant('edit' as const),
    ref: orNull(ref),
    mount: text,
    designs: orNull(ids),
    preemptions: count,
    seconds: count,
    power: fc.boolean(),
  }),
  fc.record({ view: fc.constant('designs' as const), design: orNull(id) }),
  fc.constant({ view: 'findings' as const }),
);

it('every place, through its address', () => {
  fc.assert(
    fc.property(route, (each) => {
      const hash = formatRoute(each);
      expect(hash).toMatch(/^#\/[\w?=&%.,@!~*'()-]*$/);
      expect(parseRoute(hash)).toEqual(each);
    }),
  );
});

it('what cannot be read is the matrix', () => {
  for (const hash of [
    '',
    '#',
    '#/',
    '#/nowhere?x=1',
    '#/cell',
    '#/cell?of=defer',
    '#/matrix?verdict=odd&designs=',
  ])
    expect(parseRoute(hash)).toEqual(MATRIX);
  expect(parseRoute('#/matrix?q=%E0%A4%A')).toMatchObject({ q: '%E0%A4%A' });
});

it('a token is a cell with a schedule', () => {
  expect(tokenRoute('mmap-store-then-fsync:mkwrite-convert@data=journal:A109B40')).toMatchObject({
    ref: { scenario: 'mmap-store-then-fsync' },
    of: 'mkwrite-convert',
    mount: 'data=journal',
    schedule: 'A109B40',
    power: false,
    medium: null,
  });
  expect(tokenRoute('x:defer@delalloc,nobarrier:A60!3')).toMatchObject({
    power: true,
    medium: 3,
    schedule: 'A60',
  });
  expect(tokenRoute('x:defer@delalloc:A60!')).toMatchObject({ power: true, medium: 0 });
  for (const word of ['mmap-store-then-fsync', 'a/b.json', 'x:defer:A1', 'x:defer@delalloc:'])
    expect(tokenRoute(word)).toBeNull();
});
