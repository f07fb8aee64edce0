/** A design in somebody's own file: mistakes in it are told with their place, as bad input. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ext4lab } from '../support/command.ts';

const DESIGNS = new URL('../../src/designs/index.ts', import.meta.url).href;
const MKWRITE = '*pageMkwrite(k, vma, index)';
const REST = 'return yield* pageMkwrite(k, vma, index, function* () {});';

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ext4lab-design-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function designFile(hooks: string, id = 'mine'): string {
  const file = join(folder, `mine-${++count}.mjs`);
  const names = 'call, defineDesign, err, folioLock, iRwsem, lock, mkwriteConvert, pageMkwrite, step';
  const head = `import { ${names} } from ${JSON.stringify(DESIGNS)};`;
  const rest = `summary: 's', source: 'here', promises: [], locks: [], unmodelled: [], hooks: {\n${hooks}\n} });\n`;
  writeFileSync(file, `${head}\nexport const mine = defineDesign(mkwriteConvert, { id: '${id}', ${rest}`);
  return file;
}

describe('a mistake in a design file', () => {
  it.each([
    [
      'a yield* is forgotten',
      `${MKWRITE} { lock(k, folioLock(vma.ino, 0)); ${REST} }`,
      /\.mjs:3:\d+: .*did you forget yield\* at/,
    ],
    ['it throws', `${MKWRITE} { throw new Error('oops'); }`, /\.mjs:3:\d+: oops/],
    [
      'a step throws',
      `${MKWRITE} { yield* step(k, 'q', () => nothing()); }`,
      /\.mjs:3:\d+: nothing is not defined/,
    ],
    [
      'state is written between steps',
      `${MKWRITE} { k.inode(vma.ino).mayInline = false; ${REST} }`,
      /\.mjs: a record was written outside a step/,
    ],
    [
      'a closure captures a variable',
      `${MKWRITE} { let n = 0; for (const i of [1, 2]) yield* step(k, 'x', () => { n += i; k.inode(vma.ino).size = n; }); ${REST} }`,
      /\.mjs: .*capture constants only/,
    ],
    [
      'a lock is asked for with something else than a number',
      `${MKWRITE} { yield* lock(k, iRwsem(vma)); ${REST} }`,
      /\.mjs:3:\d+: i_rwsem: a number of an inode, an mm or a page is no object/,
    ],
    ['mmap answers a bare errno', `*mmap() { return 'EAGAIN'; }`, /\.mjs: hook mmap answers "EAGAIN"/],
    ['write_begin forgets its answer', '*writeBegin() {}', /\.mjs: hook writeBegin answers undefined/],
    ['a hook is no generator', `pageMkwrite() { return 'locked'; }`, /\.mjs: ext4_page_mkwrite is no op/],
    [
      'a hook answers nonsense',
      `${MKWRITE} { return 'maybe'; }`,
      /\.mjs: pageMkwrite answers "maybe", which is no VmFault/,
    ],
    [
      'an errno is none',
      `*writeBegin() { return err('ENOTHING'); }`,
      /\.mjs:3:\d+: there is no errno ENOTHING/,
    ],
  ])('%s', async (_, hooks, message) => {
    const { code, err } = await ext4lab('explore', 'small-write-beside-store', '--design', designFile(hooks));
    expect(err).toMatch(message);
    expect(err).not.toMatch(/internal error/);
    expect(code).toBe(2);
  });

  it('is told by run and crash as well', async () => {
    const file = designFile(`${MKWRITE} { throw new Error('oops'); }`);
    for (const command of ['run', 'crash']) {
      const { code, err } = await ext4lab(command, 'mmap-store-then-fsync', '--design', file);
      expect(err, command).toMatch(/\.mjs:3:\d+: oops/);
      expect(code, command).toBe(2);
    }
  });
});

it('a file may not take the name of a bundled design', async () => {
  const { code, err } = await ext4lab('race', 'two-stores', '--designs', designFile('', 'mkwrite-convert'));
  expect(err).toMatch(/the id mkwrite-convert is that of a bundled design/);
  expect(code).toBe(2);
});
