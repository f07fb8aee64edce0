import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLane, parseScript } from '../../src/scenario/lane.ts';
import { parseByte, parseHex, parseIndex, parseNumber } from '../../src/scenario/numbers.ts';
import { parseLine, ScenarioError, verbs } from '../../src/scenario/parse.ts';
import { suggest } from '../../src/scenario/suggest.ts';

const place = { file: 'fixtures/x.json', lane: 'CPU0', line: 3 };
const command = (text: string) => parseLine(text, place).command;

function errorOf(run: () => unknown): ScenarioError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError);
    return error as ScenarioError;
  }
  throw new Error('nothing was thrown');
}

describe('Which numbers does a line take?', () => {
  it.each([
    ['0', 0],
    ['50', 50],
    ['0x1f', 31],
    ['0X1F', 31],
    ['010', 8],
    ['00', 0],
    ['4k', 4096],
    ['1K', 1024],
    ['1m', 2 ** 20],
    ['2G', 2 ** 31],
    ['1t', 2 ** 40],
    ['7p', 7 * 2 ** 50],
    ['0e', 0],
    ['1s', 512],
    ['1b', 4096],
    ['0x1b', 27],
    ['0x1e', 30],
    ['0x10k', 16384],
    ['0x1g', 2 ** 30],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%s is %i', (text, value) => expect(parseNumber(text)).toEqual({ value }));

  it.each([
    '',
    '-1',
    '+1',
    '1.5k',
    '1kk',
    '1q',
    '08',
    '0x',
    'x',
    '1 ',
    ' 1',
    '1e3',
    '8p',
    '1e',
    '9007199254740992',
    '0x1gg',
    '１',
  ])('%j is none', (text) => expect(parseNumber(text)).toHaveProperty('problem'));

  it('takes no unit for an index and nothing over 255 for a byte', () => {
    expect(parseIndex('0x10')).toEqual({ value: 16 });
    expect(parseIndex('1k')).toHaveProperty('problem');
    expect(parseByte('0xff')).toEqual({ value: 255 });
    expect(parseByte('256')).toHaveProperty('problem');
    expect(parseHex('0xABcd')).toEqual({ value: 'abcd' });
    expect(parseHex('abc')).toHaveProperty('problem');
  });

  it('gives back every safe integer that is printed in decimal, hex or octal', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        for (const text of [`${n}`, `0x${n.toString(16)}`, `0${n.toString(8)}`]) {
          expect(parseNumber(text)).toEqual({ value: n });
        }
      }),
    );
  });
});

describe('What does each verb mean?', () => {
  const file = {
    create: false,
    truncate: false,
    readonly: false,
    append: false,
    direct: false,
    sync: false,
    exclusive: false,
    nofollow: false,
    directory: false,
    tmpfile: false,
    mode: 0o600,
  };
  const xattr = { verb: 'setfattr', path: '/f', name: 'user.a', only: null };
  const range = { verb: 'sync_range', offset: 0, length: 10, before: false, write: false, after: false };
  const copy = { verb: 'copy_range', path: null, file: 0, from: 0, to: 0, length: null };
  const mv = { verb: 'mv', from: '/a', to: '/b', noreplace: false, exchange: false, whiteout: false };
  it.each<[string, object]>([
    ['open /f', { verb: 'open', path: '/f', ...file }],
    ['open -f -t /f', { verb: 'open', path: '/f', ...file, create: true, truncate: true }],
    [
      'open -fads "/a b"',
      { verb: 'open', path: '/a b', ...file, create: true, append: true, direct: true, sync: true },
    ],
    [
      'open -fxLD -m 4755 /f',
      {
        verb: 'open',
        path: '/f',
        ...file,
        create: true,
        exclusive: true,
        nofollow: true,
        directory: true,
        mode: 0o4755,
      },
    ],
    ['open -T /', { verb: 'open', path: '/', ...file, tmpfile: true }],
    ['open /f -r', { verb: 'open', path: '/f', ...file, readonly: true }],
    ['close', { verb: 'close' }],
    ['file 1', { verb: 'file', index: 1 }],
    ['pwrite 0 3', { verb: 'pwrite', offset: 0, length: 3, data: 'cdcdcd', block: 4096 }],
    ['pwrite -q -S 0x61 -b 1k 4k 2', { verb: 'pwrite', offset: 4096, length: 2, data: '6161', block: 1024 }],
    ['pwrite 0 2 -S97', { verb: 'pwrite', offset: 0, length: 2, data: '6161', block: 4096 }],
    ['pwrite -x 414243 7', { verb: 'pwrite', offset: 7, length: 3, data: '414243', block: 4096 }],
    ['pwrite -x 0xFF 7 1', { verb: 'pwrite', offset: 7, length: 1, data: 'ff', block: 4096 }],
    ['pwrite -- 0 0', { verb: 'pwrite', offset: 0, length: 0, data: '', block: 4096 }],
    ['pread -v -q -b 512 0 50', { verb: 'pread', offset: 0, length: 50, block: 512 }],
    [
      'mmap 0 1m',
      { verb: 'mmap', offset: 0, length: 2 ** 20, read: true, write: true, exec: true, shared: true },
    ],
    [
      'mmap -rw 0 4k',
      { verb: 'mmap', offset: 0, length: 4096, read: true, write: true, exec: false, shared: true },
    ],
    [
      'mmap -w -p -s 8k 4k 4k',
      { verb: 'mmap', offset: 4096, length: 4096, read: false, write: true, exec: false, shared: false },
    ],
    ['mmap 2', { verb: 'mapping', index: 2 }],
    ['mapping 2', { verb: 'mapping', index: 2 }],
    ['munmap', { verb: 'munmap' }],
    ['mwrite 1 2', { verb: 'mwrite', offset: 1, length: 2, data: '5858' }],
    ['mwrite -S 0 1 2', { verb: 'mwrite', offset: 1, length: 2, data: '0000' }],
    ['mwrite -x 00ff 1', { verb: 'mwrite', offset: 1, length: 2, data: '00ff' }],
    ['mread -v 0 4', { verb: 'mread', offset: 0, length: 4 }],
    ['mread -f 0 4', { verb: 'mread', offset: 0, length: 4 }],
    ['msync', { verb: 'msync', sync: false, offset: 0, length: null }],
    ['msync -s', { verb: 'msync', sync: true, offset: 0, length: null }],
    ['msync -a 0 4k', { verb: 'msync', sync: false, offset: 0, length: 4096 }],
    ['mprotect -rw', { verb: 'mprotect', read: true, write: true }],
    ['mprotect', { verb: 'mprotect', read: false, write: false }],
    ['truncate 100', { verb: 'truncate', length: 100 }],
    ['falloc -k 0 4k', { verb: 'falloc', offset: 0, length: 4096, keepSize: true }],
    ['fpunch 0 10', { verb: 'fpunch', offset: 0, length: 10 }],
    ['fzero 0 10', { verb: 'fzero', offset: 0, length: 10, keepSize: false }],
    ['fcollapse 0 4k', { verb: 'fcollapse', offset: 0, length: 4096 }],
    ['finsert 0 4k', { verb: 'finsert', offset: 0, length: 4096 }],
    ['fsync', { verb: 'fsync' }],
    ['chattr +j', { verb: 'chattr', journalData: true }],
    ['chattr -j', { verb: 'chattr', journalData: false }],
    ['fdatasync', { verb: 'fdatasync' }],
    ['sync', { verb: 'sync' }],
    ['syncfs', { verb: 'syncfs' }],
    ['stat -v', { verb: 'stat' }],
    ['fiemap -v', { verb: 'fiemap' }],
    ['fiemap -a', { verb: 'fiemap', attribute: true }],
    ['pwrite -D 0 1', { verb: 'pwrite', offset: 0, length: 1, data: 'cd', block: 4096, dsync: true }],
    ['mremap 8k', { verb: 'mremap', length: 8192, mayMove: false }],
    ['mremap -m 8k', { verb: 'mremap', length: 8192, mayMove: true }],
    ['madvise', { verb: 'madvise', range: null }],
    ['madvise -d', { verb: 'madvise', range: 'mapping' }],
    ['madvise -r 0 4k', { verb: 'madvise', range: null }],
    ['madvise -d 0 4k', { verb: 'madvise', range: { offset: 0, length: 4096 } }],
    ['sync_range 0 10', { ...range, write: true }],
    ['sync_range -ab 0 10', { ...range, before: true, after: true }],
    ['copy_range /a', { ...copy, path: '/a' }],
    ['copy_range -s 1 -d 2 -l 3 -f 1', { ...copy, file: 1, from: 1, to: 2, length: 3 }],
    ['seek -d 0', { verb: 'seek', whence: 'data', offset: 0 }],
    ['seek 60 -h', { verb: 'seek', whence: 'hole', offset: 60 }],
    ['mkdir /d', { verb: 'mkdir', path: '/d', mode: 0o777 }],
    ['mkdir -m 700 /d', { verb: 'mkdir', path: '/d', mode: 0o700 }],
    ['rmdir /d', { verb: 'rmdir', path: '/d' }],
    ['rm /f', { verb: 'rm', path: '/f' }],
    ['mv /a /b', mv],
    ['mv -n /a /b', { ...mv, noreplace: true }],
    ['mv -x /a /b', { ...mv, exchange: true }],
    ['mv --exchange /a /b', { ...mv, exchange: true }],
    ['mv -wn /a /b', { ...mv, noreplace: true, whiteout: true }],
    ['flink /f', { verb: 'flink', path: '/f' }],
    ['readlink /l', { verb: 'readlink', path: '/l' }],
    ['mknod /p p', { verb: 'mknod', path: '/p', mode: 0o010666, major: 0, minor: 0 }],
    ['mknod -m 600 /c c 1 3', { verb: 'mknod', path: '/c', mode: 0o020600, major: 1, minor: 3 }],
    ['mknod /b b 300 70000', { verb: 'mknod', path: '/b', mode: 0o060666, major: 300, minor: 70000 }],
    ['chmod 2755 /d', { verb: 'chmod', path: '/d', mode: 0o2755 }],
    ['chown 5 /f', { verb: 'chown', path: '/f', uid: 5, gid: null }],
    ['chown 5:6 /f', { verb: 'chown', path: '/f', uid: 5, gid: 6 }],
    ['chown :6 /f', { verb: 'chown', path: '/f', uid: null, gid: 6 }],
    ['utimes 1 2 3 4', { verb: 'utimes', atime: { sec: 1, nsec: 2 }, mtime: { sec: 3, nsec: 4 } }],
    ['ln /a /b', { verb: 'ln', from: '/a', to: '/b', symbolic: false }],
    ['ln -s a/b /c', { verb: 'ln', from: 'a/b', to: '/c', symbolic: true }],
    ['ls /', { verb: 'ls', path: '/' }],
    ['setfattr -n user.a -v 0x00FF /f', { ...xattr, value: '00ff' }],
    ['setfattr -n user.a -v 0sQUI= /f', { ...xattr, value: '4142' }],
    ["setfattr -n user.a -v 'é b' /f", { ...xattr, value: 'c3a92062' }],
    ['setfattr -n user.a -v "" /f', { ...xattr, value: '' }],
    ['setfattr -n user.a -V 3 /f', { ...xattr, value: '767676' }],
    ['setfattr -c -n user.a -v 1 /f', { ...xattr, value: '31', only: 'create' }],
    ['setfattr -r -n user.a -v 1 /f', { ...xattr, value: '31', only: 'replace' }],
    ['setfattr -x user.a /f', { verb: 'rmfattr', path: '/f', name: 'user.a' }],
    ['getfattr -n user.a /f', { verb: 'getfattr', path: '/f', name: 'user.a' }],
    ['rmfattr -n user.a /f', { verb: 'rmfattr', path: '/f', name: 'user.a' }],
    ['rmfattr user.a /f', { verb: 'rmfattr', path: '/f', name: 'user.a' }],
    ['pwrite -m 8 50 4', { verb: 'pwrite', offset: 50, length: 4, data: '', block: 4096, from: 8 }],
    ['pread -m 8 50 4', { verb: 'pread', offset: 50, length: 4, block: 4096, into: 8 }],
    ['@freeze', { verb: '@freeze' }],
    ['@thaw', { verb: '@thaw' }],
    ['@swapon /f', { verb: '@swapon', path: '/f' }],
    ['@flusher', { verb: '@flusher' }],
    ['@fail-alloc 2', { verb: '@fail-alloc', nth: 2 }],
    [
      'sync_range 0 0',
      { verb: 'sync_range', offset: 0, length: 0, before: false, write: true, after: false },
    ],
    [
      'sync_range -ab 4k 1',
      { verb: 'sync_range', offset: 4096, length: 1, before: true, write: false, after: true },
    ],
    ['@gup -S 0x42 0 2', { verb: '@gup', offset: 0, length: 2, data: '4242' }],
    ['@writepages /f', { verb: '@writepages', path: '/f' }],
    ['@reclaim /f', { verb: '@reclaim', path: '/f' }],
    ['@verity /f', { verb: '@verity', path: '/f' }],
    ['@flush', { verb: '@flush' }],
    ['@commit', { verb: '@commit' }],
    ['@drop_caches', { verb: '@drop_caches' }],
    ['@remount', { verb: '@remount' }],
    ['@crash', { verb: '@crash', flush: false }],
    ['@crash -f', { verb: '@crash', flush: true }],
    ['  fsync\t', { verb: 'fsync' }],
    [`open '/it''s'"\\"\\\\"`, { verb: 'open', path: '/its"\\', ...file }],
  ])('%s', (text, expected) => {
    const line = parseLine(text, place);
    expect(line).toEqual({ lane: 'CPU0', line: 3, text, command: expected });
    expect(JSON.parse(JSON.stringify(line)), 'a line is plain JSON').toEqual(line);
  });

  it('has a usage that its own parser takes, for every verb', () => {
    // The first form of a usage, optional parts dropped, names filled in.
    const fill: Record<string, string> = {
      off: '0',
      len: '1',
      N: '0',
      NTH: '1',
      NAME: 'user.a',
      PATH: '/f',
      FROM: '/f',
      TO: '/g',
      MODE: '644',
      SRC: '/g',
      newsize: '4k',
      UID: '5',
      GID: '6',
      atime_sec: '1',
      atime_nsec: '2',
      mtime_sec: '3',
      mtime_nsec: '4',
    };
    for (const { verb, usage } of verbs()) {
      const plain = usage
        .replace('[UID][:GID]', 'UID')
        .replace(/\[[^\]]*\]/g, '')
        .replace(/\((.*?) \|[^)]*\)/, '$1')
        .split('|')[0]!
        .replace('-v 0xHEX', '-v 0x41')
        .replace(/\b[A-Za-z_]+\b/g, (word) => fill[word] ?? word);
      expect(command(plain.replace(/ +/g, ' ')).verb).toBe(verb);
    }
  });
});

describe('What does a malformed line say?', () => {
  // line, column, a part of the message
  const malformed: [string, number, string][] = [
    ['', 1, 'empty line'],
    ['   ', 1, 'empty line'],
    ['bogus', 1, 'unknown verb "bogus"'],
    ['pwrit 0 1', 1, 'did you mean pwrite?'],
    ['PWRITE 0 1', 1, 'did you mean pwrite?'],
    ['w 0 1', 1, 'did you mean pwrite?'],
    ['writepages /f', 1, 'did you mean @writepages?'],
    ['@writepage /f', 1, 'did you mean @writepages?'],
    ['sendfile 0 1', 1, 'xfs_io has it, ext4lab does not'],
    ['touch /f', 1, 'did you mean open -f?'],
    ['# comment', 1, '# outside quotes'],
    ['fsync # now', 7, '# outside quotes'],
    ['fsync; sync', 6, '; outside quotes (one command a line'],
    ['rm /*', 5, '* outside quotes'],
    ['rm /$HOME', 5, '$ outside quotes'],
    ['open "/f', 6, '" is not closed'],
    ["open '/f", 6, "' is not closed"],
    ['open f', 6, 'path "f" is relative (write "/f")'],
    ['open', 1, 'open needs PATH (usage: open'],
    ['open ""', 6, 'empty path'],
    ['open /f /g', 9, 'unexpected "/g"'],
    ['open -F /f', 6, 'unknown option -F for open (did you mean -f?)'],
    ['open -m 9 /f', 9, '"9" is no mode'],
    ['open -P /f', 6, 'O_PATH is not modelled'],
    ['mknod /p q', 10, '"q" is no type'],
    ['mknod /c c 1', 1, 'mknod needs MINOR'],
    ['chmod u+x /f', 7, 'octal digits'],
    ['chown root /f', 7, '"root" is no owner'],
    ['mv --frob /a /b', 4, 'unknown option'],
    ['close 1', 7, 'unexpected "1"'],
    ['file', 1, 'file needs N'],
    ['file -1', 6, 'unknown option -1 for file (numbers are 0 or more)'],
    ['file 1k', 6, '"1k" is not a plain number'],
    ['pwrite 0', 1, 'pwrite needs len'],
    ['pwrite 0 1 2', 12, 'unexpected "2"'],
    ['pwrite 0 1.5k', 10, 'whole numbers only'],
    ['pwrite 0 1kk', 10, 'units are s (512)'],
    ['pwrite 0 5x', 10, 'unknown unit "x"'],
    ['pwrite 08 1', 8, 'octal'],
    ['pwrite 0 -5', 10, 'unknown option -5 for pwrite (numbers are 0 or more)'],
    ['pwrite 0 99999999999999999999', 10, 'too large (below 2^53)'],
    ['pwrite 0 1t', 10, 'more than one line may write'],
    ['pwrite 9007199254740991 1', 25, 'the end of the range is too large'],
    ['pwrite -s 0x61 0 1', 8, 'pwrite -s is not supported (a seed is -S'],
    ['pwrite -Q 0 1', 8, 'did you mean -q?'],
    [
      'pwrite -k 0 1',
      8,
      'unknown option -k for pwrite (pwrite takes -S seed, -x hex, -m src, -b size, -q, -D)',
    ],
    ['pwrite -W 0 1', 8, 'write fsync after it'],
    ['pwrite -S 256 0 1', 11, '"256" is not a byte'],
    ['pwrite -S 0x6g 0 1', 11, '"0x6g" is not'],
    ['pwrite -S 1 -S 2 0 1', 13, '-S is given twice'],
    ['pwrite 0 1 -S', 12, '-S needs a seed'],
    ['pwrite -x 123 0', 11, 'odd number of hex digits'],
    ['pwrite -x zz 0', 11, 'is not hex'],
    ['pwrite -x 4142 0 3', 18, '-x holds 2 bytes, not "3"'],
    ['pwrite -x 41 -S 1 0', 11, '-S and -x do not go together'],
    ['pwrite -b 0 0 1', 11, 'a block of 0 bytes'],
    ['pwrite --seed 1 0 1', 8, 'unknown option --seed'],
    ['mmap', 1, 'mmap needs off'],
    ['mmap -r 0', 1, 'mmap needs len'],
    ['mmap -S 0 4k', 6, 'MAP_SYNC'],
    ['mmap -s x 0 4k', 9, '"x" is not a number'],
    ['mwrite', 1, 'mwrite needs off'],
    ['mwrite -r 0 4', 8, 'mwrite -r is not supported'],
    ['msync -sa', 7, '-s and -a do not go together'],
    ['msync 0', 1, 'msync needs len'],
    ['msync -i', 7, 'MS_INVALIDATE'],
    ['truncate', 1, 'truncate needs len'],
    ['truncate -- -1', 13, 'no sign'],
    ['falloc -p 0 1', 8, 'write fpunch off len'],
    ['seek 0', 1, 'seek needs -d (data) or -h (hole)'],
    ['seek -dh 0', 6, '-d and -h do not go together'],
    ['seek -a 0', 6, 'one question a line'],
    ['fsync /f', 7, 'unexpected "/f"'],
    ['mkdir -p /a/b', 7, 'mkdir -p is not supported'],
    ['rm -rf /f', 4, 'rm -r is not supported'],
    ['mv /a', 1, 'mv needs TO'],
    ['ln -s "" /a', 7, 'a symbolic link needs a target'],
    ['ln a /b', 4, 'path "a" is relative'],
    ['setfattr /f', 1, 'setfattr needs -n'],
    ['setfattr -n user.a /f', 1, 'setfattr needs -v'],
    ['setfattr -n "" -v 1 /f', 13, 'empty attribute name'],
    ['setfattr -n user.a -v 0x1 /f', 23, 'odd number of hex digits'],
    ['setfattr -n user.a -v 0s! /f', 25, '! outside quotes'],
    ["setfattr -n user.a -v '0s!' /f", 23, 'is not base64'],
    ['setfattr -n user.a -v 1 -V 2 /f', 28, '-v and -V do not go together'],
    ['setfattr -n user.a -V 131073 /f', 23, 'longer than an attribute may be'],
    ['setfattr -x user.a -n user.b /f', 23, '-x and -n do not go together'],
    ['getfattr -d /f', 10, 'name one attribute with -n'],
    ['@writepages', 1, '@writepages needs PATH'],
    ['@crash now', 8, 'unexpected "now"'],
    ['fsync\nsync', 6, 'one command a line'],
    ['open /\u0000', 7, 'character U+0000'],
  ];
  it(`has enough cases`, () => expect(malformed.length).toBeGreaterThanOrEqual(50));

  it.each(malformed)('%j at column %i: %s', (text, column, part) => {
    const error = errorOf(() => parseLine(text, place));
    expect(error.message).toContain(part);
    expect(error).toMatchObject({ file: 'fixtures/x.json', lane: 'CPU0', line: 3 });
    expect(error.message).toMatch(/^fixtures\/x\.json: lane CPU0, line 3, column \d+: /);
    if (!part.includes('! outside') && !part.includes('do not go together'))
      expect(error.column).toBe(column);
    if (error.hint !== undefined) expect(error.message.endsWith(`(${error.hint})`)).toBe(true);
  });

  it('throws nothing but ScenarioError, whatever is written', () => {
    const word = fc.oneof(
      fc.constantFrom(...verbs().map(({ verb }) => verb as string)),
      fc.constantFrom(
        '-S',
        '-x',
        '-b',
        '-rw',
        '--',
        '-',
        '0',
        '4k',
        '/f',
        'user.a',
        '"',
        "'",
        'toString',
        '__proto__',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word, { maxLength: 6 }).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(text, (line) => {
        try {
          parseLine(line, place);
        } catch (error) {
          if (!(error instanceof ScenarioError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('What is known of a lane without running it?', () => {
  const lane = (...texts: string[]) => parseLane(texts, { lane: 'CPU1' });
  const open = ['open -f /f', 'open -f /g'];

  it('numbers its lines from 1 and keeps their text', () => {
    expect(lane('open /f', 'fsync').map(({ lane, line, text }) => [lane, line, text])).toEqual([
      ['CPU1', 1, 'open /f'],
      ['CPU1', 2, 'fsync'],
    ]);
  });

  it.each<[string[], number, string]>([
    [['pwrite 0 1'], 1, 'pwrite needs an open file'],
    [['open /f', 'close', 'fsync'], 3, 'fsync needs an open file'],
    [['open /f', '@remount', 'pread 0 1'], 3, 'pread needs an open file'],
    [['open /f', 'mwrite 0 1'], 2, 'mwrite needs a mapping'],
    [['open /f', 'mmap 0 4k', 'munmap', 'mread 0 1'], 4, 'mread needs a mapping'],
    [[...open, 'file 2'], 3, 'no file 2 (this lane has 2, counted from 0)'],
    [['file 0'], 1, 'no file 0 (this lane has no open file)'],
    [['open /f', 'mmap 0 4k', 'mapping 1'], 3, 'no mapping 1'],
    [['open /f', 'mmap 4k 4k', 'mwrite 0 1'], 3, 'bytes 0 to 1 are not all in the current mapping'],
    [['open /f', 'mmap 0 50', 'mwrite 50 1'], 3, 'it maps 0 to 50'],
    [['open /f', 'mmap 0 4k', 'mmap 4k 4k', 'munmap', 'msync -s 4k 4k'], 5, 'not all in the current mapping'],
  ])('%j: line %i: %s', (texts, line, part) => {
    const error = errorOf(() => lane(...texts));
    expect(error.message).toContain(part);
    expect(error).toMatchObject({ lane: 'CPU1', line, column: 1, file: undefined });
    expect(error.message).toMatch(/^lane CPU1, line/);
  });

  it('makes the next one current after close and munmap, or the last, as xfs_io does', () => {
    const maps = ['open /f', 'mmap 0 4k', 'mmap 4k 4k', 'mmap 8k 4k'];
    lane(...maps, 'munmap', 'mwrite 4k 4');
    lane(...maps, 'mapping 1', 'munmap', 'mwrite 8k 4', 'munmap', 'mwrite 0 4');
    lane(...maps, 'mapping 0', 'munmap', 'mwrite 4k 4');
    lane(...open, 'close', 'pwrite 0 1');
    lane('open /f', 'mmap 0 4k', 'close', 'mwrite 0 4', 'msync -s', 'munmap');
  });

  it('reads a script with comments and blank lines, numbered as in the file', () => {
    const script = parseScript('# a script\r\nopen -f /f\n\n  # more\nfsync\n', 's.txt');
    expect(script.map(({ lane, line }) => [lane, line])).toEqual([
      ['script', 2],
      ['script', 5],
    ]);
    expect(errorOf(() => parseScript('\nfoo', 's.txt')).message).toMatch(
      /^s\.txt: script, line 2, column 1: unknown verb/,
    );
  });
});

describe('suggest', () => {
  it('finds the near and the unfinished word, and nothing else', () => {
    expect(suggest('fsnyc', ['fsync', 'sync'])).toBe('fsync');
    expect(suggest('fdata', ['fsync', 'fdatasync'])).toBe('fdatasync');
    expect(suggest('zzz', ['fsync', 'sync'])).toBeNull();
    expect(suggest('x'.repeat(10_000), ['fsync'])).toBeNull();
  });
});
