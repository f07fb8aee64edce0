/**
 * e2fsprogs as referee: what mke2fs and debugfs put into an inode we must read, and what we put there e2fsck must
 * pass and debugfs must read.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr, type Result } from '../../src/errno.ts';
import {
  findInlineData,
  type InlinePlace,
  maxInlineSize,
  readInlineData,
  updateInlineData,
  writeInlineData,
} from '../../src/inline/bytes.ts';
import { inlineDirEntries, inlineDirParent, insertInlineDirent } from '../../src/inline/dir.ts';
import { inodeChecksumOk, sealInode } from '../../src/inode/checksum.ts';
import { INODE_FLAG, inodeLayout, isDir, rawFileAcl, rawSize } from '../../src/inode/layout.ts';
import {
  checkXattrBlock,
  xattrBlockEntries,
  xattrBlockHash,
  xattrBlockValue,
  xattrEntryHash,
  xattrHeaderLayout,
} from '../../src/xattr/block.ts';
import { checkIbody, ibodyEntries, ibodyValue, setIbodyEntry } from '../../src/xattr/ibody.ts';

const FS_SEED = 0xb720167d;
const missing = ['mke2fs', 'debugfs', 'e2fsck'].filter((tool) => spawnSync(tool, ['-V']).error !== undefined);
if (missing.length > 0 && process.env.CI) throw new Error(`CI needs ${missing.join(', ')}`);
const reason = missing.length > 0 ? ` (skipped: no ${missing.join(', ')})` : '';

const run = (tool: string, ...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(tool, args, { encoding: 'latin1' });
  if (status !== 0) throw new Error(`${tool} ${args.join(' ')}: ${status}\n${stdout}${stderr}`);
  return stdout;
};
const ok = <T>(result: Result<T>): T => {
  if (isErr(result)) throw new Error(result.errno);
  return result;
};

const sizes = [0, 1, 59, 60, 61, 63, 64, 100, 127, 128, 129, 300];
const content = (size: number): string =>
  Array.from({ length: size }, (_, i) => 'abcdefghijklmnopqrstuvwxyz'[(i * 7 + size) % 26]).join('');
const dirs: Record<string, string[]> = {
  empty: [],
  four: ['aaa', 'bbb', 'ccc', 'ddd'],
  nine: Array.from({ length: 9 }, (_, i) => `n0${i}`),
};

describe.skipIf(missing.length > 0).each([256, 512])(`%i-byte inodes${reason}`, (inodeSize) => {
  let dir: string;
  let image: string;
  let bytes: Uint8Array;
  let itable: number;

  const inodeOf = (ino: number): Bytes => {
    const at = itable + (ino - 1) * inodeSize;
    return Bytes.of(bytes.subarray(at, at + inodeSize));
  };
  const store = (ino: number, raw: Bytes): void =>
    sealInode(raw, ino, FS_SEED).copyTo(bytes, itable + (ino - 1) * inodeSize);
  const listed = (path: string): Map<string, number> => {
    const rows = run('debugfs', '-R', `ls -p ${path}`, image)
      .split('\n')
      .map((line) => line.split('/'));
    return new Map(
      rows.filter((row) => row.length > 5 && row[1] !== '0').map((row) => [row[5]!, Number(row[1])]),
    );
  };
  const placeOf = (raw: Bytes): InlinePlace | undefined => {
    const place = findInlineData(raw);
    if (place === 'corrupt') throw new Error('corrupt');
    return place;
  };

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'ext4lab-referee-'));
    const tree = join(dir, 'tree');
    image = join(dir, 'image');
    mkdirSync(tree);
    for (const size of sizes) writeFileSync(join(tree, `f${size}`), content(size));
    for (const [name, children] of Object.entries(dirs)) {
      mkdirSync(join(tree, name));
      for (const child of children) writeFileSync(join(tree, name, child), child);
    }
    const features = 'inline_data,^has_journal,^dir_index';
    run(
      'mke2fs',
      '-q',
      '-t',
      'ext4',
      '-b',
      '4096',
      '-I',
      String(inodeSize),
      '-N',
      '96',
      '-O',
      features,
      '-U',
      '00112233-4455-6677-8899-aabbccddeeff',
      '-d',
      tree,
      image,
      '4M',
    );
    const script = join(dir, 'script');
    writeFileSync(
      script,
      [
        'ea_set /f1 user.alpha 12345',
        'ea_set /f60 user.k 0123456789',
        'ea_set /f60 trusted.t xyz',
        `ea_set /f128 user.big ${'Z'.repeat(600)}`,
        'ea_set /f128 user.a 1',
        `ea_set /f128 security.s ${'y'.repeat(500)}`,
      ].join('\n'),
    );
    run('debugfs', '-w', '-f', script, image);
    bytes = readFileSync(image);
    itable = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4096 + 8, true) * 4096;
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('we read every inode that mke2fs and debugfs wrote', () => {
    let inline = 0;
    for (const [name, ino] of listed('/')) {
      const raw = inodeOf(ino);
      expect(inodeChecksumOk(raw, ino, FS_SEED)).toBe(true);
      expect(checkIbody(raw)).toBeUndefined();
      const { flags, mode } = inodeLayout.decode(raw);
      const place = placeOf(raw);
      expect(place !== undefined).toBe((flags & INODE_FLAG.inlineData) !== 0);
      if (place === undefined) continue;
      inline++;
      if (isDir(mode)) {
        expect(inlineDirParent(raw)).toBe(2);
        const entries = ok(inlineDirEntries(raw, place)).map((entry) => [entry.name, entry.ino]);
        const there = [...listed(`/${name}`)].filter(([child]) => !child.startsWith('.'));
        expect(entries.sort()).toEqual(there.sort());
      } else {
        const size = Number(name.slice(1));
        expect(rawSize(raw)).toBe(size);
        expect(readInlineData(raw, place, size).toText()).toBe(content(size));
      }
    }
    expect(inline).toBeGreaterThan(9);
  });

  test('xattrs in the inode body and in the block are those that debugfs set', () => {
    const root = listed('/');
    const inBody = (file: string) => {
      const raw = inodeOf(root.get(file)!);
      return ibodyEntries(raw)
        .filter((entry) => entry.nameIndex !== 7)
        .map((entry) => [entry.nameIndex, entry.name, ibodyValue(raw, entry).toText()]);
    };
    expect(inBody('f1')).toEqual([[1, 'alpha', '12345']]);
    expect(inBody('f60').sort()).toEqual([
      [1, 'k', '0123456789'],
      [4, 't', 'xyz'],
    ]);
    const blockNr = rawFileAcl(inodeOf(root.get('f128')!));
    expect(blockNr).toBeGreaterThan(0);
    const block = Bytes.of(bytes.subarray(blockNr * 4096, (blockNr + 1) * 4096));
    expect(checkXattrBlock(block, { blockNr, fsSeed: FS_SEED })).toBeUndefined();
    const big = xattrBlockEntries(block).find((entry) => entry.name === 'big')!;
    expect(xattrBlockValue(block, big).toText()).toBe('Z'.repeat(600));
    for (const entry of xattrBlockEntries(block)) expect(xattrEntryHash(block, entry)).toBe(entry.hash);
    expect([0, xattrBlockHash(block)]).toContain(xattrHeaderLayout.get(block, 'hash'));
  });

  test('e2fsck passes and debugfs reads what we write', () => {
    const root = listed('/');
    const expected = new Map<string, string>();
    for (const size of sizes) {
      const name = `f${size}`;
      const ino = root.get(name)!;
      let raw = inodeOf(ino);
      if (placeOf(raw) !== undefined) {
        // An xattr where there is room, then the data grown to the last byte.
        const withXattr = setIbodyEntry(raw, 1, 'ours', Bytes.fromText('hello'));
        if (!isErr(withXattr)) raw = withXattr;
        const place = placeOf(raw)!;
        const capacity = maxInlineSize(raw, place.inlineOff);
        const text = content(capacity === 0 ? size : capacity);
        const grown = ok(updateInlineData(raw, place, text.length));
        raw = inodeLayout.put(writeInlineData(grown.raw, grown, 0, Bytes.fromText(text)), {
          sizeLo: text.length,
        });
        store(ino, raw);
        expected.set(name, text);
      } else expected.set(name, content(size));
    }
    // One more name for f1 in each inline directory.
    const f1 = root.get('f1')!;
    let links = 1;
    for (const name of Object.keys(dirs)) {
      const ino = root.get(name)!;
      const raw = inodeOf(ino);
      const place = placeOf(raw);
      if (place === undefined) continue;
      const added = ok(insertInlineDirent(raw, place, { ino: f1, name: 'f1-again', fileType: 1 }));
      if (added.at === undefined) continue;
      store(ino, inodeLayout.put(added.raw, { sizeLo: added.inlineSize }));
      expected.set(`${name}/f1-again`, expected.get('f1')!);
      links++;
    }
    expect(links).toBeGreaterThan(2);
    store(f1, inodeLayout.put(inodeOf(f1), { linksCount: links }));
    writeFileSync(image, bytes);

    run('e2fsck', '-fn', image);
    const script = join(dir, 'read');
    const out = (name: string) => join(dir, name.replace('/', '-'));
    writeFileSync(
      script,
      [...expected.keys()].map((name) => `dump /${name} ${out(`out-${name}`)}`).join('\n'),
    );
    run('debugfs', '-f', script, image);
    for (const [name, text] of expected) expect(readFileSync(out(`out-${name}`), 'latin1')).toBe(text);
    // The referee is awake: one byte without a new checksum does not pass.
    const f1At = itable + (f1 - 1) * inodeSize + 0x28;
    writeFileSync(
      `${image}.bad`,
      Bytes.of(bytes)
        .putU8(f1At, bytes[f1At]! ^ 1)
        .toUint8Array(),
    );
    expect(() => run('e2fsck', '-fn', `${image}.bad`)).toThrow('checksum does not match');

    expect(run('debugfs', '-R', 'ea_get /f1 user.ours', image)).toContain('"hello"');
    expect(run('debugfs', '-R', 'ea_get /f1 user.alpha', image)).toContain('"12345"');
  });
});
