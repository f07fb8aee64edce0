/**
 * The shape of node:fs. Every step of a program is done by node on a real folder and by the lab on its volume, and what
 * comes back must be the same: values, and errors with their code, number, call, path and message.
 */
import * as nodeFs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createLab, type FileHandle, type Lab } from '../../src/index.ts';

/** What both can do, in one vocabulary. */
interface Both {
  open(path: string, flags: string | number): number;
  read(fd: number, length: number, position: number | null): string;
  write(fd: number, text: string, position: number | null): number;
  truncate(fd: number, length: number): void;
  size(fd: number): number;
  sync(fd: number): void;
  close(fd: number): void;
  path(name: string, ...args: (string | number | object)[]): unknown;
}

class Node implements Both {
  readonly root = nodeFs.mkdtempSync(join(tmpdir(), 'ext4lab-fs-'));
  #at = (path: string): string => join(this.root, path);
  open = (path: string, flags: string | number) => nodeFs.openSync(this.#at(path), flags);
  read = (fd: number, length: number, position: number | null) => {
    const buffer = new Uint8Array(length);
    return Buffer.from(buffer.subarray(0, nodeFs.readSync(fd, buffer, 0, length, position))).toString(
      'latin1',
    );
  };
  write = (fd: number, text: string, position: number | null) =>
    nodeFs.writeSync(fd, Buffer.from(text), 0, text.length, position);
  truncate = (fd: number, length: number) => nodeFs.ftruncateSync(fd, length);
  size = (fd: number) => nodeFs.fstatSync(fd).size;
  sync = (fd: number) => nodeFs.fsyncSync(fd);
  close = (fd: number) => nodeFs.closeSync(fd);
  path = (name: string, ...args: (string | number | object)[]) =>
    plain(
      (nodeFs as unknown as Record<string, (...a: unknown[]) => unknown>)[`${name}Sync`]!(
        ...args.map((arg, i) => (isPath(name, arg, i) ? this.#at(arg as string) : arg)),
      ),
    );
}

class InLab implements Both {
  readonly lab: Lab = createLab();
  readonly #open = new Map<number, FileHandle>();
  #at = (fd: number): FileHandle => this.#open.get(fd)!;
  open = (path: string, flags: string | number) => {
    const handle = this.lab.fs.openSync(path, flags);
    this.#open.set(handle.fd, handle);
    return handle.fd;
  };
  read = (fd: number, length: number, position: number | null) => {
    const buffer = new Uint8Array(length);
    return Buffer.from(buffer.subarray(0, this.#at(fd).readSync(buffer, 0, length, position))).toString(
      'latin1',
    );
  };
  write = (fd: number, text: string, position: number | null) =>
    this.#at(fd).writeSync(Buffer.from(text), 0, text.length, position);
  truncate = (fd: number, length: number) => this.#at(fd).truncateSync(length);
  size = (fd: number) => this.#at(fd).statSync().size;
  sync = (fd: number) => this.#at(fd).fsyncSync();
  close = (fd: number) => this.#at(fd).closeSync();
  path = (name: string, ...args: (string | number | object)[]) =>
    plain((this.lab.fs as unknown as Record<string, (...a: unknown[]) => unknown>)[`${name}Sync`]!(...args));
}

/** The target of a symlink is a text, not a path that is looked up. */
const isPath = (name: string, arg: unknown, i: number): boolean =>
  typeof arg === 'string' && arg.startsWith('/') && !(name === 'symlink' && i === 0);

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.filter((name) => name !== 'lost+found').sort();
  if (typeof value === 'object' && value !== null && 'isFile' in value) {
    const stat = value as nodeFs.Stats;
    const kind = stat.isFile()
      ? 'file'
      : stat.isDirectory()
        ? 'directory'
        : stat.isSymbolicLink()
          ? 'symlink'
          : '?';
    return kind === 'directory' ? { kind } : { kind, size: stat.size, nlink: stat.nlink };
  }
  return value;
}

describe('as node does', () => {
  let real: Node;
  let ours: InLab;
  const made: string[] = [];
  beforeEach(() => {
    real = new Node();
    ours = new InLab();
    made.push(real.root);
  });
  afterAll(() => {
    for (const root of made) nodeFs.rmSync(root, { recursive: true, force: true });
  });

  /** Does one step in both; an error becomes its fields. */
  function both(step: (fs: Both) => unknown): unknown {
    const answer = (fs: Both, root: string): unknown => {
      try {
        return { value: step(fs) };
      } catch (error) {
        const text = (s: unknown) =>
          typeof s === 'string' ? s.replaceAll(root, '').replaceAll("''", "'/'") : s;
        const { code, errno, syscall, message, path, dest } = error as NodeJS.ErrnoException & {
          dest?: string;
        };
        return { code, errno, syscall, message: text(message), path: text(path), dest: text(dest) };
      }
    };
    const theirs = answer(real, real.root);
    expect(answer(ours, '\0')).toEqual(theirs);
    return (theirs as { value?: unknown }).value;
  }
  /** Opens the same file in both: numbers may differ. */
  function open(path: string, flags: string | number): (step: (fs: Both, fd: number) => unknown) => unknown {
    const fds = new Map<Both, number>([
      [real, real.open(path, flags)],
      [ours, ours.open(path, flags)],
    ]);
    return (step) => both((fs) => step(fs, fds.get(fs)!));
  }

  it('reads and writes at positions, and where the handle stands', () => {
    const f = open('/f', 'w+');
    f((fs, fd) => fs.write(fd, 'hello world', null));
    f((fs, fd) => fs.read(fd, 5, null));
    f((fs, fd) => fs.read(fd, 5, 0));
    f((fs, fd) => fs.write(fd, 'HELLO', 0));
    f((fs, fd) => fs.write(fd, '!', null));
    f((fs, fd) => fs.read(fd, 100, 0));
    f((fs, fd) => fs.read(fd, 10, 100));
    f((fs, fd) => fs.write(fd, 'far', 5000));
    f((fs, fd) => fs.size(fd));
    f((fs, fd) => fs.read(fd, 6000, 0));
    f((fs, fd) => fs.truncate(fd, 3));
    f((fs, fd) => fs.read(fd, 10, 0));
    f((fs, fd) => fs.truncate(fd, 70));
    f((fs, fd) => fs.read(fd, 100, 0));
    f((fs, fd) => fs.sync(fd));
    f((fs, fd) => fs.close(fd));
  });

  it('opens with every flag that node knows, and says the same when it cannot', () => {
    const flags = ['r', 'rs', 'r+', 'rs+', 'w', 'wx', 'w+', 'wx+', 'a', 'ax', 'as', 'a+', 'ax+', 'as+'];
    for (const flag of flags) {
      const name = `/new-${flag}`;
      both((fs) => {
        const fd = fs.open(name, flag);
        fs.close(fd);
      });
      both((fs) => fs.path('writeFile', '/old', 'old'));
      both((fs) => {
        const fd = fs.open('/old', flag);
        const said: unknown[] = [];
        for (const step of [
          () => fs.read(fd, 9, 0),
          () => fs.write(fd, 'new', 1),
          () => fs.truncate(fd, 2),
        ]) {
          try {
            said.push(step());
          } catch (error) {
            said.push((error as Error).message);
          }
        }
        fs.close(fd);
        return said;
      });
      both((fs) => fs.path('readFile', '/old'));
    }
    const { O_RDWR, O_CREAT, O_EXCL, O_APPEND, O_TRUNC, O_WRONLY } = nodeFs.constants;
    const bits = [O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_WRONLY | O_APPEND, O_RDWR | O_TRUNC];
    for (const flag of bits) {
      both((fs) => fs.path('writeFile', '/bits', 'bits'));
      both((fs) => {
        const fd = fs.open('/bits', flag);
        fs.write(fd, 'X', null);
        fs.close(fd);
      });
      both((fs) => fs.path('readFile', '/bits'));
    }
  });

  it('appends at the end, whatever the position', () => {
    both((fs) => fs.path('writeFile', '/log', 'one'));
    const log = open('/log', 'a+');
    log((fs, fd) => fs.write(fd, 'two', null));
    log((fs, fd) => fs.write(fd, 'three', 0));
    log((fs, fd) => fs.read(fd, 99, 0));
    both((fs) => fs.path('appendFile', '/log', 'four'));
    both((fs) => fs.path('readFile', '/log', 'utf8'));
  });

  it('refuses a handle that is not open for this', () => {
    both((fs) => fs.path('writeFile', '/f', 'text'));
    const reader = open('/f', 'r');
    reader((fs, fd) => fs.write(fd, 'no', 0));
    reader((fs, fd) => fs.truncate(fd, 0));
    reader((fs, fd) => fs.close(fd));
    const writer = open('/f', 'a');
    writer((fs, fd) => fs.read(fd, 1, 0));
    writer((fs, fd) => fs.truncate(fd, -1));
    writer((fs, fd) => fs.close(fd));
  });

  it('names, links and directories', () => {
    both((fs) => fs.path('mkdir', '/d'));
    both((fs) => fs.path('mkdir', '/d'));
    both((fs) => fs.path('mkdir', '/no/such'));
    both((fs) => fs.path('writeFile', '/d/f', 'in d'));
    both((fs) => fs.path('rmdir', '/d'));
    both((fs) => fs.path('readdir', '/d'));
    both((fs) => fs.path('link', '/d/f', '/hard'));
    both((fs) => fs.path('link', '/nope', '/hard2'));
    both((fs) => fs.path('link', '/d/f', '/hard'));
    both((fs) => fs.path('symlink', 'd/f', '/soft'));
    both((fs) => fs.path('symlink', 'd/f', '/soft'));
    both((fs) => fs.path('readlink', '/soft'));
    both((fs) => fs.path('readlink', '/hard'));
    both((fs) => fs.path('readFile', '/soft', 'utf8'));
    both((fs) => fs.path('stat', '/soft'));
    both((fs) => fs.path('lstat', '/soft'));
    both((fs) => fs.path('stat', '/d'));
    both((fs) => fs.path('rename', '/d/f', '/g'));
    both((fs) => fs.path('rename', '/d/f', '/g'));
    both((fs) => fs.path('stat', '/soft'));
    both((fs) => fs.path('exists', '/soft'));
    both((fs) => fs.path('access', '/soft'));
    both((fs) => fs.path('exists', '/g'));
    both((fs) => fs.path('access', '/g'));
    both((fs) => fs.path('unlink', '/hard'));
    both((fs) => fs.path('unlink', '/hard'));
    both((fs) => fs.path('unlink', '/nope'));
    both((fs) => fs.path('rmdir', '/g'));
    both((fs) => fs.path('rmdir', '/d'));
    both((fs) => fs.path('readdir', '/'));
    both((fs) => fs.path('readdir', '/g'));
    both((fs) => fs.path('readdir', '/nope'));
    both((fs) => fs.path('stat', '/nope'));
    both((fs) => fs.path('lstat', '/nope'));
    both((fs) => fs.path('readlink', '/nope'));
    both((fs) => fs.path('readFile', '/nope'));
    both((fs) => fs.path('writeFile', '/no/such', 'x'));
    both((fs) => fs.path('truncate', '/nope', 3));
    both((fs) => fs.open('/g', 'wx'));
    both((fs) => fs.open('/nope', 'r+'));
  });

  it('a directory is not a file', () => {
    both((fs) => fs.path('mkdir', '/d'));
    both((fs) => fs.open('/d', 'r+'));
    both((fs) => fs.open('/d', 'w'));
    both((fs) => fs.path('readFile', '/d'));
    both((fs) => fs.path('writeFile', '/d', 'x'));
    both((fs) => fs.path('truncate', '/d', 0));
    const dir = open('/d', 'r');
    dir((fs, fd) => fs.read(fd, 1, 0));
    dir((fs, fd) => fs.sync(fd));
    dir((fs, fd) => fs.close(fd));
  });

  it('whole files, and their sizes', () => {
    both((fs) => fs.path('writeFile', '/f', 'x'.repeat(10_000)));
    both((fs) => fs.path('truncate', '/f', 5000));
    both((fs) => fs.path('stat', '/f'));
    both((fs) => fs.path('readFile', '/f'));
    both((fs) => fs.path('writeFile', '/f', 'short'));
    both((fs) => fs.path('readFile', '/f', 'utf8'));
    both((fs) => fs.path('readFile', '/f', { encoding: 'utf8' }));
    both((fs) => fs.path('writeFile', '/f', 'more', { flag: 'a' }));
    both((fs) => fs.path('readFile', '/f', 'utf8'));
  });

  it('an unlinked file lives on while it is open', () => {
    both((fs) => fs.path('writeFile', '/f', 'text'));
    const f = open('/f', 'r+');
    both((fs) => fs.path('unlink', '/f'));
    f((fs, fd) => fs.read(fd, 9, 0));
    f((fs, fd) => fs.write(fd, 'T', 0));
    f((fs, fd) => fs.read(fd, 9, 0));
    both((fs) => fs.path('exists', '/f'));
    f((fs, fd) => fs.close(fd));
  });
});

describe('the asynchronous shape', () => {
  it('answers as node:fs/promises does', async () => {
    const { promises } = createLab().fs;
    const f = await promises.open('/f', 'w+');
    const data = new TextEncoder().encode('hello');
    expect(await f.write(data, 0, 5, 0)).toEqual({ bytesWritten: 5, buffer: data });
    expect(await f.write(' there', 5)).toEqual({ bytesWritten: 6, buffer: ' there' });
    const room = new Uint8Array(20);
    const { bytesRead, buffer } = await f.read(room, 0, 20, 0);
    expect(buffer).toBe(room);
    expect(new TextDecoder().decode(room.subarray(0, bytesRead))).toBe('hello there');
    expect(await f.read(room, { offset: 2, length: 3, position: 1 })).toMatchObject({ bytesRead: 3 });
    expect(room[2]).toBe(0x65);
    await f.truncate(5);
    expect((await f.stat()).size).toBe(5);
    await f.sync();
    await f.datasync();
    const map = await f.mmap({ length: 5 });
    expect(map.load(0, 1)[0]).toBe(0x68);
    await f.close();
    await expect(f.close()).rejects.toMatchObject({ code: 'EBADF', syscall: 'close' });
    await expect(promises.open('/nope')).rejects.toMatchObject({
      code: 'ENOENT',
      errno: -2,
      syscall: 'open',
      path: '/nope',
      message: "ENOENT: no such file or directory, open '/nope'",
    });
  });

  it('has every call that the synchronous one has', async () => {
    const { fs } = createLab();
    const names = (of: object): string[] =>
      Object.getOwnPropertyNames(Object.getPrototypeOf(of)).filter((name) => name !== 'constructor');
    const sync = names(fs)
      .filter((name) => name.endsWith('Sync') && name !== 'existsSync')
      .map((name) => name.slice(0, -4));
    expect(sync.filter((name) => !names(fs.promises).includes(name))).toEqual([]);

    const { promises } = fs;
    await promises.mkdir('/d');
    await promises.writeFile('/d/f', 'one');
    await promises.appendFile('/d/f', ' two');
    await promises.link('/d/f', '/hard');
    await promises.symlink('d/f', '/soft');
    await promises.rename('/hard', '/renamed');
    expect(await promises.readFile('/soft', 'utf8')).toBe('one two');
    expect(await promises.readlink('/soft')).toBe('d/f');
    expect((await promises.lstat('/soft')).isSymbolicLink()).toBe(true);
    expect((await promises.stat('/renamed')).nlink).toBe(2);
    expect(await promises.readdir('/d')).toEqual(['f']);
    await promises.setxattr('/d/f', 'user.a', 'value');
    expect(await promises.listxattr('/d/f')).toEqual(['user.a']);
    expect(new TextDecoder().decode(await promises.getxattr('/d/f', 'user.a'))).toBe('value');
    await promises.removexattr('/d/f', 'user.a');
    await promises.truncate('/d/f', 3);
    expect(await promises.readFile('/d/f')).toEqual(new TextEncoder().encode('one'));
    await promises.unlink('/d/f');
    await promises.unlink('/renamed');
    await promises.rmdir('/d');
    await expect(promises.access('/soft')).rejects.toMatchObject({ code: 'ENOENT', syscall: 'access' });
  });
});

describe('handles', () => {
  it('keep their own file while others come and go', () => {
    const { fs } = createLab();
    const handles = ['/a', '/b', '/c', '/d'].map((path) => {
      const handle = fs.openSync(path, 'w+');
      handle.writeSync(path);
      return handle;
    });
    expect(handles.map((handle) => handle.fd)).toEqual([3, 4, 5, 6]);
    handles[1]!.closeSync();
    handles[0]!.closeSync();
    expect(handles[2]!.readSync(new Uint8Array(9), 0, 9, 0)).toBe(2);
    expect(fs.openSync('/e', 'w').fd).toBe(3);
    expect(fs.openFiles.map((handle) => handle.fd)).toEqual([5, 6, 3]);
    handles[3]!.writeSync('D', 1);
    expect(fs.readFileSync('/d', 'utf8')).toBe('/D');
    expect(fs.readFileSync('/c', 'utf8')).toBe('/c');
  });

  it('that are closed are refused, in the words that node has for a number that is not open', () => {
    const file = createLab().fs.openSync('/f', 'w+');
    file.closeSync();
    file[Symbol.dispose]();
    const said = [
      () => file.readSync(new Uint8Array(1)),
      () => file.writeSync('x'),
      () => file.truncateSync(),
      () => file.statSync(),
      () => file.fsyncSync(),
      () => file.fdatasyncSync(),
      () => file.readFileSync(),
      () => file.mmapSync({ length: 1 }),
      () => file.fallocateSync(0, 1),
      () => file.closeSync(),
    ].map((step) => {
      try {
        return step();
      } catch (error) {
        return (error as Error).message;
      }
    });
    const calls = [
      'read',
      'write',
      'ftruncate',
      'fstat',
      'fsync',
      'fdatasync',
      'fstat',
      'mmap',
      'fallocate',
      'close',
    ];
    expect(said).toEqual(calls.map((name) => `EBADF: bad file descriptor, ${name}`));
  });

  it('close at the end of their block', () => {
    const { fs } = createLab();
    {
      using file = fs.openSync('/f', 'w');
      file.writeSync('text');
      using _map = fs.openSync('/f', 'r').mmapSync({ length: 10 });
      expect(fs.mappings).toHaveLength(1);
    }
    expect(fs.mappings).toHaveLength(0);
    expect(fs.openFiles).toHaveLength(1);
  });

  it('copy what they are given: the buffer is the caller’s again when the call returns', () => {
    for (const length of [1, 60, 100, 200, 4096, 5000, 8192]) {
      const { fs } = createLab();
      const file = fs.openSync('/f', 'w+');
      const data = new Uint8Array(length).fill(0x61);
      file.writeSync(data, 0, length, 0);
      data.fill(0x7a);
      const back = new Uint8Array(length);
      file.readSync(back, 0, length, 0);
      expect(back.every((byte) => byte === 0x61)).toBe(true);
      back.fill(0x79);
      file.fsyncSync();
      expect(fs.readFileSync('/f').every((byte) => byte === 0x61)).toBe(true);
    }
  });

  it('take any view, and node’s Buffer', () => {
    const { fs } = createLab();
    const file = fs.openSync('/f', 'w+');
    file.writeSync(Buffer.from('0123456789'), 2, 4, 0);
    file.writeSync(new Uint16Array([0x4241, 0x4443]), 0, 4, 4);
    file.writeSync(new DataView(Uint8Array.of(0x45, 0x46, 0x47).buffer, 1), { position: 8 });
    expect(file.readFileSync('utf8')).toBe('2345ABCDFG');
    const buffer = Buffer.alloc(4);
    expect(file.readSync(buffer, 0, 4, 4n)).toBe(4);
    expect(buffer.toString()).toBe('ABCD');
  });

  it('O_SYNC writes reach the medium', () => {
    const lab = createLab();
    const file = lab.fs.openSync('/f', 'as');
    file.writeSync('durable');
    lab.crash();
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('durable');
  });

  it('O_DIRECT goes past the page cache, where a file has blocks', () => {
    const lab = createLab();
    const { O_DIRECT, O_RDWR } = nodeFs.constants;
    lab.fs.writeFileSync('/f', 'a'.repeat(8192));
    lab.sync();
    lab.dropCaches();
    const file = lab.fs.openSync('/f', O_RDWR | O_DIRECT);
    expect(file.writeSync(new Uint8Array(4096).fill(0x62), 0, 4096, 4096)).toBe(4096);
    const block = new Uint8Array(4096);
    expect(file.readSync(block, 0, 4096, 4096)).toBe(4096);
    expect(block[0]).toBe(0x62);
    expect(lab.folio('/f', 1).present).toBe(false);
    expect(() => file.writeSync('not a block', 0)).toThrow(/EINVAL/);
  });

  it('fallocate and punch', () => {
    const { fs } = createLab();
    const file = fs.openSync('/f', 'w+');
    file.writeSync('a'.repeat(8192));
    file.fallocateSync(8192, 4096);
    expect(file.statSync().size).toBe(12288);
    file.fallocateSync(0, 4096, 'punch');
    expect(
      file
        .readFileSync()
        .subarray(0, 5000)
        .findIndex((byte) => byte !== 0),
    ).toBe(-1);
    const text = fs.readFileSync('/f');
    expect([text[4095], text[4096], text[8192]]).toEqual([0, 0x61, 0]);
  });
});

describe('owners, permissions, times', () => {
  const O = nodeFs.constants;

  it('are set as asked, under the umask of 022', () => {
    const { fs } = createLab();
    fs.writeFileSync('/f', 'x');
    expect(fs.statSync('/f').mode).toBe(0o100644);
    fs.openSync('/g', 'w', 0o4777).closeSync();
    expect(fs.statSync('/g').mode).toBe(0o104755);
    fs.mkdirSync('/d', { mode: 0o1777 });
    expect(fs.statSync('/d').mode).toBe(0o041755);
    fs.chmodSync('/d', 0o2777);
    fs.chownSync('/d', 1000, 70000);
    fs.mkdirSync('/d/e');
    expect(fs.statSync('/d/e')).toMatchObject({ mode: 0o042755, uid: 0, gid: 70000 });
    fs.chownSync('/d/e', 5, -1);
    expect(fs.statSync('/d/e')).toMatchObject({ uid: 5, gid: 70000 });
    fs.utimesSync('/f', 1000.5, new Date(2_000_000));
    expect(fs.statSync('/f')).toMatchObject({ atimeMs: 1_000_000, mtimeMs: 2_000_000 });
  });

  it('opens without following, directories only, without a name', () => {
    const { fs } = createLab();
    fs.writeFileSync('/f', 'x');
    fs.symlinkSync('f', '/l');
    const code = (path: string, flags: number): unknown => {
      try {
        fs.openSync(path, flags).closeSync();
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
      return 'opened';
    };
    expect(code('/l', O.O_RDONLY)).toBe('opened');
    expect(code('/l', O.O_RDONLY | O.O_NOFOLLOW)).toBe('ELOOP');
    expect(code('/f', O.O_RDONLY | O.O_DIRECTORY)).toBe('ENOTDIR');
    expect(code('/l', O.O_RDWR | O.O_CREAT | O.O_EXCL)).toBe('EEXIST');
    const TMPFILE = 0o20200000;
    const before = fs.readdirSync('/');
    const file = fs.openSync('/', O.O_RDWR | TMPFILE);
    file.writeSync('no name');
    expect(fs.readdirSync('/')).toEqual(before);
    expect(file.statSync().nlink).toBe(0);
    file.closeSync();
  });
});

describe('attributes', () => {
  it('are set, read, listed, removed', () => {
    const { fs } = createLab();
    fs.writeFileSync('/f', 'x');
    fs.setxattrSync('/f', 'user.one', Uint8Array.of(1, 2, 3));
    fs.setxattrSync('/f', 'user.two', 'text');
    expect(fs.getxattrSync('/f', 'user.one')).toEqual(Uint8Array.of(1, 2, 3));
    expect(fs.listxattrSync('/f')).toEqual(['user.one', 'user.two']);
    fs.removexattrSync('/f', 'user.one');
    expect(fs.listxattrSync('/f')).toEqual(['user.two']);
  });

  it('that are not there, or that nobody may see', () => {
    const { fs } = createLab();
    fs.writeFileSync('/f', 'inline');
    const said = (body: () => unknown): string => {
      try {
        body();
      } catch (error) {
        return (error as Error).message;
      }
      return 'nothing';
    };
    expect(said(() => fs.getxattrSync('/f', 'user.a'))).toBe("ENODATA: no data available, getxattr '/f'");
    expect(said(() => fs.removexattrSync('/f', 'user.a'))).toBe(
      "ENODATA: no data available, removexattr '/f'",
    );
    expect(said(() => fs.getxattrSync('/f', 'system.data'))).toBe(
      "EOPNOTSUPP: operation not supported on socket, getxattr '/f'",
    );
    expect(said(() => fs.setxattrSync('/nope', 'user.a', ''))).toBe(
      "ENOENT: no such file or directory, setxattr '/nope'",
    );
    expect(fs.listxattrSync('/f')).toEqual([]);
  });
});
