/**
 * One scenario line to one `Command`: the verbs of xfs_io with their options, the shell's words for names and
 * attributes, and our `@` actors. Checked against xfs_io 6.1.0.
 *
 * Options are read as getopt does: in any order with the operands (`pwrite 0 50 -S 0x61`), joined (`-rw`,
 * `-S0x61`), ended by `--`. What only changes xfs_io's printing (`-q`, `-v`, `mread -f`) is accepted, because every
 * result is recorded whole. Everything else that has no meaning here is an error by name, never ignored.
 *
 * Beyond xfs_io: `pwrite -x HEX off`, `mwrite -x HEX off` (literal data), `pwrite -m SRC off len` and
 * `pread -m DST off len` (the buffer is the current mapping, from byte SRC or DST of its file on), `mmap -p`
 * (MAP_PRIVATE), `mapping N` (spelled `mmap N` there; both work), `mprotect`, `open -x` (O_EXCL), `open -D`
 * (O_DIRECTORY). Beyond the shell: `mv -x` (`--exchange` in newer coreutils), `mv -w` (RENAME_WHITEOUT), `setfattr -c`
 * and `-r` (XATTR_CREATE, XATTR_REPLACE). `mv -n` is renameat2(2) with RENAME_NOREPLACE and answers EEXIST.
 * `chattr +j` is chattr(1), here on the current file.
 */
import type { Command, Line, Verb } from './ast.ts';
import { type Place, ScenarioError } from './error.ts';
import { type Parsed, parseByte, parseHex, parseIndex, parseNumber, quote } from './numbers.ts';
import { suggest } from './suggest.ts';
import { splitWords, type Word } from './words.ts';

export type { ErrorPlace, Place } from './error.ts';
export { ScenarioError } from './error.ts';

/** Most bytes one line may write: its data is carried as text. */
export const MAX_WRITE_BYTES = 16 * 2 ** 20;
/** More than XATTR_SIZE_MAX, which the kernel refuses (E2BIG). */
export const MAX_XATTR_BYTES = 131072;

/** What xfs_io fills with when `-S` is not given. */
const PWRITE_FILL = 0xcd;
const MWRITE_FILL = 0x58;
/** The value byte of `setfattr -V LEN`: `v`. */
const XATTR_FILL = 0x76;
/** What xfs_io's pwrite and pread split into when `-b` is not given, bytes. */
const DEFAULT_BLOCK = 4096;

/**
 * @param text   one line, without its line end
 * @param place  where it stands, for messages and traces
 * @throws       ScenarioError naming file, lane, line and column
 */
export function parseLine(text: string, place: Place): Line {
  const words = splitWords(text, place);
  const verb = words[0];
  if (verb === undefined)
    throw new ScenarioError('empty line', { ...place, column: 1 }, 'a line holds one command');
  if (!isVerb(verb.text)) {
    throw new ScenarioError(
      `unknown verb ${quote(verb.text)}`,
      { ...place, column: verb.column },
      verbHint(verb.text),
    );
  }
  const grammar = GRAMMAR[verb.text];
  const command = grammar.build(readOptions(verb, words.slice(1), grammar, place));
  return { lane: place.lane, line: place.line, text, command };
}

/** A verb and what it does; nothing where xfs_io or the shell say so. */
export interface VerbHelp {
  readonly verb: Verb;
  readonly usage: string;
  readonly about: string;
}

/** Every verb a line may begin with, in the order of the help text. */
export function verbs(): VerbHelp[] {
  return (Object.keys(GRAMMAR) as Verb[]).map((verb) => ({
    verb,
    usage: GRAMMAR[verb].usage,
    about: ABOUT[verb] ?? '',
  }));
}

/** What no manual of xfs_io or the shell says. */
const ABOUT: Partial<Record<Verb, string>> = {
  pwrite: '-x: literal data; -m: the bytes of the current mapping, from byte SRC of its file on',
  pread: '-m: into the current mapping, from byte DST of its file on',
  mmap: '-p: MAP_PRIVATE',
  mwrite: '-x: literal data',
  mprotect: 'changes the current mapping; without a letter PROT_NONE',
  '@writepages': 'writes the pages of a file and waits, as sync_file_range(2) with every flag',
  '@flush': 'the flusher goes once over the pages of every dirty inode, then over the block device',
  '@commit': 'jbd2 commits the running transaction, ordered data first',
  '@reclaim': 'kswapd: unmaps the pages of a file and drops what is clean',
  '@drop_caches': 'drops clean pages, unused inodes, clean buffers',
  '@remount': 'unmounts, checks the volume, mounts',
  '@crash': 'power failure, recovery, mount',
  '@verity': 'FS_IOC_ENABLE_VERITY through a descriptor opened for reading: SHA-256, no salt',
  '@freeze': 'FIFREEZE: writers, then faults, then the file system itself',
  '@thaw': 'FITHAW, of whoever froze',
  '@swapon': 'swapon(2), and swapoff(2) at once where it succeeds',
  '@flusher':
    'a lane of its own: writes whenever a throttled or short-of-space task waits for it; ends with the others',
  '@fail-alloc': 'the NTH allocation of memory of the next line fails',
  '@fail-handle': 'the NTH start of a journal handle of the next line that can fail finds no memory',
  '@shrink': 'kswapd: the dentry of a file goes, and its inode where nothing keeps it',
  '@dontcache':
    'd_mark_dontcache, as chattr on a DAX volume: the inode is written and forgotten at its last iput',
  '@direct-reclaim':
    'the NTH allocation of memory of the next line reclaims the pages of PATH, and its inode where it is GFP_FS',
  '@fork': 'makes the process of lane LANE, which waits for it: same open files, same mappings',
  '@gup': 'stores into the current mapping as ptrace does: get_user_pages that may not retry its fault',
};

interface Grammar {
  readonly usage: string;
  /** Letters that stand alone. */
  readonly flags?: string;
  /** Letters that take an argument, with its name. */
  readonly values?: Readonly<Record<string, string>>;
  /** Long options, without the dashes, and their letters. */
  readonly long?: Readonly<Record<string, string>>;
  /** Letters that the real tool knows and we refuse, with what to do instead. */
  readonly refused?: Readonly<Record<string, string>>;
  build(args: Args): Command;
}

const ONE_CALL = 'each system call is a line of its own';

const OPEN_REFUSED = {
  c: 'create with -f',
  n: 'O_NONBLOCK means nothing to a regular file',
  R: 'ext4 has no realtime files',
  P: 'O_PATH is not modelled',
};

const PATTERN = {
  B: 'write one line per block',
  F: 'forwards is what it does',
  R: 'random order has no place in a scenario: write one line per block',
  Z: 'random order has no place in a scenario',
  V: 'write one line per vector',
};

const GRAMMAR: Readonly<Record<Verb, Grammar>> = {
  open: {
    usage: 'open [-f] [-t] [-r] [-a] [-d] [-s] [-x] [-D] [-L] [-T] [-m mode] PATH',
    flags: 'ftradsxDLT',
    values: { m: 'mode' },
    refused: OPEN_REFUSED,
    build(args) {
      const [path] = args.operands('PATH');
      return {
        verb: 'open',
        path: args.path(path!),
        create: args.has('f'),
        truncate: args.has('t'),
        readonly: args.has('r'),
        append: args.has('a'),
        direct: args.has('d'),
        sync: args.has('s'),
        exclusive: args.has('x'),
        nofollow: args.has('L'),
        directory: args.has('D'),
        tmpfile: args.has('T'),
        mode: args.modeOption(0o600),
      };
    },
  },
  close: bare('close'),
  file: {
    usage: 'file N',
    build: (args) => ({ verb: 'file', index: args.index(args.operands('N')[0]!) }),
  },
  pwrite: {
    usage: 'pwrite [-S seed | -x HEX | -m src] [-b size] [-D] [-q] off len',
    flags: 'qD',
    values: { S: 'seed', x: 'hex', m: 'src', b: 'size' },
    refused: {
      ...PATTERN,
      i: 'literal data is -x HEX',
      s: 'a seed is -S; -s skips in an input file, and there are none',
      d: 'there are no input files; open -d is O_DIRECT',
      w: `write fdatasync after it: ${ONE_CALL}`,
      W: `write fsync after it: ${ONE_CALL}`,
      N: 'RWF_NOWAIT is not modelled: ext4 refuses it for buffered writes (EOPNOTSUPP)',
      O: 'give -b at least the length: then it is one call',
    },
    build(args) {
      const from = args.mapped('m');
      const dsync = args.has('D') ? ({ dsync: true } as const) : {};
      if (from !== undefined) {
        for (const other of ['S', 'x']) args.notBoth('m', other);
        return { verb: 'pwrite', ...args.range(), data: '', block: args.block(), from, ...dsync };
      }
      const { offset, length, data } = args.writtenRange(PWRITE_FILL);
      return { verb: 'pwrite', offset, length, data, block: args.block(), ...dsync };
    },
  },
  pread: {
    usage: 'pread [-m dst] [-b size] [-q] [-v] off len',
    flags: 'qv',
    values: { m: 'dst', b: 'size' },
    refused: { ...PATTERN, i: 'open the other file and use file N' },
    build(args) {
      const { offset, length } = args.range();
      const into = args.mapped('m');
      return { verb: 'pread', offset, length, block: args.block(), ...(into === undefined ? {} : { into }) };
    },
  },
  mmap: {
    usage: 'mmap [-r] [-w] [-x] [-p] [-s size] off len | mmap N',
    flags: 'rwxp',
    values: { s: 'size' },
    refused: { S: 'MAP_SYNC is for DAX, which is not modelled' },
    build(args) {
      if (args.operandCount === 1 && args.optionCount === 0) {
        return { verb: 'mapping', index: args.index(args.operands('N')[0]!) };
      }
      const { offset, length } = args.range();
      // -s only reserves address space in xfs_io; it is read so that a bad size is not passed over.
      const reserve = args.value('s');
      if (reserve !== undefined) args.number(reserve);
      const all = !args.has('r') && !args.has('w') && !args.has('x');
      return {
        verb: 'mmap',
        offset,
        length,
        read: all || args.has('r'),
        write: all || args.has('w'),
        exec: all || args.has('x'),
        shared: !args.has('p'),
      };
    },
  },
  munmap: bare('munmap'),
  mapping: {
    usage: 'mapping N',
    build: (args) => ({ verb: 'mapping', index: args.index(args.operands('N')[0]!) }),
  },
  mwrite: {
    usage: 'mwrite [-S seed | -x HEX] off len',
    values: { S: 'seed', x: 'hex' },
    refused: { r: 'write one line per store, last first', s: 'a seed is -S' },
    build: (args) => ({ verb: 'mwrite', ...args.writtenRange(MWRITE_FILL) }),
  },
  mread: {
    usage: 'mread [-v] [-f] off len',
    flags: 'vf',
    refused: { r: 'write one line per load, last first' },
    build: (args) => ({ verb: 'mread', ...args.range() }),
  },
  msync: {
    usage: 'msync [-s | -a] [off len]',
    flags: 'sa',
    refused: { i: 'MS_INVALIDATE does nothing on Linux unless pages are mlocked, which is not modelled' },
    build(args) {
      args.notBoth('s', 'a');
      // Without a flag xfs_io passes 0, which the kernel treats as MS_ASYNC: it starts nothing.
      const sync = args.has('s');
      if (args.operandCount === 0) return { verb: 'msync', sync, offset: 0, length: null };
      return { verb: 'msync', sync, ...args.range() };
    },
  },
  mremap: {
    usage: 'mremap [-m] newsize',
    flags: 'm',
    refused: { f: 'addresses are the model’s own' },
    build(args) {
      const length = args.number(args.operands('newsize')[0]!);
      return { verb: 'mremap', length, mayMove: args.has('m') };
    },
  },
  madvise: {
    usage: 'madvise [-d | -r | -s] [off len]',
    flags: 'drs',
    refused: { w: 'readahead is not modelled' },
    build(args) {
      if (args.operandCount === 0) return { verb: 'madvise', range: args.has('d') ? 'mapping' : null };
      const range = args.range();
      return { verb: 'madvise', range: args.has('d') ? range : null };
    },
  },
  mprotect: {
    usage: 'mprotect [-r] [-w]',
    flags: 'rw',
    build(args) {
      args.operands();
      return { verb: 'mprotect', read: args.has('r'), write: args.has('w') };
    },
  },
  truncate: {
    usage: 'truncate len',
    build: (args) => ({ verb: 'truncate', length: args.number(args.operands('len')[0]!) }),
  },
  falloc: {
    usage: 'falloc [-k] off len',
    flags: 'k',
    refused: {
      p: 'write fpunch off len',
      c: 'write fcollapse off len',
      i: 'write finsert off len',
      u: 'ext4 has no shared extents',
    },
    build: (args) => ({ verb: 'falloc', ...args.range(), keepSize: args.has('k') }),
  },
  fpunch: ranged('fpunch'),
  fzero: {
    usage: 'fzero [-k] off len',
    flags: 'k',
    build: (args) => ({ verb: 'fzero', ...args.range(), keepSize: args.has('k') }),
  },
  fcollapse: ranged('fcollapse'),
  finsert: ranged('finsert'),
  chattr: {
    usage: 'chattr (+j | -j)',
    flags: 'j',
    build(args) {
      if (args.has('j')) {
        args.operands();
        return { verb: 'chattr', journalData: false };
      }
      const [flag] = args.operands('+j');
      if (flag!.text !== '+j') args.fail(`the only flag is j, not ${quote(flag!.text)}`, undefined, flag!);
      return { verb: 'chattr', journalData: true };
    },
  },
  sync_range: {
    usage: 'sync_range [-a] [-b] [-w] off len',
    flags: 'abw',
    build(args) {
      const [before, after] = [args.has('b'), args.has('a')];
      return {
        verb: 'sync_range',
        ...args.range(),
        before,
        write: args.has('w') || args.optionCount === 0,
        after,
      };
    },
  },
  copy_range: {
    usage: 'copy_range [-s src_off] [-d dst_off] [-l len] (SRC | -f N)',
    values: { s: 'src_off', d: 'dst_off', l: 'len', f: 'N' },
    build(args) {
      const open = args.value('f');
      const [path] = open === undefined ? args.operands('SRC') : args.operands();
      const number = (letter: string): number | null => {
        const word = args.value(letter);
        return word === undefined ? null : args.number(word);
      };
      return {
        verb: 'copy_range',
        path: path === undefined ? null : args.path(path),
        file: open === undefined ? 0 : args.index(open),
        from: number('s') ?? 0,
        to: number('d') ?? 0,
        length: number('l'),
      };
    },
  },
  fsync: bare('fsync'),
  fdatasync: bare('fdatasync'),
  sync: bare('sync'),
  syncfs: bare('syncfs'),
  stat: {
    ...bare('stat'),
    usage: 'stat [-v]',
    flags: 'v',
    refused: { r: 'results are recorded as numbers already' },
  },
  fiemap: {
    usage: 'fiemap [-a] [-v]',
    flags: 'av',
    refused: {
      l: 'lengths are in the result already',
      n: 'the whole file is mapped',
    },
    build(args) {
      args.operands();
      return { verb: 'fiemap', ...(args.has('a') ? { attribute: true } : {}) };
    },
  },
  seek: {
    usage: 'seek (-d | -h) off',
    flags: 'dh',
    refused: {
      a: 'one question a line: seek -d, then seek -h',
      r: 'one question a line',
      s: 'the offset is in the line',
    },
    build(args) {
      args.notBoth('d', 'h');
      if (!args.has('d') && !args.has('h')) args.fail('seek needs -d (data) or -h (hole)');
      const offset = args.number(args.operands('off')[0]!);
      return { verb: 'seek', whence: args.has('d') ? 'data' : 'hole', offset };
    },
  },
  mkdir: {
    usage: 'mkdir [-m mode] PATH',
    values: { m: 'mode' },
    refused: { p: 'one directory a line' },
    build(args) {
      const [path] = args.operands('PATH');
      return { verb: 'mkdir', path: args.path(path!), mode: args.modeOption(0o777) };
    },
  },
  rmdir: onPath('rmdir', { p: 'one directory a line' }),
  rm: onPath('rm', {
    f: 'an error is a result: rm never asks',
    r: 'one name a line; directories with rmdir',
    R: 'one name a line; directories with rmdir',
    d: 'directories with rmdir',
  }),
  mv: {
    usage: 'mv [-n] [-w] [-x] FROM TO',
    flags: 'nwx',
    long: { 'no-clobber': 'n', whiteout: 'w', exchange: 'x' },
    refused: {
      f: 'rename(2) never asks',
      T: 'TO is never taken as a directory to move into',
    },
    build(args) {
      const [from, to] = args.operands('FROM', 'TO');
      return {
        verb: 'mv',
        from: args.path(from!),
        to: args.path(to!),
        noreplace: args.has('n'),
        exchange: args.has('x'),
        whiteout: args.has('w'),
      };
    },
  },
  ln: {
    usage: 'ln [-s] FROM TO',
    flags: 's',
    refused: { f: 'write rm before it', n: 'TO is never taken as a directory to link into' },
    build(args) {
      const [from, to] = args.operands('FROM', 'TO');
      const symbolic = args.has('s');
      if (symbolic && from!.text === '') args.fail('a symbolic link needs a target', undefined, from!);
      // A symbolic link's target is text, and may be relative or dangling.
      return { verb: 'ln', from: symbolic ? from!.text : args.path(from!), to: args.path(to!), symbolic };
    },
  },
  flink: onPath('flink'),
  readlink: onPath('readlink'),
  mknod: {
    usage: 'mknod [-m mode] PATH (p | b MAJOR MINOR | c MAJOR MINOR)',
    values: { m: 'mode' },
    build(args) {
      const type = args.operand(1);
      const isDevice = type === 'b' || type === 'c';
      const [path, kind, ...device] = isDevice
        ? args.operands('PATH', 'TYPE', 'MAJOR', 'MINOR')
        : args.operands('PATH', 'TYPE');
      if (!isDevice && type !== 'p') args.fail(`${quote(kind!.text)} is no type`, 'p, b or c', kind!);
      const [major, minor] = isDevice ? device.map((each) => args.index(each)) : [0, 0];
      const format = type === 'p' ? 0o010000 : type === 'b' ? 0o060000 : 0o020000;
      const mode = format | args.modeOption(0o666);
      return { verb: 'mknod', path: args.path(path!), mode, major: major!, minor: minor! };
    },
  },
  chmod: {
    usage: 'chmod MODE PATH',
    refused: {
      r: 'write the mode in octal, as in chmod 444 PATH',
      w: 'write the mode in octal, as in chmod 664 PATH',
    },
    build(args) {
      const [mode, path] = args.operands('MODE', 'PATH');
      return { verb: 'chmod', path: args.path(path!), mode: args.mode(mode!) };
    },
  },
  chown: {
    usage: 'chown [UID][:GID] PATH',
    build(args) {
      const [owner, path] = args.operands('UID:GID', 'PATH');
      return { verb: 'chown', path: args.path(path!), ...args.owner(owner!) };
    },
  },
  utimes: {
    usage: 'utimes atime_sec atime_nsec mtime_sec mtime_nsec',
    build(args) {
      const words = args.operands('atime_sec', 'atime_nsec', 'mtime_sec', 'mtime_nsec');
      const [asec, ansec, msec, mnsec] = words.map((word) => args.index(word));
      return { verb: 'utimes', atime: { sec: asec!, nsec: ansec! }, mtime: { sec: msec!, nsec: mnsec! } };
    },
  },
  ls: onPath('ls', {
    a: 'every name is listed',
    l: 'attributes: open the file and stat',
    i: 'inode numbers are in the final report',
  }),
  setfattr: {
    usage:
      'setfattr [-c | -r] -n NAME (-v 0xHEX | -v 0sBASE64 | -v TEXT | -V LEN) PATH | setfattr -x NAME PATH',
    flags: 'cr',
    values: { n: 'name', v: 'value', V: 'len', x: 'name' },
    refused: { h: 'whether a last symbolic link is followed cannot be chosen', R: 'raw mode: write 0xHEX' },
    build(args) {
      const [path] = args.operands('PATH');
      const removed = args.value('x');
      if (removed !== undefined) {
        for (const other of ['n', 'v', 'V', 'c', 'r']) args.notBoth('x', other);
        return { verb: 'rmfattr', path: args.path(path!), name: args.name(removed) };
      }
      args.notBoth('v', 'V');
      args.notBoth('c', 'r');
      const name = args.name(args.needed('n'));
      const only = args.has('c') ? 'create' : args.has('r') ? 'replace' : null;
      return { verb: 'setfattr', path: args.path(path!), name, value: args.xattrValue(), only };
    },
  },
  getfattr: {
    usage: 'getfattr -n NAME PATH',
    values: { n: 'name' },
    refused: {
      d: 'name one attribute with -n',
      m: 'name one attribute with -n',
      e: 'values are recorded in hex already',
      R: 'one file a line',
      h: 'whether a last symbolic link is followed cannot be chosen',
    },
    build(args) {
      const [path] = args.operands('PATH');
      return { verb: 'getfattr', path: args.path(path!), name: args.name(args.needed('n')) };
    },
  },
  rmfattr: {
    usage: 'rmfattr -n NAME PATH',
    values: { n: 'name' },
    build(args) {
      if (args.value('n') === undefined && args.operandCount === 2) {
        const [name, path] = args.operands('NAME', 'PATH');
        return { verb: 'rmfattr', path: args.path(path!), name: args.name(name!) };
      }
      const [path] = args.operands('PATH');
      return { verb: 'rmfattr', path: args.path(path!), name: args.name(args.needed('n')) };
    },
  },
  '@writepages': onPath('@writepages'),
  '@flush': bare('@flush'),
  '@commit': bare('@commit'),
  '@reclaim': onPath('@reclaim'),
  '@drop_caches': bare('@drop_caches'),
  '@remount': bare('@remount'),
  '@crash': {
    usage: '@crash [-f]',
    flags: 'f',
    build(args) {
      args.operands();
      return { verb: '@crash', flush: args.has('f') };
    },
  },
  '@verity': onPath('@verity'),
  '@freeze': bare('@freeze'),
  '@thaw': bare('@thaw'),
  '@swapon': onPath('@swapon'),
  '@flusher': bare('@flusher'),
  '@fail-alloc': {
    usage: '@fail-alloc NTH',
    build(args) {
      return { verb: '@fail-alloc', nth: args.nth(args.operands('NTH')[0]!, 'allocations') };
    },
  },
  '@fail-handle': {
    usage: '@fail-handle NTH',
    build(args) {
      return { verb: '@fail-handle', nth: args.nth(args.operands('NTH')[0]!, 'starts') };
    },
  },
  '@shrink': onPath('@shrink'),
  '@dontcache': onPath('@dontcache'),
  '@direct-reclaim': {
    usage: '@direct-reclaim NTH PATH',
    build(args) {
      const [nth, path] = args.operands('NTH', 'PATH');
      return { verb: '@direct-reclaim', nth: args.nth(nth!, 'allocations'), path: args.path(path!) };
    },
  },
  '@fork': {
    usage: '@fork LANE',
    build: (args) => ({ verb: '@fork', lane: args.operands('LANE')[0]!.text }),
  },
  '@gup': {
    usage: '@gup [-S seed | -x HEX] off len',
    values: { S: 'seed', x: 'hex' },
    build: (args) => ({ verb: '@gup', ...args.writtenRange(MWRITE_FILL) }),
  },
};

type BareVerb = Extract<Command, { verb: 'close' | 'munmap' | 'stat' | 'fsync' | 'sync' | '@flush' }>['verb'];
type AnyBareVerb =
  | BareVerb
  | 'fdatasync'
  | 'syncfs'
  | '@commit'
  | '@drop_caches'
  | '@remount'
  | '@freeze'
  | '@thaw'
  | '@flusher';
type PathVerb =
  | 'rmdir'
  | 'rm'
  | 'flink'
  | 'readlink'
  | 'ls'
  | '@writepages'
  | '@reclaim'
  | '@verity'
  | '@swapon'
  | '@shrink'
  | '@dontcache';
type RangeVerb = 'fpunch' | 'fcollapse' | 'finsert';

function bare(verb: AnyBareVerb): Grammar {
  return {
    usage: verb,
    build(args) {
      args.operands();
      return { verb };
    },
  };
}

function onPath(verb: PathVerb, refused: Readonly<Record<string, string>> = {}): Grammar {
  return {
    usage: `${verb} PATH`,
    refused,
    build: (args) => ({ verb, path: args.path(args.operands('PATH')[0]!) }),
  };
}

function ranged(verb: RangeVerb): Grammar {
  return { usage: `${verb} off len`, build: (args) => ({ verb, ...args.range() }) };
}

/** The options and operands of one line, with readers that know the column of what they read. */
class Args {
  private readonly verb: Word;
  private readonly place: Place;
  private readonly usage: string;
  private readonly options: ReadonlyMap<string, Word>;
  private readonly rest: readonly Word[];

  constructor(
    verb: Word,
    place: Place,
    usage: string,
    options: ReadonlyMap<string, Word>,
    operands: readonly Word[],
  ) {
    this.verb = verb;
    this.place = place;
    this.usage = usage;
    this.options = options;
    this.rest = operands;
  }

  get operandCount(): number {
    return this.rest.length;
  }

  get optionCount(): number {
    return this.options.size;
  }

  has(letter: string): boolean {
    return this.options.has(letter);
  }

  /** The argument of an option, where it was given. */
  value(letter: string): Word | undefined {
    return this.options.get(letter);
  }

  needed(letter: string): Word {
    return (
      this.options.get(letter) ?? this.fail(`${this.verb.text} needs -${letter}`, `usage: ${this.usage}`)
    );
  }

  notBoth(one: string, other: string): void {
    if (this.has(one) && this.has(other)) {
      this.fail(`-${one} and -${other} do not go together`, `usage: ${this.usage}`, this.options.get(other)!);
    }
  }

  /** The operands, exactly as many as there are names. */
  operands(...names: string[]): readonly Word[] {
    const missing = names[this.rest.length];
    if (missing !== undefined) this.fail(`${this.verb.text} needs ${missing}`, `usage: ${this.usage}`);
    const extra = this.rest[names.length];
    if (extra !== undefined) this.fail(`unexpected ${quote(extra.text)}`, `usage: ${this.usage}`, extra);
    return this.rest;
  }

  /** The text of an operand, where it is there. */
  operand(at: number): string | undefined {
    return this.rest[at]?.text;
  }

  number(word: Word): number {
    return this.parsed(parseNumber(word.text), word);
  }

  /** Permissions in octal. */
  mode(word: Word): number {
    if (/^[0-7]{1,4}$/.test(word.text)) return Number.parseInt(word.text, 8);
    return this.fail(`${quote(word.text)} is no mode`, 'octal digits, as in 644', word);
  }

  /** `-m mode`, or what it is without. */
  modeOption(fallback: number): number {
    const word = this.value('m');
    return word === undefined ? fallback : this.mode(word);
  }

  /** `UID`, `UID:GID`, `:GID`. */
  owner(word: Word): { uid: number | null; gid: number | null } {
    const found = /^(\d+)?(?::(\d+))?$/.exec(word.text);
    if (found === null || word.text === '') {
      return this.fail(`${quote(word.text)} is no owner`, 'numbers, as in 1000:1000', word);
    }
    const id = (digits: string | undefined): number | null => {
      if (digits === undefined) return null;
      const number = Number(digits);
      return number < 0xffff_ffff ? number : this.fail(`${quote(digits)} is no id`, 'below 2^32 - 1', word);
    };
    return { uid: id(found[1]), gid: id(found[2]) };
  }

  index(word: Word): number {
    return this.parsed(parseIndex(word.text), word);
  }

  /** The NTH of what is counted from 1. */
  nth(word: Word, what: string): number {
    const nth = this.index(word);
    return nth > 0 ? nth : this.fail(`${what} are counted from 1`, undefined, word);
  }

  /** `off len`, whose end must be a safe integer too. */
  range(): { offset: number; length: number } {
    const [off, len] = this.operands('off', 'len');
    return this.checkedRange(off!, len!, this.number(len!));
  }

  /** `-S seed off len`, or `-x HEX off [len]` where a length must be that of the data. Data is hex. */
  writtenRange(fill: number): { offset: number; length: number; data: string } {
    this.notBoth('S', 'x');
    const literal = this.value('x');
    if (literal === undefined) {
      const { offset, length } = this.range();
      this.checkWriteLength(length, this.rest[1]!);
      const seed = this.value('S');
      const byte = seed === undefined ? fill : this.parsed(parseByte(seed.text), seed);
      return { offset, length, data: hexByte(byte).repeat(length) };
    }
    const data = this.parsed(parseHex(literal.text), literal);
    const length = data.length / 2;
    this.checkWriteLength(length, literal);
    const [off, len] = this.rest.length === 1 ? this.operands('off') : this.operands('off', 'len');
    if (len !== undefined && this.number(len) !== length) {
      this.fail(`-x holds ${length} bytes, not ${quote(len.text)}`, 'leave the length out', len);
    }
    return { ...this.checkedRange(off!, off!, length), data };
  }

  /** A byte of the file that the current mapping maps, where the option was given. */
  mapped(letter: string): number | undefined {
    const word = this.value(letter);
    return word === undefined ? undefined : this.number(word);
  }

  /** The size of one read or write call, bytes. */
  block(): number {
    const word = this.value('b');
    if (word === undefined) return DEFAULT_BLOCK;
    const size = this.number(word);
    return size > 0 ? size : this.fail('a block of 0 bytes', 'at least 1', word);
  }

  path(word: Word): string {
    if (word.text === '') this.fail('empty path', 'paths are absolute, as in /f', word);
    if (!word.text.startsWith('/')) {
      this.fail(`path ${quote(word.text)} is relative`, `write ${quote(`/${word.text}`)}`, word);
    }
    return word.text;
  }

  /** An extended attribute's name with its prefix. Which prefixes exist is the kernel's answer, not ours. */
  name(word: Word): string {
    return word.text === '' ? this.fail('empty attribute name', 'as in user.a', word) : word.text;
  }

  /** `-v` or `-V` of setfattr, as hex. */
  xattrValue(): string {
    const lengthWord = this.value('V');
    if (lengthWord !== undefined) {
      const length = this.number(lengthWord);
      this.checkXattrLength(length, lengthWord);
      return hexByte(XATTR_FILL).repeat(length);
    }
    const word = this.needed('v');
    const hex = this.parsed(readXattrValue(word.text), word);
    this.checkXattrLength(hex.length / 2, word);
    return hex;
  }

  fail(problem: string, hint?: string, at: Word = this.verb): never {
    throw new ScenarioError(problem, { ...this.place, column: at.column }, hint);
  }

  private parsed<T>(parsed: Parsed<T>, word: Word): T {
    return 'problem' in parsed ? this.fail(parsed.problem, parsed.hint, word) : parsed.value;
  }

  private checkedRange(off: Word, end: Word, length: number): { offset: number; length: number } {
    const offset = this.number(off);
    if (!Number.isSafeInteger(offset + length))
      this.fail('the end of the range is too large', 'below 2^53', end);
    return { offset, length };
  }

  private checkWriteLength(length: number, at: Word): void {
    if (length > MAX_WRITE_BYTES) {
      this.fail(`${quote(at.text)} is more than one line may write`, `at most ${MAX_WRITE_BYTES} bytes`, at);
    }
  }

  private checkXattrLength(length: number, at: Word): void {
    if (length > MAX_XATTR_BYTES) {
      this.fail('the value is longer than an attribute may be', `at most ${MAX_XATTR_BYTES} bytes`, at);
    }
  }
}

/** getopt: options and operands in any order, letters joined, `--` ends the options. */
function readOptions(verb: Word, words: readonly Word[], grammar: Grammar, place: Place): Args {
  const options = new Map<string, Word>();
  const operands: Word[] = [];
  const fail = (column: number, problem: string, hint?: string): never => {
    throw new ScenarioError(problem, { ...place, column }, hint);
  };
  const take = (letter: string, value: Word, column: number): void => {
    if (options.has(letter)) fail(column, `-${letter} is given twice`);
    options.set(letter, value);
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word.text === '--') {
      operands.push(...words.slice(i + 1));
      break;
    }
    if (!/^-./u.test(word.text)) {
      operands.push(word);
      continue;
    }
    const long = word.text.startsWith('--') ? ownValue(grammar.long, word.text.slice(2)) : undefined;
    if (long !== undefined) {
      take(long, word, word.column);
      continue;
    }
    const letters = [...word.text.slice(1)];
    for (let at = 0; at < letters.length; at++) {
      const letter = letters[at]!;
      const refused = ownValue(grammar.refused, letter);
      const argument = ownValue(grammar.values, letter);
      if (refused !== undefined) fail(word.column, `${verb.text} -${letter} is not supported`, refused);
      if (argument !== undefined) {
        const joined = letters.slice(at + 1).join('');
        const value = joined === '' ? words[++i] : { text: joined, column: word.column };
        take(
          letter,
          value ?? fail(word.column, `-${letter} needs a ${argument}`, `usage: ${grammar.usage}`),
          word.column,
        );
        break;
      }
      if (!(grammar.flags ?? '').includes(letter)) {
        const name = word.text.startsWith('--') ? word.text : `-${letter}`;
        fail(
          word.column,
          `unknown option ${quoteOption(name)} for ${verb.text}`,
          optionHint(letter, verb.text, grammar),
        );
      }
      take(letter, word, word.column);
    }
  }
  return new Args(verb, place, grammar.usage, options, operands);
}

function optionHint(letter: string, verb: string, grammar: Grammar): string {
  const known = [...Object.keys(grammar.values ?? {}), ...(grammar.flags ?? '')];
  const other = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase();
  if (other !== letter && known.includes(other)) return `did you mean -${other}?`;
  if (/[0-9]/.test(letter)) return 'numbers are 0 or more';
  if (known.length === 0) return `${verb} takes no options`;
  const list = known.map((each) => `-${each}${suffix(ownValue(grammar.values, each))}`);
  return `${verb} takes ${list.join(', ')}`;
}

const suffix = (argument: string | undefined): string => (argument === undefined ? '' : ` ${argument}`);

const quoteOption = (name: string): string =>
  /^[-\w]+$/.test(name) && name.length < 24 ? name : quote(name);

function ownValue(table: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  return table !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
}

function isVerb(text: string): text is Verb {
  return Object.hasOwn(GRAMMAR, text);
}

/** The short names of xfs_io. */
export const XFS_IO_SHORT: Readonly<Record<string, string>> = {
  o: 'open',
  c: 'close',
  f: 'file',
  w: 'pwrite',
  r: 'pread',
  s: 'fsync',
  ds: 'fdatasync',
  t: 'truncate',
  mm: 'mmap',
  mr: 'mread',
  mw: 'mwrite',
  ms: 'msync',
  mu: 'munmap',
  mrm: 'mremap',
  ma: 'madvise',
  cr: 'copy_range',
  send: 'sendfile',
};

/** What people type for one of our verbs: xfs_io's short names and the shell's words. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  ...XFS_IO_SHORT,
  send: 'copy_range',
  write: 'pwrite',
  read: 'pread',
  ftruncate: 'truncate',
  fallocate: 'falloc',
  touch: 'open -f',
  creat: 'open -f',
  cat: 'pread',
  unlink: 'rm',
  rename: 'mv',
  link: 'ln',
  symlink: 'ln -s',
  readdir: 'ls',
  mkfifo: 'mknod PATH p',
  mount: '@remount',
  umount: '@remount',
  store: 'mwrite',
  load: 'mread',
  punch: 'fpunch',
  zero: 'fzero',
};

/** Verbs of xfs_io that have no meaning here yet. */
const UNSUPPORTED = new Set(
  (
    'allocsp bmap dedupe fadvise freesp fsmap funshare inode lsattr mincore ' +
    'print quit reflink resvsp sendfile statfs statx swapext unresvsp'
  ).split(' '),
);

function verbHint(text: string): string {
  const same = ownValue(OTHER_WORDS, text.toLowerCase());
  if (same !== undefined) return `did you mean ${same}?`;
  if (UNSUPPORTED.has(text)) return 'xfs_io has it, ext4lab does not';
  if (isVerb(`@${text}`)) return `did you mean @${text}?`;
  const near = suggest(text, Object.keys(GRAMMAR));
  return near === null
    ? 'verbs are those of xfs_io, mkdir, rm, mv, …, and @ actors'
    : `did you mean ${near}?`;
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');

/** setfattr(1): 0x hex, 0s base64, else text. Text in double quotes of its own has escapes there; refused here. */
function readXattrValue(text: string): Parsed<string> {
  if (/^0[xX]/.test(text)) return parseHex(text);
  if (/^0[sS]/.test(text)) {
    const base64 = text.slice(2);
    if (!/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) {
      return { problem: `${quote(text)} is not base64`, hint: '0s begins base64; 0x begins hex' };
    }
    return { value: Array.from(atob(base64), (c) => hexByte(c.charCodeAt(0))).join('') };
  }
  if (text.startsWith('"')) {
    return {
      problem: 'quotes inside the value',
      hint: 'write the text alone, or 0xHEX for a quote character',
    };
  }
  return { value: Array.from(new TextEncoder().encode(text), hexByte).join('') };
}
