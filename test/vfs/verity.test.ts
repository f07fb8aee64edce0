/** Enabling verity: where its metadata is, what it hashes, whom it refuses, and what it takes back. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { lookupBlock } from '../../src/balloc/mapBlocks.ts';
import { Bytes } from '../../src/bytes/bytes.ts';
import { sha256 } from '../../src/bytes/sha256.ts';
import { imageOf } from '../../src/cli/images.ts';
import { raceCell } from '../../src/compare/race.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { readMedium } from '../../src/device/medium.ts';
import { isErr } from '../../src/errno.ts';
import { runSession } from '../../src/scenario/run.ts';
import { saveImage } from '../../src/scenario/save.ts';
import { readScenario } from '../../src/scenario/schema.ts';
import { flatKernel, startSession } from '../../src/scenario/session.ts';
import { e2fsck, refereed } from '../support/referee.ts';

const design = (id: string) => DESIGNS.find((each) => each.id === id)!;

function scenario(tasks: Record<string, string[]>, setup: string[], features = ['has_journal', 'verity']) {
  const image = { mkfs: { blocks: 2048, features } };
  return readScenario(JSON.stringify({ name: 'here', question: 'What?', image, setup, tasks }), 'here.json');
}

function run(lines: string[], setup: string[] = [], id = 'page-cache-convert', features?: string[]) {
  const made = scenario({ CPU0: lines }, setup, features);
  const session = startSession(made, imageOf(made), design(id), ['delalloc']);
  const result = runSession(session);
  return { session, ...result, results: result.tasks.CPU0! };
}

const hash = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

test.each([0, 1, 55, 56, 63, 64, 65, 4096])('sha256 of %i bytes is what node says', (length) => {
  const data = Uint8Array.from({ length }, (_, i) => (i * 7) & 255);
  expect(sha256(Bytes.of(data)).toHex()).toBe(hash(data));
});

/** Byte `pos` of /f and what follows in its block, on the medium after the run. */
function stored({ session, trace }: ReturnType<typeof run>, ino: number, pos: number, length: number): Bytes {
  const { k } = flatKernel(session, trace.end);
  const found = lookupBlock(k, ino, Math.floor(pos / 4096));
  if (isErr(found) || found.state !== 'mapped') throw new Error(`byte ${pos} is not on the medium`);
  return readMedium(k, found.block).slice(pos % 4096, (pos % 4096) + length);
}

describe('What is on the disk afterwards?', () => {
  test('one block of data: its hash is the root hash, the descriptor is at 64 KiB', () => {
    const done = run(['@verity /f', 'sync'], ['open -f /f', 'pwrite -S 0x41 0 300', 'fsync']);
    expect(done.results[0]).toMatchObject({ ret: 0 });
    const descriptor = stored(done, 12, 65536, 256);
    expect(descriptor.toHex().slice(0, 8)).toBe('01010c00');
    expect(descriptor.u32(8)).toBe(300);
    const page = new Uint8Array(4096).fill(0x41, 0, 300);
    expect(descriptor.slice(16, 48).toHex()).toBe(hash(page));
    expect(stored(done, 12, 65536 + 4092, 4).u32(0)).toBe(256);
    expect(done.final.files['/f']).toMatchObject({ size: 300 });
    expect(done.findings).toEqual([]);
  });

  test('two blocks: a tree of one block comes before the descriptor', () => {
    const done = run(['@verity /f', 'sync'], ['open -f /f', 'pwrite -S 0x41 0 5000', 'fsync']);
    const tree = stored(done, 12, 65536, 4096);
    const second = new Uint8Array(4096).fill(0x41, 0, 5000 - 4096);
    expect(tree.slice(0, 64).toHex()).toBe(hash(new Uint8Array(4096).fill(0x41)) + hash(second));
    expect(
      stored(done, 12, 65536 + 4096, 256)
        .slice(16, 48)
        .toHex(),
    ).toBe(hash(tree.toUint8Array()));
  });

  refereed('e2fsck has nothing against it', ['e2fsck'], () => {
    const { session, trace } = run(['@verity /f', 'sync'], ['open -f /f', 'pwrite -S 0x41 0 50', 'fsync']);
    const { code, output } = e2fsck(saveImage(session, trace.end).toUint8Array());
    expect(code, output).toBe(0);
  });
});

describe('Whom does it refuse, and who refuses it?', () => {
  const setup = ['open -f /f', 'pwrite -S 0x41 0 50', 'fsync'];

  test('a file that is open for writing, or mapped so', () => {
    expect(run(['open /f', '@verity /f', 'close', '@verity /f', '@verity /f'], setup).results).toMatchObject([
      { ret: 0 },
      { errno: 'ETXTBSY' },
      { ret: 0 },
      { ret: 0 },
      { errno: 'EEXIST' },
    ]);
    const mapped = ['open /f', 'mmap -r 0 4k', 'close', '@verity /f'];
    expect(run(mapped, setup).results.at(-1)).toMatchObject({ errno: 'ETXTBSY' });
  });

  test('a directory, and a volume without the feature', () => {
    expect(run(['@verity /'], setup).results[0]).toMatchObject({ errno: 'EISDIR' });
    expect(run(['@verity /f'], setup, 'mkwrite-convert', ['has_journal']).results[0]).toMatchObject({
      errno: 'EOPNOTSUPP',
    });
  });

  test('writers, from then on', () => {
    const lines = ['@verity /f', 'open /f', 'open -r /f', 'pread 0 50'];
    const { results } = run(lines, setup);
    expect(results[1]).toMatchObject({ errno: 'EPERM' });
    expect(results[3]).toMatchObject({ data: '41'.repeat(50) });
  });

  test('a writer beside it comes before, or not at all', () => {
    const made = scenario({ CPU0: ['@verity /f'], CPU1: ['open /f', 'pwrite -S 0x42 0 4'] }, setup);
    const { cell } = raceCell(made, imageOf(made), design('page-cache-convert'), ['delalloc']);
    expect(cell.violates).toEqual([]);
  });

  test('a failure takes everything back', () => {
    const { results, findings, final } = run(['@fail-alloc 1', '@verity /f', 'open /f', 'pwrite 0 4'], setup);
    expect(results[1]).toMatchObject({ errno: 'ENOMEM' });
    expect(results[3]).toMatchObject({ ret: 4 });
    expect(final.files['/f']).toMatchObject({ size: 50 });
    expect(findings).toEqual([]);
  });
});
