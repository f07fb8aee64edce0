/**
 * A scenario as a C program that runs its lines on a real mount and prints what each answered, as `run` does. Lanes are
 * processes, or threads where the scenario says so. User space cannot enforce a schedule: with several lanes the
 * program only runs them at the same time, and says so.
 */
import type { Command, Line } from '../scenario/ast.ts';
import { ScenarioError } from '../scenario/error.ts';
import { mountLabel, type Scenario } from '../scenario/schema.ts';
import { helpersFor } from './cHelpers.ts';

/** @throws ScenarioError naming lane and line of what no system call does */
export function cProgram(scenario: Scenario): string {
  const writer = new CWriter(scenario.file);
  const { setup, lanes, after } = scenario;
  const bodies: string[] = [];
  const body = (name: string, lines: readonly Line[]): void => {
    const calls = lines.flatMap((line) => writer.line(line));
    bodies.push(
      `static void *${name}(void *unused)\n{\n${calls.map((call) => `\t${call}\n`).join('')}\treturn unused;\n}`,
    );
  };
  if (setup.length > 0) body('setup', setup);
  lanes.forEach((lane, index) => {
    body(`lane${index}`, lane.lines);
  });
  if (after.length > 0) body('after', after);
  const groups = new Map<number, number[]>();
  lanes.forEach(({ mm }, index) => {
    const key = mm ?? index;
    groups.set(key, [...(groups.get(key) ?? []), index]);
  });
  const threads = [...groups.values()].some((group) => group.length > 1);
  const { includes, sources } = helpersFor(writer.used);
  const headers = [...new Set([...includes, ...(threads ? ['pthread.h'] : []), ...writer.headers])].sort();
  const several =
    lanes.length === 1
      ? []
      : [
          ' *',
          ' * The lanes run at the same time; which goes first at each step cannot be said from user space. Run it',
          ' * again and again.',
        ];
  return [
    '/*',
    ` * ${comment(scenario.name)}: ${comment(scenario.question)}`,
    ` * Made by ext4lab export --as c. Mount: ${mountLabel(scenario.mounts[0]!)}.`,
    ...several,
    ' *',
    ` * cc -O1${threads ? ' -pthread' : ''} -o repro repro.c && ./repro MOUNTPOINT`,
    ' */',
    '#define _GNU_SOURCE',
    ...headers.map((name) => `#include <${name}>`),
    '',
    sources.join('\n\n'),
    '',
    bodies.join('\n\n'),
    '',
    mainFunction(
      [...groups.values()],
      setup.length > 0,
      after.length > 0,
      sources.some((source) => source.includes('on_fault(')),
    ),
    '',
  ].join('\n');
}

/** Runs each part in a process of its own, as a lane is one. */
function mainFunction(
  groups: readonly (readonly number[])[],
  setup: boolean,
  after: boolean,
  faults: boolean,
): string {
  const rows = [
    'static pid_t start(void *(*lane)(void *))',
    '{',
    '\tpid_t pid = fork();',
    '',
    '\tif (pid < 0)',
    '\t\texit(2);',
    '\tif (pid == 0) {',
    '\t\tlane(NULL);',
    '\t\texit(0);',
    '\t}',
    '\treturn pid;',
    '}',
    '',
  ];
  for (const [at, group] of groups.entries()) {
    if (group.length === 1) continue;
    rows.push(
      `static void *group${at}(void *unused)`,
      '{',
      `\tpthread_t threads[${group.length}];`,
      '',
      ...group.map(
        (lane, index) =>
          `\tif (pthread_create(&threads[${index}], NULL, lane${lane}, NULL) != 0)\n\t\texit(2);`,
      ),
      `\tfor (int i = 0; i < ${group.length}; i++)`,
      '\t\tpthread_join(threads[i], NULL);',
      '\treturn unused;',
      '}',
      '',
    );
  }
  rows.push(
    'int main(int argc, char **argv)',
    '{',
    '\tif (argc != 2) {',
    '\t\tfprintf(stderr, "usage: %s MOUNTPOINT\\n", argv[0]);',
    '\t\treturn 2;',
    '\t}',
    '\tmnt = argv[1];',
    '\tumask(022);',
    ...(faults ? ['\tsignal(SIGBUS, on_fault);', '\tsignal(SIGSEGV, on_fault);'] : []),
    ...(setup ? ['\twaitpid(start(setup), NULL, 0);'] : []),
    ...groups.map((group, at) => `\tstart(${group.length === 1 ? `lane${group[0]}` : `group${at}`});`),
    '\twhile (wait(NULL) > 0)',
    '\t\tcontinue;',
    ...(after ? ['\twaitpid(start(after), NULL, 0);'] : []),
    '\treturn 0;',
    '}',
  );
  return rows.join('\n');
}

/** What no system call does. */
const NO_CALL: Readonly<Record<string, string>> = {
  '@flush': 'the flusher wakes by itself',
  '@commit': 'no call commits without writing first; fsync or syncfs is another line',
  '@reclaim': 'kswapd runs by itself',
  '@flusher': 'the flusher runs by itself',
  '@fail-alloc': 'fault injection is set up from outside',
  '@gup': 'ptrace needs a second process',
  '@crash': 'a program cannot cut the power',
  '@swapon': 'swapon of a test file is not for a reproducer',
  '@verity': 'FS_IOC_ENABLE_VERITY needs a kernel with fs-verity',
};

class CWriter {
  readonly used = new Set<string>(['base']);
  readonly headers = new Set<string>();
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  line(line: Line): string[] {
    const said = `${text(line.lane)}, ${text(line.text)}`;
    return [this.call(line.command, said, line)];
  }

  private use(...names: string[]): void {
    for (const name of names) this.used.add(name);
  }

  private call(c: Command, said: string, line: Line): string {
    const fail = (problem: string, hint?: string): never => {
      throw new ScenarioError(
        problem,
        { file: this.file, lane: line.lane, line: line.line, column: 1 },
        hint,
      );
    };
    const answer = (call: string, ...helpers: string[]): string => {
      this.use(...helpers);
      return `answer(${said}, ${call});`;
    };
    const at = (path: string): string => {
      this.use('path');
      return `at(${text(path)})`;
    };
    switch (c.verb) {
      case 'open': {
        const flags = [
          c.readonly ? 'O_RDONLY' : 'O_RDWR',
          ...(c.create && !c.tmpfile ? ['O_CREAT'] : []),
          ...(c.truncate ? ['O_TRUNC'] : []),
          ...(c.append ? ['O_APPEND'] : []),
          ...(c.direct ? ['O_DIRECT'] : []),
          ...(c.sync ? ['O_SYNC'] : []),
          ...(c.exclusive ? ['O_EXCL'] : []),
          ...(c.nofollow ? ['O_NOFOLLOW'] : []),
          ...(c.directory ? ['O_DIRECTORY'] : []),
          ...(c.tmpfile ? ['O_TMPFILE'] : []),
        ];
        return answer(`do_open(${text(c.path)}, ${flags.join(' | ')}, 0${c.mode.toString(8)})`, 'open');
      }
      case 'close':
        return answer('do_close()', 'close');
      case 'file':
        return answer(`do_file(${c.index})`, 'file');
      case 'pwrite': {
        if (c.from !== undefined)
          return answer(
            `do_pwrite_raw(maps[map].addr + (${c.from} - maps[map].off), ${c.offset}, ${c.length}, ${c.block})`,
            'pwrite_raw',
          );
        const flags = c.dsync ? 'RWF_DSYNC' : '0';
        return answer(
          `do_pwrite(${c.offset}, ${c.length}, ${this.data(c.data)}, ${c.block}, ${flags})`,
          'pwrite',
        );
      }
      case 'pread':
        if (c.into !== undefined) {
          this.use('pread_raw');
          return `do_pread_raw(${said}, maps[map].addr + (${c.into} - maps[map].off), ${c.offset}, ${c.length}, ${c.block});`;
        }
        this.use('pread');
        return `do_pread(${said}, ${c.offset}, ${c.length}, ${c.block});`;
      case 'mmap': {
        const prot = [
          ...(c.read ? ['PROT_READ'] : []),
          ...(c.write ? ['PROT_WRITE'] : []),
          ...(c.exec ? ['PROT_EXEC'] : []),
        ];
        return answer(
          `do_mmap(${c.offset}, ${c.length}, ${prot.join(' | ') || 'PROT_NONE'}, ${c.shared ? 'MAP_SHARED' : 'MAP_PRIVATE'})`,
          'mmap',
        );
      }
      case 'munmap':
        return answer('do_munmap()', 'munmap');
      case 'mapping':
        return answer(`do_mapping(${c.index})`, 'mapping');
      case 'mwrite':
        this.use('mwrite');
        return `do_mwrite(${said}, ${c.offset}, ${c.length}, ${this.data(c.data)});`;
      case 'mread':
        this.use('mread');
        return `do_mread(${said}, ${c.offset}, ${c.length});`;
      case 'msync':
        return this.ranged(
          said,
          c.offset,
          c.length,
          `msync(addr, (size_t)len, ${c.sync ? 'MS_SYNC' : 'MS_ASYNC'})`,
        );
      case 'mremap':
        return answer(`do_mremap(${c.length}, ${c.mayMove ? 'MREMAP_MAYMOVE' : '0'})`, 'mremap');
      case 'madvise':
        if (c.range === null) return answer('0');
        if (c.range === 'mapping')
          return answer('madvise(maps[map].addr, maps[map].len, MADV_DONTNEED)', 'mmap');
        return this.ranged(said, c.range.offset, c.range.length, 'madvise(addr, (size_t)len, MADV_DONTNEED)');
      case 'mprotect': {
        const prot = [...(c.read ? ['PROT_READ'] : []), ...(c.write ? ['PROT_WRITE'] : [])].join(' | ');
        return answer(`mprotect(maps[map].addr, maps[map].len, ${prot || 'PROT_NONE'})`, 'mmap');
      }
      case 'truncate':
        return answer(`ftruncate(fd(), ${c.length})`, 'fd');
      case 'falloc':
        return answer(
          `fallocate(fd(), ${c.keepSize ? 'FALLOC_FL_KEEP_SIZE' : '0'}, ${c.offset}, ${c.length})`,
          'fd',
        );
      case 'fpunch':
        return answer(
          `fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, ${c.offset}, ${c.length})`,
          'fd',
        );
      case 'fzero':
        return answer(
          `fallocate(fd(), FALLOC_FL_ZERO_RANGE${c.keepSize ? ' | FALLOC_FL_KEEP_SIZE' : ''}, ${c.offset}, ${c.length})`,
          'fd',
        );
      case 'fcollapse':
        return answer(`fallocate(fd(), FALLOC_FL_COLLAPSE_RANGE, ${c.offset}, ${c.length})`, 'fd');
      case 'finsert':
        return answer(`fallocate(fd(), FALLOC_FL_INSERT_RANGE, ${c.offset}, ${c.length})`, 'fd');
      case 'chattr':
        return answer(`do_chattr(${c.journalData ? 1 : 0})`, 'chattr');
      case 'sync_range': {
        const flags = [
          ...(c.before ? ['SYNC_FILE_RANGE_WAIT_BEFORE'] : []),
          ...(c.write ? ['SYNC_FILE_RANGE_WRITE'] : []),
          ...(c.after ? ['SYNC_FILE_RANGE_WAIT_AFTER'] : []),
        ];
        return answer(`sync_file_range(fd(), ${c.offset}, ${c.length}, ${flags.join(' | ') || '0'})`, 'fd');
      }
      case 'copy_range':
        return answer(
          `do_copy_range(${c.file}, ${c.path === null ? 'NULL' : text(c.path)}, ${c.from}, ${c.to}, ${c.length ?? -1})`,
          'copy_range',
        );
      case 'fsync':
        return answer('fsync(fd())', 'fd');
      case 'fdatasync':
        return answer('fdatasync(fd())', 'fd');
      case 'sync':
        return `sync(); answer(${said}, 0);`;
      case 'syncfs':
        return answer('syncfs(fd())', 'fd');
      case 'stat':
        return answer('do_stat()', 'stat');
      case 'fiemap':
        return answer(`do_fiemap(FIEMAP_FLAG_SYNC${c.attribute ? ' | FIEMAP_FLAG_XATTR' : ''})`, 'fiemap');
      case 'seek':
        return answer(`lseek(fd(), ${c.offset}, ${c.whence === 'data' ? 'SEEK_DATA' : 'SEEK_HOLE'})`, 'fd');
      case 'mkdir':
        return answer(`mkdir(${at(c.path)}, 0${c.mode.toString(8)})`);
      case 'rmdir':
        return answer(`rmdir(${at(c.path)})`);
      case 'rm':
        return answer(`unlink(${at(c.path)})`);
      case 'mv': {
        const flags = [
          ...(c.noreplace ? ['RENAME_NOREPLACE'] : []),
          ...(c.exchange ? ['RENAME_EXCHANGE'] : []),
          ...(c.whiteout ? ['RENAME_WHITEOUT'] : []),
        ];
        return answer(
          `renameat2(AT_FDCWD, ${at(c.from)}, AT_FDCWD, ${at(c.to)}, ${flags.join(' | ') || '0'})`,
        );
      }
      case 'ln':
        return answer(
          c.symbolic ? `symlink(${text(c.from)}, ${at(c.to)})` : `link(${at(c.from)}, ${at(c.to)})`,
        );
      case 'flink':
        return answer(`linkat(fd(), "", AT_FDCWD, ${at(c.path)}, AT_EMPTY_PATH)`, 'fd');
      case 'readlink':
        this.use('readlink');
        return `do_readlink(${said}, ${text(c.path)});`;
      case 'mknod':
        this.headers.add('sys/sysmacros.h');
        return answer(`mknod(${at(c.path)}, 0${c.mode.toString(8)}, makedev(${c.major}, ${c.minor}))`);
      case 'chmod':
        return answer(`chmod(${at(c.path)}, 0${c.mode.toString(8)})`);
      case 'chown':
        return answer(`chown(${at(c.path)}, ${c.uid ?? '(uid_t)-1'}, ${c.gid ?? '(gid_t)-1'})`);
      case 'utimes': {
        const time = ({ sec, nsec }: { sec: number; nsec: number }): string => `{ ${sec}, ${nsec} }`;
        return answer(`futimens(fd(), (struct timespec[2]){ ${time(c.atime)}, ${time(c.mtime)} })`, 'fd');
      }
      case 'ls':
        return answer(`do_ls(${text(c.path)})`, 'ls');
      case 'setfattr': {
        this.headers.add('sys/xattr.h');
        const flag = c.only === null ? '0' : c.only === 'create' ? 'XATTR_CREATE' : 'XATTR_REPLACE';
        return answer(
          `lsetxattr(${at(c.path)}, ${text(c.name)}, ${this.data(c.value)}, ${c.value.length / 2}, ${flag})`,
        );
      }
      case 'getfattr':
        this.use('getfattr');
        return `do_getfattr(${said}, ${text(c.path)}, ${text(c.name)});`;
      case 'rmfattr':
        this.headers.add('sys/xattr.h');
        return answer(`lremovexattr(${at(c.path)}, ${text(c.name)})`);
      case '@writepages':
        return answer(`do_writepages(${text(c.path)})`, 'writepages');
      case '@drop_caches':
        return answer('do_drop_caches()', 'drop_caches');
      case '@remount':
        return answer('do_remount()', 'remount');
      case '@freeze':
      case '@thaw':
        return answer(`do_freeze(${c.verb === '@thaw' ? 1 : 0})`, 'freeze');
      default:
        return fail(`no system call does ${c.verb}`, NO_CALL[c.verb]);
    }
  }

  private ranged(said: string, offset: number, length: number | null, call: string): string {
    this.use('range');
    return `{ long long len = ${length ?? -1}; char *addr = range(${offset}, &len); answer(${said}, ${call}); }`;
  }

  private data(hex: string): string {
    const byte = hex.slice(0, 2);
    if (hex === '' || byte.repeat(hex.length / 2) === hex) {
      this.use('fill');
      return `fill(0x${byte === '' ? '00' : byte}, ${hex.length / 2})`;
    }
    this.use('unhex');
    return `unhex(${text(hex)})`;
  }
}

/** A C string literal. */
function text(value: string): string {
  const bytes = new TextEncoder().encode(value);
  let out = '"';
  for (const byte of bytes) {
    const c = String.fromCharCode(byte);
    if (c === '"' || c === '\\' || c === '?') out += `\\${c}`;
    else if (byte >= 0x20 && byte < 0x7f) out += c;
    else out += `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return `${out}"`;
}

const comment = (value: string): string => value.replaceAll('*/', '* /').replaceAll('\n', ' ');
