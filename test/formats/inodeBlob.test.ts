/** One raw inode as a file: every form gives the same bytes, wrong ones a place. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { byteMap } from '../../src/cli/byteMap.ts';
import { mkwriteConvert } from '../../src/designs/mkwrite-convert.ts';
import { isErr } from '../../src/errno.ts';
import { blobLabel, describeInodeBlob, readInodeBlob, seedOfUuid } from '../../src/formats/inodeBlob.ts';
import { importFile } from '../../src/formats/read.ts';
import { sealInode } from '../../src/inode/checksum.ts';
import { ScenarioError } from '../../src/scenario/error.ts';
import { parseLane } from '../../src/scenario/lane.ts';
import { runSession } from '../../src/scenario/run.ts';
import { saveImage } from '../../src/scenario/save.ts';
import { startSession } from '../../src/scenario/session.ts';
import { checkImage } from '../../src/volume/check.ts';
import { resolve } from '../../src/volume/describe.ts';
import { readFile } from '../../src/volume/file.ts';
import { Image } from '../../src/volume/image.ts';
import { ext4lab } from '../support/command.ts';
import { refereed } from '../support/referee.ts';

const folder = mkdtempSync(join(tmpdir(), 'ext4lab-inode-'));
afterAll(() => rmSync(folder, { recursive: true }));
const imageFile = join(folder, 'fs.img');
writeFileSync(imageFile, gunzipSync(readFileSync('fixtures/images/4k-256-journal.img.gz')));
const image = Image.load(new Uint8Array(readFileSync(imageFile)));
const RAW = image.rawInode(2);
const HEX = RAW.toHex();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const pairs = HEX.match(/../g)!;
const rows = (write: (at: number, row: string[]) => string): string =>
  Array.from({ length: pairs.length / 16 }, (_, i) => write(16 * i, pairs.slice(16 * i, 16 * i + 16))).join(
    '\n',
  );
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

describe('a raw inode', () => {
  it('is read from bytes, hex digits and dumps', () => {
    const xxd = rows(
      (at, row) => `${hex(at, 8)}: ${row.join('').replaceAll(/(....)/g, '$1 ')} ................`,
    );
    const canonical = `${rows((at, row) => `${hex(at, 8)}  ${row.slice(0, 8).join(' ')}  ${row.slice(8).join(' ')}  |....|`)}\n00000100\n`;
    for (const form of [
      text(HEX),
      text(`0x${HEX}\n`),
      text(pairs.join(' ')),
      text(xxd),
      text(canonical),
      RAW.toUint8Array?.() ?? Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16)),
    ])
      expect(readInodeBlob(form, 'x').toHex()).toBe(HEX);
  });

  it.skipIf(spawnSync('debugfs', ['-V']).status !== 0)(
    'is read from what debugfs prints, folded rows too',
    () => {
      for (const ino of [2, 8, 11]) {
        const dump = execFileSync('debugfs', ['-R', `inode_dump <${ino}>`, imageFile], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        expect(readInodeBlob(new Uint8Array(dump), 'x').toHex(), `inode ${ino}`).toBe(
          image.rawInode(ino).toHex(),
        );
      }
    },
  );

  refereed('is read from what od prints, in every base of offsets', ['od'], () => {
    const od = (...args: string[]): Uint8Array =>
      new Uint8Array(execFileSync('od', args, { input: Buffer.from(HEX, 'hex') }));
    for (const args of [
      ['-t', 'x1'],
      ['-A', 'x', '-t', 'x1z'],
      ['-A', 'd', '-t', 'x1'],
      ['-A', 'n', '-v', '-t', 'x1'],
      ['-x'],
      ['-v', '-x'],
    ])
      expect(readInodeBlob(od(...args), 'x').toHex(), args.join(' ')).toBe(HEX);
    expect(() => readInodeBlob(od(), 'x')).toThrow('x:1:1: od without -t prints octal words');
    const c = `unsigned char i[] = {\n${rows((_, row) => `  ${row.map((pair) => `0x${pair},`).join(' ')}`)}\n};\n`;
    expect(readInodeBlob(text(c), 'x').toHex()).toBe(HEX);
  });

  it('is described, its checksum checked where the volume is known', () => {
    const seed = image.geometry.csumSeed;
    expect(describeInodeBlob(RAW, { ino: 2, seed }).join('\n')).toContain(' right');
    expect(describeInodeBlob(RAW, { ino: 3, seed }).join('\n')).toContain('WRONG, should be');
    expect(describeInodeBlob(RAW).join('\n')).toContain('--ino and --uuid');
    expect(seedOfUuid('00112233-4455-6677-8899-aabbccddeeff')).toBe(seed);
  });

  it('says what contradicts itself', () => {
    const broken = RAW.edit((u8) => {
      u8[0x23] = 0x10;
      u8[0x00] = 0xa4;
      u8[0x01] = 0x81;
      u8[0x04] = 0xff;
    });
    const said = describeInodeBlob(sealInode(broken, 12, 0)).join('\n');
    expect(said).toContain('none, though INLINE_DATA is set');
  });

  it('whatever it holds is described, never an exception', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(128, 256, 1024),
        fc.array(fc.tuple(fc.nat(1023), fc.nat(255)), { maxLength: 40 }),
        (size, edits) => {
          const bytes = new Uint8Array(size);
          for (let i = 0; i < Math.min(size, pairs.length); i++) bytes[i] = Number.parseInt(pairs[i]!, 16);
          for (const [at, value] of edits) bytes[at % size] = value;
          if (size > 128) bytes.set([0x20, 0], 0x80);
          if (size > 128 && edits.length % 2 === 0) bytes.set([0, 0, 2, 0xea, 4, 7, edits.length, 0], 0xa0);
          const raw = Bytes.copy(bytes);
          expect(describeInodeBlob(raw, { ino: 12, seed: 1 }).length).toBeGreaterThan(10);
          for (const line of byteMap(raw, blobLabel(raw), false)) expect(line.length).toBeLessThanOrEqual(80);
        },
      ),
      { numRuns: 300, seed: 6 },
    );
  });
});

const dump = 'a481 0000 3d00 0000 48b7 016b 48b7 016b  ....=...';
const MALFORMED: readonly (readonly [content: string | number, place: string, words: string])[] = [
  ...[
    1, 2, 60, 64, 100, 127, 129, 160, 255, 257, 511, 513, 1000, 1023, 1025, 2047, 2049, 4095, 4097, 8192,
    65536,
  ].map((size): [number, string, string] => [size, '', `${size} bytes are no inode`]),
  ['\n', '1:1', 'no bytes'],
  ['# nothing\n', '1:1', 'no bytes'],
  ['xyz', '1:1', '"x" is no hex digit'],
  ['a4 8', '1:4', 'odd number of hex digits'],
  ['a4 81 0g', '1:8', '"g" is no hex digit'],
  ['a481', '1:1', 'offset a481 is past the largest inode'],
  ['a4 81', '1:1', '2 bytes are no inode'],
  ['00'.repeat(200), '1:1', '200 bytes are no inode'],
  ['00 '.repeat(5000), '1:12289', 'more than 4096 bytes'],
  ['*\n', '1:1', 'nothing to repeat'],
  [`*\n0000  ${dump}`, '1:1', 'nothing to repeat'],
  [`0000  ${dump}\n0000  ${dump}`, '2:1', 'offset 0000 where 10 should be'],
  [`0000  ${dump}\n0030  ${dump}`, '2:1', 'offset 0030 where 10 should be'],
  [`0010  ${dump}`, '1:1', 'offset 0010 where 0 should be'],
  [`0000  ${dump}\n0020  ${dump}\n0060  ${dump}`, '3:1', 'offset 0060 where 40 should be'],
  [`0000  ${dump}\n0020  ${dump}\n0080  ${dump}`, '3:1', 'offset 0080'],
  [`0000  ${dump}\n0020  ${dump}`, '2:1', '32 bytes are no inode'],
  ['0000  a481 0000', '1:1', '4 bytes are no inode'],
  [`0000  ${dump}\n*\n77777`, '3:1', 'past the largest inode'],
  [`0000  ${dump}\nzz`, '2:1', '"z" is no hex digit'],
  [`0000  ${dump}\na4 81`, '2:1', 'a row without an offset'],
  ['0000  a48 0000', '1:7', '"a48" has an odd number'],
  ['0000  a4q1 0000', '1:9', '"q" is no hex digit'],
  ['00000000: a4x1', '1:13', '"x" is no hex digit'],
  ['00000000  a4 81 0  |...|', '1:17', 'odd number'],
  ['00000000  a4 81 00  |...|', '1:1', '3 bytes are no inode'],
  ['{"raw":"00"}', '1:1', '"{" is no hex digit'],
  ['Inode: 12   Type: regular', '1:1', '"I" is no hex digit'],
  ['0000: zz', '1:7', '"z" is no hex digit'],
  ['0x0000: a4 8', '1:12', 'odd number'],
];

describe('what is none', () => {
  it.each(MALFORMED.map(([content, place, words], index) => [index, content, place, words] as const))(
    '%i',
    (_index, content, place, words) => {
      const bytes = typeof content === 'number' ? new Uint8Array(content) : text(content);
      let message = '';
      try {
        readInodeBlob(bytes, 'in.raw');
      } catch (error) {
        expect(error).toBeInstanceOf(ScenarioError);
        message = (error as Error).message;
      }
      expect(message).toContain(words);
      expect(message.startsWith(`in.raw${place === '' ? '' : `:${place}`}: `), message).toBe(true);
    },
  );

  it('is at least 50 kinds', () => expect(MALFORMED.length).toBeGreaterThanOrEqual(50));

  it('damaged dumps are read or complained about', () => {
    const sample = rows(
      (at, row) => `${at.toString(8).padStart(4, '0')}  ${row.join('').replaceAll(/(....)/g, '$1 ')}`,
    );
    fc.assert(
      fc.property(fc.nat(sample.length), fc.nat(5), fc.string({ maxLength: 4 }), (at, cut, put) => {
        try {
          describeInodeBlob(
            readInodeBlob(text(sample.slice(0, at) + put + sample.slice(at + cut)), 'in.raw'),
          );
        } catch (error) {
          if (!(error instanceof ScenarioError)) throw error;
        }
      }),
      { numRuns: 400, seed: 6 },
    );
  });

  it('ends the command with 2', async () => {
    writeFileSync(join(folder, 'bad'), 'xyz');
    expect((await ext4lab('inspect', '--inode', join(folder, 'bad'))).code).toBe(2);
    expect((await ext4lab('inspect')).code).toBe(2);
    expect((await ext4lab('inspect', '--inode', join(folder, 'bad'), '--ino', '3')).code).toBe(2);
  });
});

describe('an inline file as a scenario', () => {
  /** The raw inode of a file of our own. */
  const inline = (size: number): Bytes => {
    const volume = onVolumeOf(size);
    const ino = resolve(volume, '/f');
    if (isErr(ino)) throw new Error('no /f');
    return volume.rawInode(ino);
  };

  it('has the bytes that it had, in a volume that is consistent', () => {
    for (const size of [5, 60, 61, 128]) {
      const result = importFile(bytesOf(inline(size)), 'in.raw');
      expect(result).toMatchObject({ format: 'inode', guessed: true });
      const volume = Image.load(result.image!);
      expect(checkImage(volume).filter(({ severity }) => severity === 'error')).toEqual([]);
      const ino = resolve(volume, '/f');
      expect(isErr(ino) ? ino : readFile(volume, ino)).toEqual(Bytes.fill(0x41, size));
    }
  });

  it('is refused where something else would have to come with it', () => {
    const complaint = (change: (u8: Uint8Array) => void): string => {
      try {
        importFile(bytesOf(inline(100).edit(change)), 'in.raw', { as: 'inode' });
      } catch (error) {
        expect(error).toBeInstanceOf(ScenarioError);
        return (error as Error).message;
      }
      return '';
    };
    expect(complaint((u8) => u8.set([0xed, 0x41]))).toContain('in.raw: a directory, not a file');
    expect(complaint((u8) => u8.set([0], 0x23))).toContain('in.raw: its data is in blocks');
    expect(complaint((u8) => u8.set([9], 0x68))).toContain('xattr block 9 did not come with it');
    expect(complaint((u8) => u8.set([200], 0xa4))).toContain('in a volume it is not consistent');
  });

  it('damaged is read or complained about', () => {
    const raw = inline(100);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { minLength: 1, maxLength: 4 }), (edits) => {
        const bytes = bytesOf(raw);
        for (const [at, value] of edits) bytes[at] = value;
        try {
          importFile(bytes, 'in.raw', { as: 'inode' });
        } catch (error) {
          if (!(error instanceof ScenarioError)) throw error;
        }
      }),
      { numRuns: 40, seed: 6 },
    );
  });
});

function bytesOf(raw: Bytes): Uint8Array {
  const out = new Uint8Array(raw.length);
  raw.copyTo(out, 0);
  return out;
}

/** A volume whose /f holds so many bytes. */
function onVolumeOf(size: number): Image {
  const lines = parseLane(['open -f /f', `pwrite -S 0x41 0 ${size}`, 'fsync'], { lane: 'CPU0' });
  const input = { file: 'x', setup: [], lanes: [{ name: 'CPU0', lines }], after: [], freeBlocks: null };
  const session = startSession(input, image, mkwriteConvert, ['delalloc']);
  return saveImage(session, runSession(session).trace.end);
}
