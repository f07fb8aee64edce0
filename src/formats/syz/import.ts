/**
 * A syzkaller program as lanes.
 *
 *   - `syz_mount_image$ext4` gives the volume and the mount options; its image is the scenario's, when ext4lab can load it.
 *   - Calls on files of the volume are lines. A pointer into a mapped file is a store of what is copied there, before the
 *     call (arguments) or after it (results); a buffer that lies in one is the buffer of `pwrite -m` and `pread -m`.
 *   - `async` calls run beside what follows: each is a lane, all lanes are threads of one process. What comes before
 *     the first of them is the setup. A lane opens and maps for itself what its calls need.
 *   - Calls that neither name the volume nor touch mapped memory are left out, with a note. All others are refused.
 *
 * Not followed: `repeat` and `procs` (each copy of a program has a volume of its own), the file position after a call
 * whose length depends on how it went, part of a mapping unmapped.
 */

import { mountSchema } from '../../scenario/image.ts';
import { quote } from '../../scenario/numbers.ts';
import type { ScenarioFile } from '../../scenario/schema.ts';
import type { Image } from '../../volume/image.ts';
import { featureNamesOf, hasFeature } from '../../volume/superblock.ts';
import { type Draft, type DraftLane, quotePath, type Step, stepAt } from '../draft.ts';
import { Source } from '../source.ts';
import { FALLOC_FLAGS, FILE_FLAGS, flagNames, IOCTLS, MAP_FLAGS, MOUNT_FLAGS, RWF_FLAGS } from './flags.ts';
import { imageOf, isOldMount, mountArgs, type Unpack } from './image.ts';
import { bytesOf, type Copy, copiesIn, KERNEL_WRITES, pointersOf } from './memory.ts';
import { type Arg, type Call, readProgram } from './program.ts';
import { type StandIn, standIn } from './standIn.ts';

export type { Unpack } from './image.ts';

const PAGE = 4096;
const AT_FDCWD = 0xffffffffffffff9cn;
/** include/linux/fs.h MAX_RW_COUNT */
const MAX_RW_COUNT = 0x7ffff000;
const MAX_STORE = 1 << 16;
/** Pages that MAP_POPULATE is taken to read. */
const MAX_POPULATED = 4;
/** Times that a call is made again. */
const MAX_RERUNS = 64;

/** Does it look like a program: a call with pointers in syzkaller's form, or its header line? */
export function looksLikeSyz(text: string): boolean {
  return (
    /^(r\d+ = )?[a-z_]\w*(\$\w+)?\([^\n]*(0x[0-9a-f]+|&\(|&AUTO|nil)/m.test(text) ||
    /^(r\d+ = )?(sync|getpid|pause|sched_yield)\(\)/m.test(text) ||
    /^#\s*\{("threaded"|Threaded):/m.test(text)
  );
}

export interface SyzOptions {
  readonly unpack?: Unpack | undefined;
  /** A volume of ours stands in for an image that is only read. */
  readonly fresh?: boolean | undefined;
}

export function readSyz(
  text: string,
  file: string,
  options: SyzOptions = {},
): { draft: Draft; source: Source; image: Uint8Array | null } {
  const source = new Source(text, file);
  const importer = new Importer(source, options);
  return { draft: importer.run(), source, image: importer.image };
}

/** An open file of the program. */
interface Fd {
  /** Descriptors that name it: dup makes more, and the last close closes. */
  users: number;
  readonly path: string;
  readonly options: string;
  readonly directory: boolean;
  /** Where read(2) and write(2) go on; null: it depends. */
  position: number | null;
  readonly append: boolean;
  /** Opened O_WRONLY, which the emulator has no word for. */
  readonly writeOnly: boolean;
}

interface Vma {
  readonly fd: number;
  readonly address: bigint;
  readonly length: number;
  readonly offset: number;
  readonly flags: string;
}

/** What a lane has open and mapped, in the order of its own lists. */
class Lane {
  readonly steps: Step[] = [];
  private readonly files: number[] = [];
  private current = -1;
  private readonly mappings: Vma[] = [];
  private mapped = -1;

  add(at: number, text: string): void {
    this.steps.push(stepAt(at, text));
  }

  open(at: number, fd: number, line: string): void {
    this.add(at, line);
    this.current = this.files.push(fd) - 1;
  }

  /** Makes the file current, opening it again in a lane that has not opened it. */
  use(at: number, number: number, fd: Fd): void {
    const index = this.files.indexOf(number);
    if (index < 0) this.open(at, number, `open${fd.options} ${quotePath(fd.path)}`);
    else if (index !== this.current) {
      this.add(at, `file ${index}`);
      this.current = index;
    }
  }

  has(fd: number): boolean {
    return this.files.includes(fd);
  }

  close(at: number, number: number, fd: Fd): void {
    this.use(at, number, fd);
    this.add(at, 'close');
    this.files.splice(this.current, 1);
    this.current = Math.min(this.current, this.files.length - 1);
  }

  map(at: number, vma: Vma): void {
    this.add(at, `mmap ${vma.flags} ${vma.offset} ${vma.length}`);
    this.mapped = this.mappings.push(vma) - 1;
  }

  useMapping(at: number, vma: Vma, fd: Fd): void {
    const index = this.mappings.indexOf(vma);
    if (index < 0) {
      this.use(at, vma.fd, fd);
      this.map(at, vma);
    } else if (index !== this.mapped) {
      this.add(at, `mapping ${index}`);
      this.mapped = index;
    }
  }

  unmap(at: number, vma: Vma, fd: Fd): void {
    this.useMapping(at, vma, fd);
    this.add(at, 'munmap');
    this.mappings.splice(this.mapped, 1);
    this.mapped = Math.max(0, Math.min(this.mapped, this.mappings.length - 1));
  }
}

class Importer {
  image: Uint8Array | null = null;
  private readonly source: Source;
  private readonly unpack: Unpack | undefined;
  private readonly fresh: boolean;
  private readonly notes: string[] = [];
  private readonly fds: Fd[] = [];
  /** Resource to file; a resource that is no file of the volume is null. */
  private readonly resources = new Map<string, number | null>();
  private vmas: Vma[] = [];
  private readonly sizes = new Map<string, number | null>();
  private readonly opened: string[] = [];
  /** Directory of the volume that relative paths begin in; null: they are outside. */
  private cwd: string | null = '/';
  private mountDir: string | null = null;
  private mounts: ScenarioFile['mounts'] | undefined;
  /** What stands in for an image that is only read, and the lines that make its files. */
  private standIn: StandIn | null = null;
  private syncMount = false;
  /** Another file system that was mounted, and where. */
  private foreign: Call | null = null;
  private lane = new Lane();

  constructor(source: Source, { unpack, fresh = false }: SyzOptions) {
    this.source = source;
    this.unpack = unpack;
    this.fresh = fresh;
  }

  run(): Draft {
    const { calls, options } = readProgram(this.source);
    const collides = options.collide === 'true' && !calls.some(({ async }) => async);
    const split = collides ? firstUse(calls) : calls.findIndex(({ async }) => async);
    const isApart = (call: Call): boolean => call.async || collides;
    const lanes: Lane[] = [];
    let setup: Lane | null = null;
    let main = this.lane;
    for (const [index, call] of calls.entries()) {
      if (index === split) {
        setup = this.lane;
        main = this.lane = new Lane();
      }
      const own = split >= 0 && index >= split && isApart(call);
      this.lane = own ? new Lane() : main;
      for (let times = 0; times <= Math.min(call.rerun, MAX_RERUNS); times++) this.call(call);
      if (own && this.lane.steps.length > 0) lanes.push(this.lane);
      this.lane = main;
    }
    if (main.steps.length > 0) lanes.unshift(main);
    if (lanes.length === 0 && setup !== null) {
      lanes.push(setup);
      setup = null;
    }
    if (lanes.length === 0) this.nothing(calls);
    this.about(calls, options, collides);
    const named: DraftLane[] = lanes.map(({ steps }, index) => ({ name: `CPU${index}`, steps }));
    return {
      setup: [...(this.standIn?.steps ?? []), ...(setup?.steps ?? [])],
      ...(this.standIn === null ? {} : { image: this.standIn.image }),
      lanes: named,
      after: [],
      ...(named.length > 1 ? { threads: [named.map(({ name }) => name)] } : {}),
      ...(this.mounts === undefined ? {} : { mounts: this.mounts }),
      paths: this.opened,
      notes: this.notes,
    };
  }

  /** A program that leaves the volume alone. */
  private nothing(calls: readonly Call[]): never {
    const first = calls.find(({ base }) => base !== 'syz_mount_image') ?? calls[0]!;
    if (this.foreign !== null && this.mountDir === null)
      this.fail(
        this.foreign.at,
        `${this.foreign.name}: only ext4 is emulated`,
        'ext4lab explain shows what the program does',
      );
    this.fail(
      first.at,
      this.mountDir === null
        ? 'no call works on a file'
        : `no call works on a file of the volume${first === calls[0] ? ': the program only mounts it' : ''}`,
      'ext4lab explain shows what the program does',
    );
  }

  /** What holds for the whole program. */
  private about(calls: readonly Call[], options: Readonly<Record<string, string>>, collides: boolean): void {
    if (calls.some(({ async }) => async))
      this.notes.push('async calls are lanes of their own; what comes before the first is the setup');
    else if (collides)
      this.notes.push('collide: every call after the first that uses a file is a lane of its own');
    else if (options.threaded === 'true')
      this.notes.push('threaded: the calls follow each other here; one that blocks would be overtaken');
    for (const { at, rerun } of calls)
      if (rerun > MAX_RERUNS) this.note(at, `${rerun} times more is cut to ${MAX_RERUNS}`);
    if (calls.some(({ failNth }) => failNth !== null))
      this.notes.push('fail_nth counts allocations here; fault injection also counts other things');
  }

  private note(at: number, text: string): void {
    const { line, column } = this.source.place(at);
    this.notes.push(`${line}:${column}: ${text}`);
  }

  private fail(at: number, problem: string, hint?: string): never {
    return this.source.fail(at, problem, hint);
  }

  private call(call: Call): void {
    const handler = Object.hasOwn(HANDLERS, call.base) ? HANDLERS[call.base] : undefined;
    const buffer = BUFFERS[call.base];
    const copies = copiesIn(call);
    const stores = copies.filter(({ address, bytes }) => this.mappedAt(address, bytes.length) !== null);
    if (call.result !== null) this.resources.set(call.result, null);
    for (const { name } of resultsOf(call)) this.resources.set(name, null);
    for (const store of stores) this.store(call, store, 'arguments are copied to');
    if (call.base === 'syz_mount_image') {
      this.mount(call);
      return;
    }
    const touches = this.touches(call);
    if (handler === undefined) {
      if (touches !== null && SOCKET_CALLS.test(call.base)) {
        this.note(call.at, `${call.name} is given a file, which is no socket (ENOTSOCK): left out`);
        return;
      }
      if (touches !== null && READ_ONLY_CALLS.test(call.base)) {
        this.note(call.at, `${call.name} only asks: left out`);
        this.kernelWrites(call, false);
        return;
      }
      if (touches !== null) this.fail(call.at, `${call.name} is not supported`, touches);
      if (stores.length === 0 && !this.isWrittenTo(call))
        this.note(call.at, `${call.name} has nothing to do with the volume: left out`);
    } else {
      if (call.failNth !== null && call.failNth > 0 && touches !== null)
        this.lane.add(call.at, `@fail-alloc ${call.failNth}`);
      handler(new CallReader(this, call));
    }
    this.kernelWrites(call, buffer !== undefined);
  }

  /** Why a call cannot be left out; null where it can. */
  private touches(call: Call): string | null {
    for (const arg of allArgs(call.args)) {
      if (arg.kind === 'resource' && typeof this.resources.get(arg.name) === 'number')
        return `it is given ${arg.name}, a file of the volume`;
      if (arg.kind === 'data' && this.pathIn(arg) !== null)
        return `it is given the path ${quote(textOf(arg))}`;
      if (arg.kind === 'pointer' && arg.area !== null && arg.address !== null) {
        const vma = this.mappedAt(arg.address, 1);
        if (vma !== null)
          return `it is given 0x${arg.address.toString(16)}, where ${this.fds[vma.fd]!.path} is mapped`;
      }
    }
    return null;
  }

  /** Does a result of the call fall into mapped memory? */
  private isWrittenTo(call: Call): boolean {
    return (KERNEL_WRITES[call.base] ?? []).some(([argument, length]) => {
      const arg = call.args[argument];
      return arg?.kind === 'pointer' && arg.address !== null && this.mappedAt(arg.address, length) !== null;
    });
  }

  private pathIn(arg: Arg & { kind: 'data' }): string | null {
    const text = textOf(arg);
    if (!/^\.{0,2}\/[^\0]*$|^[\w.-]+$/.test(text) || arg.form !== 'text') return null;
    if (!text.startsWith('.') && !text.startsWith('/')) return null;
    return this.inVolume(text);
  }

  // --- paths

  /** A path of the volume; null where it is outside. */
  private inVolume(text: string): string | null {
    const parts = text.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) return null;
    if (text.startsWith('/')) return null;
    const path =
      this.cwd !== null
        ? `${this.cwd === '/' ? '' : this.cwd}/${parts.join('/')}`
        : this.mountDir !== null && parts[0] === this.mountDir
          ? `/${parts.slice(1).join('/')}`
          : null;
    return path === null || this.covered.some((dir) => path === dir || path.startsWith(`${dir}/`))
      ? null
      : path;
  }

  /** The path that an argument points at. */
  path(arg: Arg | undefined, call: Call, dirfd?: Arg): string | null {
    const data = arg?.kind === 'pointer' ? arg.arg : null;
    if (arg === undefined || data === null) return null;
    const inner = data.kind === 'union' && data.arg !== null ? data.arg : data;
    if (inner.kind !== 'data') return this.fail(arg.at, `the path of ${call.name} is no text`);
    const text = textOf(inner);
    if (text === '') return null;
    if (/[\0]/.test(text) || /[^\x20-\x7e]/.test(text))
      return this.fail(inner.at, `the path ${quote(text)} has odd bytes`);
    if (
      dirfd !== undefined &&
      !(dirfd.kind === 'const' && dirfd.value === AT_FDCWD) &&
      !text.startsWith('/')
    ) {
      const number = dirfd.kind === 'resource' ? this.resources.get(dirfd.name) : undefined;
      if (typeof number !== 'number') return null;
      const folder = this.fds[number]!;
      return `${folder.path === '/' ? '' : folder.path}/${text.replace(/^(\.\/)+/, '')}`;
    }
    return this.inVolume(text);
  }

  // --- files

  /** The file of a descriptor argument; null: none of ours. */
  fd(arg: Arg | undefined): number | null {
    if (arg?.kind !== 'resource') return null;
    const number = this.resources.get(arg.name);
    return typeof number === 'number' ? number : null;
  }

  file(number: number): Fd {
    return this.fds[number]!;
  }

  /** Notes and leaves out a call that reads from a file opened O_WRONLY. */
  reads(call: Call, number: number, error: string): boolean {
    if (this.fds[number]!.writeOnly) this.leaveOut(call, `reads a file that was opened O_WRONLY (${error})`);
    return !this.fds[number]!.writeOnly;
  }

  size(path: string): number | null {
    return this.sizes.get(path) ?? null;
  }

  setSize(path: string, size: number | null): void {
    this.sizes.set(path, size);
  }

  open(call: Call, path: string | null, flags: bigint, mode: bigint): void {
    if (path === null) {
      this.note(call.at, `${call.name} opens nothing of the volume: left out`);
      return;
    }
    const has = (bits: number): boolean => (flags & BigInt(bits)) === BigInt(bits);
    if (has(0x200000)) this.fail(call.at, 'O_PATH is not modelled');
    const access = Number(flags & 3n);
    if (access === 3) this.fail(call.at, 'access mode 3', 'a descriptor for ioctl only');
    const tmpfile = has(0x410000);
    const again = [
      ...(access === 0 ? ['-r'] : []),
      ...(has(0x400) ? ['-a'] : []),
      ...(has(0x4000) ? ['-d'] : []),
      ...(has(0x1000) || this.syncMount ? ['-s'] : []),
      ...(has(0x20000) ? ['-L'] : []),
      ...(has(0x10000) && !tmpfile ? ['-D'] : []),
    ];
    const once = [
      ...(has(0x40) ? ['-f'] : []),
      ...(has(0x80) && has(0x40) ? ['-x'] : []),
      ...(has(0x200) ? ['-t'] : []),
      ...(tmpfile ? ['-T'] : []),
      ...(has(0x40) || tmpfile ? [`-m ${(mode & 0o7777n).toString(8)}`] : []),
    ];
    const text = (options: readonly string[]): string => options.map((option) => ` ${option}`).join('');
    const number =
      this.fds.push({
        path,
        options: text(again),
        directory: has(0x10000) && !tmpfile,
        position: 0,
        append: has(0x400),
        writeOnly: access === 1,
        users: 1,
      }) - 1;
    if (has(0x200) || (has(0x40) && !this.sizes.has(path) && this.image === null)) this.sizes.set(path, 0);
    this.lane.open(call.at, number, `open${text([...once, ...again])} ${quotePath(path)}`);
    if (call.result !== null) this.resources.set(call.result, number);
    if (!tmpfile) this.opened.push(path);
  }

  /** @param name  the resource that is to name the file too */
  duplicate(name: string | null, number: number): void {
    if (name === null) return;
    this.resources.set(name, number);
    this.fds[number]!.users++;
  }

  /** dup2 and dup3: what the new descriptor named before is closed. */
  replace(call: Call, number: number | null, target: Arg | undefined): void {
    const name = target?.kind === 'resource' ? target.name : null;
    const old = this.fd(target);
    if (old !== null && old === number) return;
    if (number !== null) this.duplicate(call.result, number);
    if (old !== null) this.close(call, old, name);
    if (number !== null) this.duplicate(name, number);
    else if (old === null) this.leaveOut(call, 'is given no file of the volume');
  }

  /** @param name  the resource that names it */
  close(call: Call, number: number, name: string | null): void {
    if (name !== null) this.resources.set(name, null);
    if (--this.fds[number]!.users > 0) {
      this.note(call.at, `${call.name}: another descriptor keeps the file open`);
      return;
    }
    if (this.lane.has(number)) this.lane.close(call.at, number, this.fds[number]!);
    else this.note(call.at, `${call.name} of a file that another lane opened: left out`);
  }

  /** A line on a file. */
  on(call: Call, number: number, line: string): void {
    this.lane.use(call.at, number, this.fds[number]!);
    this.lane.add(call.at, line);
  }

  /** A line that names paths, or none. */
  line(call: Call, line: string): void {
    this.lane.add(call.at, line);
  }

  useFile(call: Call, number: number): void {
    this.lane.use(call.at, number, this.fds[number]!);
  }

  chdir(call: Call): void {
    const path = this.path(call.args[0], call);
    if (path === null) this.leaveOut(call, 'goes nowhere in the volume');
    else this.cwd = path === '/' ? path : path.replace(/\/+$/, '');
  }

  leaveOut(call: Call, why: string): void {
    this.note(call.at, `${call.name} ${why}: left out`);
  }

  refuse(at: number, problem: string, hint?: string): never {
    return this.fail(at, problem, hint);
  }

  say(at: number, text: string): void {
    this.note(at, text);
  }

  // --- memory

  /** The mapping in which a range lies whole. */
  mappedAt(address: bigint, length: number): Vma | null {
    return (
      this.vmas.findLast(
        (vma) => address >= vma.address && address + BigInt(length) <= vma.address + BigInt(vma.length),
      ) ?? null
    );
  }

  /** Offset in the file of an address. */
  fileOffset(vma: Vma, address: bigint): number {
    return vma.offset + Number(address - vma.address);
  }

  useMapping(call: Call, vma: Vma): void {
    this.lane.useMapping(call.at, vma, this.fds[vma.fd]!);
  }

  map(call: Call, vma: Vma): void {
    this.lane.use(call.at, vma.fd, this.fds[vma.fd]!);
    this.lane.map(call.at, vma);
    this.vmas.push(vma);
  }

  /** What lies in a range is no longer mapped. */
  unmapRange(call: Call, address: bigint, length: number): number {
    const end = address + BigInt(length);
    const hit = this.vmas.filter((vma) => vma.address < end && vma.address + BigInt(vma.length) > address);
    for (const vma of hit) {
      if (vma.address < address || vma.address + BigInt(vma.length) > end)
        this.fail(call.at, `${call.name} cuts a mapping in two`, 'a mapping is taken away whole here');
      this.lane.unmap(call.at, vma, this.fds[vma.fd]!);
    }
    this.vmas = this.vmas.filter((vma) => !hit.includes(vma));
    return hit.length;
  }

  private store(call: Call, { at, address, bytes, guessed }: Copy, why: string): void {
    const vma = this.mappedAt(address, bytes.length)!;
    if (bytes.length > MAX_STORE)
      this.fail(at, `a store of ${bytes.length} bytes`, `at most ${MAX_STORE} bytes`);
    const offset = this.fileOffset(vma, address);
    this.lane.useMapping(call.at, vma, this.fds[vma.fd]!);
    this.lane.add(at, `mwrite -x ${hexOf(bytes)} ${offset}`);
    const width = guessed ? ' (numbers taken as 8 bytes)' : '';
    this.note(
      at,
      `a store to ${this.fds[vma.fd]!.path} at byte ${offset}: ${why} 0x${address.toString(16)}, which is mapped${width}`,
    );
  }

  /** Results that the kernel copies into mapped memory. */
  private kernelWrites(call: Call, hasBuffer: boolean): void {
    const known = KERNEL_WRITES[call.base];
    for (const [argument, length] of known ?? []) {
      const arg = call.args[argument];
      if (arg?.kind !== 'pointer' || arg.address === null) continue;
      if (this.mappedAt(arg.address, length) !== null)
        this.store(
          call,
          { at: arg.at, address: arg.address, bytes: new Uint8Array(length), guessed: false },
          'the kernel writes to',
        );
      else if (call.async) this.later(call, arg.at, arg.address, length);
    }
    if (known !== undefined || hasBuffer) return;
    for (const pointer of pointersOf(call)) {
      const { address, arg, area } = pointer;
      const isOut = arg === null || (arg.kind === 'data' && arg.bytes.length === 0);
      if (address === null || area !== null || !isOut || PATHS_ONLY.has(call.base)) continue;
      const length = arg?.kind === 'data' && arg.size > 0 ? arg.size : 8;
      if (this.mappedAt(address, length) === null) continue;
      const bytes = new Uint8Array(length);
      this.store(call, { at: pointer.at, address, bytes, guessed: arg === null }, `${call.name} is given`);
    }
  }

  /** An async call whose result may come after a mapping that the program makes later. */
  private later(call: Call, at: number, address: bigint, length: number): void {
    this.waiting.push({ call, at, address, length });
  }

  private readonly waiting: { call: Call; at: number; address: bigint; length: number }[] = [];

  /** Results still to come that fall into a new mapping. */
  private arrive(call: Call, vma: Vma): void {
    for (const each of this.waiting) {
      if (this.mappedAt(each.address, each.length) !== vma) continue;
      const bytes = new Uint8Array(each.length);
      this.store(
        call,
        { at: each.at, address: each.address, bytes, guessed: false },
        `${each.call.name} may return after the mmap, and writes to`,
      );
    }
  }

  mmap(call: Call): void {
    const [addr, len, prot, flags, fdArg, off] = call.args;
    if (this.fd(fdArg) === null && addr?.kind !== 'pointer') {
      this.leaveOut(call, 'maps nothing of the volume');
      return;
    }
    const [length, protection, bits, offset] = [len, prot, flags, off].map((arg) => this.constant(arg, call));
    const address = addr?.kind === 'pointer' ? addr.address : null;
    const fixed = (bits! & 0x10n) !== 0n || (bits! & 0x100000n) !== 0n;
    const pages = Math.ceil(Number(length) / PAGE) * PAGE;
    if (length! > BigInt(Number.MAX_SAFE_INTEGER)) this.fail(len!.at, 'a mapping of that length');
    if (fixed && address !== null) this.unmapRange(call, address, pages);
    const number = this.fd(fdArg);
    if (number === null || (bits! & 0x20n) !== 0n) {
      this.note(call.at, `${call.name} maps nothing of the volume: left out`);
      return;
    }
    if (!this.reads(call, number, 'EACCES')) return;
    if (offset! % BigInt(PAGE) !== 0n)
      this.fail(off!.at, `mmap at offset 0x${offset!.toString(16)}`, 'EINVAL: not at a page');
    const letters = [1n, 2n, 4n].map((bit, i) => ((protection! & bit) === 0n ? '' : 'rwx'[i]!)).join('');
    const isPrivate = (bits! & 3n) === 2n;
    if (letters === '') this.note(call.at, 'PROT_NONE is mapped readable');
    const vma: Vma = {
      fd: number,
      address: fixed && address !== null ? address : -1n,
      length: pages,
      offset: Number(offset),
      flags: `-${letters === '' ? 'r' : letters}${isPrivate ? 'p' : ''}`,
    };
    if (!fixed)
      this.note(call.at, 'without MAP_FIXED the kernel picks another address: no pointer leads there');
    if (isPrivate && letters.includes('w')) this.note(call.at, 'MAP_PRIVATE: stores do not reach the file');
    this.map(call, vma);
    const rest = bits! & ~0x3_0113n & ~0xa000n;
    if (rest !== 0n) this.note(call.at, `${flagNames(MAP_FLAGS, rest)} changes nothing here`);
    const locked = (bits! & 0x2000n) !== 0n;
    if (locked || (bits! & 0x1_8000n) === 0x8000n) {
      const size = this.size(this.fds[number]!.path);
      const count = Math.min(MAX_POPULATED, Math.ceil(Math.min(pages, size ?? pages) / PAGE));
      this.note(
        call.at,
        `${locked ? 'MAP_LOCKED' : 'MAP_POPULATE'} reads the pages in: the first ${count} are loaded from`,
      );
      for (let i = 0; i < count; i++) this.lane.add(call.at, `mread ${vma.offset + i * PAGE} 1`);
    }
    if (vma.address >= 0n) this.arrive(call, vma);
  }

  constant(arg: Arg | undefined, call: Call): bigint {
    if (arg === undefined) return 0n;
    if (arg.kind === 'const') return arg.value;
    if (arg.kind === 'union' && arg.arg?.kind === 'const') return arg.arg.value;
    if (arg.kind === 'nil') return 0n;
    if (arg.kind === 'auto') return this.fail(arg.at, 'AUTO: syzkaller computes this number', 'write it');
    return this.fail(arg.at, `an argument of ${call.name} is no number`);
  }

  private mount(call: Call): void {
    if (call.name !== 'syz_mount_image$ext4' || this.mountDir !== null) {
      this.otherMount(call);
      return;
    }
    const { type, dir, flags, options, others, chdir } = mountArgs(call, this.source);
    const data = dir?.kind === 'pointer' && dir.arg?.kind === 'data' ? textOf(dir.arg) : './file0';
    this.mountDir = data.replace(/^\.\//, '');
    this.cwd = chdir ? '/' : null;
    const chosen = options.includes('data=journal') ? options.filter((name) => name !== 'delalloc') : options;
    const hasAllocation = chosen.some((name) => /delalloc$|^data=journal$/.test(name));
    const mount = mountSchema.safeParse(hasAllocation ? chosen : ['delalloc', ...chosen]);
    if (!mount.success)
      this.fail(call.at, `mount options ${options.join(',')}: ${mount.error.issues[0]!.message}`);
    this.mounts = [mount.data];
    if (others.length > 0) this.note(call.at, `mount options ${others.join(', ')} are left out`);
    this.mountFlags(call, flags);
    const found = imageOf(call, this.unpack);
    if (found === null) this.fail(call.at, `${call.name} brings no image: there is nothing to mount`);
    const { bytes, image, problem } = found.unpacked;
    if (image === null)
      this.fail(
        found.at,
        `its image cannot be used: ${problem}`,
        'ext4lab explain shows what can be read of it',
      );
    const { features } = image.geometry;
    const older = Object.hasOwn(OLDER, type) ? OLDER[type] : undefined;
    const strict = [
      ...featureNamesOf('incompat', features.incompat),
      ...featureNamesOf('roCompat', features.roCompat),
    ];
    const beyond = strict.filter((name) => older?.has(name) === false);
    if (beyond.length > 0)
      this.fail(call.at, `the kernel refuses to mount it as ${type}`, `it has ${beyond.join(' ')}`);
    if (!hasFeature(features, 'inline_data')) this.note(found.at, 'the image has no inline_data');
    if (image.readOnlyReason === undefined) this.image = bytes;
    else if (this.fresh) this.freshVolume(found.at, image);
    else
      this.fail(
        found.at,
        `its image is only read here: ${image.readOnlyReason}`,
        '--fresh puts a volume of ours in its place, of the same sizes and with its files',
      );
    if (call.result !== null) {
      const number =
        this.fds.push({
          path: '/',
          options: ' -r -D',
          directory: true,
          position: 0,
          append: false,
          writeOnly: false,
          users: 1,
        }) - 1;
      this.resources.set(call.result, number);
    }
  }

  private mountFlags(call: Call, flags: bigint): void {
    const refused = flags & 0x3021n;
    if (refused !== 0n)
      this.fail(
        call.at,
        `${call.name} with ${flagNames(MOUNT_FLAGS, refused)}`,
        refused === 1n ? 'every write fails with EROFS' : 'it mounts no volume',
      );
    this.syncMount = (flags & 0x10n) !== 0n;
    if (this.syncMount) this.note(call.at, 'MS_SYNCHRONOUS: files are opened O_SYNC');
    const rest = flags & ~0x10n & 0xffff_ffffn;
    if (rest !== 0n) this.note(call.at, `mount flags ${flagNames(MOUNT_FLAGS, rest)} are left out`);
  }

  /** A mount of something else: over a directory of the volume, where there is one. */
  private otherMount(call: Call): void {
    const dir = call.args[1];
    const path = this.mountDir === null ? null : this.path(dir, call);
    this.foreign ??= call;
    if (path === null) {
      this.note(call.at, `${call.name} is another volume: what is done in it is left out`);
      return;
    }
    this.note(call.at, `${call.name} is mounted over ${path}: what is done in it is left out`);
    this.lane.add(call.at, `mkdir -m 777 ${quotePath(path)}`);
    const chdir = isOldMount(call) ? call.args[7] : call.args[4];
    if (chdir?.kind === 'const' && chdir.value !== 0n) {
      this.cwd = null;
      this.mountDir = '';
    } else this.covered.push(path);
  }

  /** Directories that another volume covers. */
  private readonly covered: string[] = [];

  private freshVolume(at: number, image: Image): void {
    this.standIn = standIn(image, (step) => stepAt(at, step));
    for (const { path, size } of this.standIn.files) this.sizes.set(path, size);
    this.note(at, `the image is only read here (${image.readOnlyReason}): ${this.standIn.note}`);
  }
}

/** What a handler of one call may ask and do. */
class CallReader {
  readonly to: Importer;
  readonly call: Call;

  constructor(to: Importer, call: Call) {
    this.to = to;
    this.call = call;
  }

  arg(index: number): Arg | undefined {
    return this.call.args[index];
  }

  at(index: number): number {
    return this.call.args[index]?.at ?? this.call.at;
  }

  big(index: number): bigint {
    return this.to.constant(this.arg(index), this.call);
  }

  /** A number below 2^53; a larger one is one that the kernel answers with an error. */
  number(index: number): number {
    const value = this.big(index);
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      this.to.refuse(
        this.at(index),
        `0x${value.toString(16)} is too large for ${this.call.name}`,
        'below 2^53',
      );
    return Number(value);
  }

  /** Calls `body` with the file; a descriptor of nothing of ours leaves the call out. */
  onFile(index: number, body: (fd: number) => void): void {
    const fd = this.to.fd(this.arg(index));
    if (fd === null) this.to.leaveOut(this.call, 'is given no file of the volume');
    else body(fd);
  }

  onPath(index: number, body: (path: string) => void, dirfd?: number): void {
    const path = this.to.path(this.arg(index), this.call, dirfd === undefined ? undefined : this.arg(dirfd));
    if (path === null) this.to.leaveOut(this.call, 'names nothing of the volume');
    else body(quotePath(path));
  }
}

type Handler = (on: CallReader) => void;

const file =
  (line: string): Handler =>
  (on) =>
    on.onFile(0, (fd) => on.to.on(on.call, fd, line));

/** A range of a mapping that msync, madvise and the like are given. */
function onRange(on: CallReader, body: (vma: Vma, offset: number, length: number) => void): void {
  const [addr] = on.call.args;
  const address = addr?.kind === 'pointer' ? addr.address : null;
  const length = on.number(1);
  const vma = address === null ? null : on.to.mappedAt(address, 1);
  if (vma === null || address === null) {
    on.to.leaveOut(on.call, 'is given nothing that is mapped from the volume');
    return;
  }
  const within = Math.min(length, Number(vma.address + BigInt(vma.length) - address));
  on.to.useMapping(on.call, vma);
  body(vma, on.to.fileOffset(vma, address), within);
}

/** write(2) and pwrite64(2). */
function write(on: CallReader, fd: number, position: number | null): void {
  const { to, call } = on;
  const opened = to.file(fd);
  const at = opened.append ? (to.size(opened.path) ?? 0) : position;
  if (at === null)
    return to.refuse(call.at, 'where it writes depends on how an earlier call went', 'write it as pwrite64');
  const count = Math.min(on.number(2), MAX_RW_COUNT);
  const buffer = on.arg(1);
  const pointer = buffer?.kind === 'pointer' ? buffer : null;
  const vma = pointer?.address == null ? null : to.mappedAt(pointer.address, Math.max(1, count));
  const block = count === 0 ? '' : ` -b ${count}`;
  if (vma !== null) {
    to.useMapping(call, vma);
    to.on(call, fd, `pwrite -m ${to.fileOffset(vma, pointer!.address!)}${block} ${at} ${count}`);
  } else if (count === 0) to.on(call, fd, `pwrite ${at} 0`);
  else {
    const { bytes: given, guessed } =
      pointer?.arg == null ? { bytes: new Uint8Array(0), guessed: false } : bytesOf(pointer.arg);
    if (guessed) to.say(call.at, 'numbers in what it writes are taken as 8 bytes');
    if (count > MAX_STORE)
      return to.refuse(on.at(2), `a write of ${count} bytes`, `at most ${MAX_STORE} bytes`);
    // What lies behind the given bytes is what was there: zeros, in memory nobody wrote.
    const bytes = new Uint8Array(count);
    bytes.set(given.subarray(0, count));
    if (given.length < count)
      to.say(call.at, `${count - given.length} of the bytes it writes are not in the program: zeros`);
    to.on(call, fd, `pwrite -x ${hexOf(bytes)}${block} ${at}`);
  }
  const size = to.size(opened.path);
  if (size !== null) to.setSize(opened.path, Math.max(size, at + count));
}

function read(on: CallReader, fd: number, position: number | null): void {
  const { to, call } = on;
  if (!to.reads(call, fd, 'EBADF')) return;
  if (position === null)
    return to.refuse(call.at, 'where it reads depends on how an earlier call went', 'write it as pread64');
  const count = Math.min(on.number(2), MAX_RW_COUNT);
  const buffer = on.arg(1);
  const vma =
    buffer?.kind === 'pointer' && buffer.address !== null
      ? to.mappedAt(buffer.address, Math.max(1, count))
      : null;
  const into =
    vma === null ? '' : ` -m ${to.fileOffset(vma, (buffer as Arg & { kind: 'pointer' }).address!)}`;
  if (vma !== null) to.useMapping(call, vma);
  to.on(call, fd, `pread${into}${count === 0 ? '' : ` -b ${count}`} ${position} ${count}`);
}

function fallocate(on: CallReader, fd: number, flags: bigint, offset: number, length: number): void {
  const mode = flags & 0xffff_ffffn;
  const verb = Object.hasOwn(FALLOC, `${mode}`) ? FALLOC[`${mode}`]! : undefined;
  if (verb === undefined)
    return on.to.refuse(
      on.at(1),
      `fallocate with ${flagNames(FALLOC_FLAGS, mode)}`,
      'the kernel refuses it, or ext4 does',
    );
  on.to.on(on.call, fd, `${verb} ${offset} ${length}`);
  const { path } = on.to.file(fd);
  const size = on.to.size(path);
  if (size === null || /-k$|fpunch/.test(verb)) return;
  on.to.setSize(path, verb === 'falloc' || verb === 'fzero' ? Math.max(size, offset + length) : null);
}

/** Buffers of a vector, with the length that each has. */
function vectorOf(on: CallReader): { pointer: Arg & { kind: 'pointer' }; length: number }[] {
  const list = on.arg(1);
  if (list?.kind === 'const' && on.big(2) === 0n) return [];
  const array = list?.kind === 'pointer' ? list.arg : null;
  if (list?.kind === 'pointer' && array === null) return [];
  if (array?.kind !== 'array') return on.to.refuse(on.at(1), `the vector of ${on.call.name} is no list`);
  const count = Number(on.big(2) > 1024n ? 1024n : on.big(2));
  return array.args.slice(0, count).flatMap((entry) => {
    const [base, length] = entry.kind === 'struct' ? entry.args : [];
    if (base?.kind !== 'pointer') return [];
    const own = base.arg === null ? 0 : bytesOf(base.arg).bytes.length;
    return [{ pointer: base, length: length?.kind === 'const' ? Number(length.value) : own }];
  });
}

/** writev, pwritev and pwritev2: its pieces as one write. */
function writeVector(on: CallReader, fd: number, position: number | null, rwf = 0n, moves = false): void {
  const { to, call } = on;
  const vector = vectorOf(on);
  const rest = rwf & ~0x17n;
  if (rest !== 0n) return to.refuse(on.at(5), `pwritev2 with ${flagNames(RWF_FLAGS, rest)}`);
  const opened = to.file(fd);
  const atEnd = opened.append || (rwf & 0x10n) !== 0n;
  const at = atEnd ? (to.size(opened.path) ?? 0) : position;
  if (at === null) return to.refuse(call.at, 'where it writes depends on how an earlier call went');
  const total = vector.reduce((sum, { length }) => sum + length, 0);
  if (total > MAX_STORE) return to.refuse(on.at(1), `${call.name} of ${total} bytes`, `at most ${MAX_STORE}`);
  const sync = (rwf & 6n) === 0n ? '' : ' -D';
  const [only] = vector;
  const vma =
    vector.length === 1 && only!.pointer.address !== null
      ? to.mappedAt(only!.pointer.address, Math.max(1, total))
      : null;
  if (total === 0) to.on(call, fd, `pwrite ${at} 0`);
  else if (vma !== null) {
    to.useMapping(call, vma);
    to.on(
      call,
      fd,
      `pwrite -m ${to.fileOffset(vma, only!.pointer.address!)} -b ${total}${sync} ${at} ${total}`,
    );
  } else {
    const parts = new Uint8Array(total);
    let end = 0;
    for (const { pointer, length } of vector) {
      if (pointer.address !== null && to.mappedAt(pointer.address, Math.max(1, length)) !== null)
        return to.refuse(pointer.at, `${call.name} from several buffers, one of them a mapped file`);
      if (pointer.arg !== null) parts.set(bytesOf(pointer.arg).bytes.subarray(0, length), end);
      end += length;
    }
    if (vector.length > 1) to.say(call.at, `${call.name} writes its pieces as one`);
    to.on(call, fd, `pwrite -x ${hexOf(parts)} -b ${total}${sync} ${at}`);
  }
  const size = to.size(opened.path);
  if (size !== null) to.setSize(opened.path, Math.max(size, at + total));
  if (position !== null && (moves || call.base === 'writev')) opened.position = at + total;
}

/** readv and preadv: its pieces as one read. */
function readVector(on: CallReader, fd: number, position: number | null): void {
  const { to, call } = on;
  if (!to.reads(call, fd, 'EBADF')) return;
  if (position === null) return to.refuse(call.at, 'where it reads depends on how an earlier call went');
  const vector = vectorOf(on);
  for (const { pointer, length } of vector)
    if (pointer.address !== null && to.mappedAt(pointer.address, Math.max(1, length)) !== null)
      return to.refuse(pointer.at, `${call.name} into a mapped file`, 'write it as pread64');
  const total = vector.reduce((sum, { length }) => sum + length, 0);
  to.on(call, fd, `pread${total === 0 ? '' : ` -b ${total}`} ${position} ${total}`);
  if (call.base !== 'readv') return;
  const opened = to.file(fd);
  const size = to.size(opened.path);
  opened.position = size === null ? null : Math.max(position, Math.min(size, position + total));
}

const FALLOC: Readonly<Record<string, string>> = {
  '0': 'falloc',
  '1': 'falloc -k',
  '3': 'fpunch',
  '8': 'fcollapse',
  '16': 'fzero',
  '17': 'fzero -k',
  '32': 'finsert',
};

const EXT4_JOURNAL_DATA_FL = 0x4000n;

/** Features that the kernel lets an older type have. @source fs/ext4/super.c ext2_feature_set_ok, ext3_feature_set_ok */
const EXT2 = ['filetype', 'meta_bg', 'sparse_super', 'large_file', 'btree_dir'];
const OLDER: Readonly<Record<string, ReadonlySet<string>>> = {
  ext2: new Set(EXT2),
  ext3: new Set([...EXT2, 'needs_recovery']),
};

const HANDLERS: Readonly<Record<string, Handler>> = {
  open: (on) => on.to.open(on.call, on.to.path(on.arg(0), on.call), on.big(1), on.big(2)),
  openat: (on) => on.to.open(on.call, on.to.path(on.arg(1), on.call, on.arg(0)), on.big(2), on.big(3)),
  creat: (on) => on.to.open(on.call, on.to.path(on.arg(0), on.call), 0x241n, on.big(1)),
  openat2: (on) => {
    const how = on.arg(2);
    const fields = how?.kind === 'pointer' && how.arg?.kind === 'struct' ? how.arg.args : [];
    const [flags, mode] = [fields[0], fields[1]].map((arg) => on.to.constant(arg, on.call));
    on.to.open(on.call, on.to.path(on.arg(1), on.call, on.arg(0)), flags!, mode!);
  },
  close: (on) => on.onFile(0, (fd) => on.to.close(on.call, fd, resourceOf(on.arg(0)))),
  dup: (on) => on.onFile(0, (fd) => on.to.duplicate(on.call.result, fd)),
  dup2: (on) => on.to.replace(on.call, on.to.fd(on.arg(0)), on.arg(1)),
  dup3: (on) => on.to.replace(on.call, on.to.fd(on.arg(0)), on.arg(1)),
  fcntl: (on) =>
    on.onFile(0, (fd) => {
      const command = on.big(1);
      if (command === 0n || command === 0x406n) on.to.duplicate(on.call.result, fd);
      else if (command === 4n)
        on.to.refuse(on.at(1), 'fcntl F_SETFL: flags of an open file do not change here');
      else on.to.leaveOut(on.call, 'changes nothing of the file');
    }),
  write: (on) =>
    on.onFile(0, (fd) => {
      const opened = on.to.file(fd);
      write(on, fd, opened.position);
      if (opened.position !== null) opened.position += Math.min(on.number(2), MAX_RW_COUNT);
    }),
  pwrite64: (on) => on.onFile(0, (fd) => write(on, fd, on.number(3))),
  writev: (on) => on.onFile(0, (fd) => writeVector(on, fd, on.to.file(fd).position)),
  pwritev: (on) => on.onFile(0, (fd) => writeVector(on, fd, on.number(3))),
  pwritev2: (on) =>
    on.onFile(0, (fd) => {
      const current = on.big(3) === 0xffff_ffff_ffff_ffffn;
      writeVector(on, fd, current ? on.to.file(fd).position : on.number(3), on.big(5), current);
    }),
  readv: (on) => on.onFile(0, (fd) => readVector(on, fd, on.to.file(fd).position)),
  preadv: (on) => on.onFile(0, (fd) => readVector(on, fd, on.number(3))),
  preadv2: (on) => on.onFile(0, (fd) => readVector(on, fd, on.number(3))),
  read: (on) =>
    on.onFile(0, (fd) => {
      const opened = on.to.file(fd);
      read(on, fd, opened.position);
      const size = on.to.size(opened.path);
      if (opened.position !== null)
        opened.position =
          size === null ? null : Math.max(opened.position, Math.min(size, opened.position + on.number(2)));
    }),
  pread64: (on) => on.onFile(0, (fd) => read(on, fd, on.number(3))),
  lseek: (on) =>
    on.onFile(0, (fd) => {
      const opened = on.to.file(fd);
      const whence = on.number(2);
      if (whence === 0) opened.position = on.number(1);
      else if (whence === 1 && opened.position !== null) opened.position += on.number(1);
      else if (whence === 2) {
        const size = on.to.size(opened.path);
        opened.position = size === null ? null : size + on.number(1);
      } else if (whence === 3 || whence === 4)
        on.to.on(on.call, fd, `seek ${whence === 3 ? '-d' : '-h'} ${on.number(1)}`);
    }),
  mmap: (on) => on.to.mmap(on.call),
  munmap: (on) => {
    const [addr] = on.call.args;
    const hit =
      addr?.kind === 'pointer' && addr.address !== null
        ? on.to.unmapRange(on.call, addr.address, Math.ceil(on.number(1) / PAGE) * PAGE)
        : 0;
    if (hit === 0) on.to.leaveOut(on.call, 'unmaps nothing of the volume');
  },
  msync: (on) =>
    onRange(on, (_vma, offset, length) =>
      on.to.line(on.call, `msync${(on.big(2) & 4n) === 0n ? '' : ' -s'} ${offset} ${length}`),
    ),
  madvise: (on) => {
    if (on.big(2) !== 4n) {
      on.to.leaveOut(on.call, 'gives advice that changes nothing here');
      return;
    }
    onRange(on, (_vma, offset, length) => on.to.line(on.call, `madvise -d ${offset} ${length}`));
  },
  mprotect: (on) =>
    onRange(on, (vma, offset, length) => {
      if (offset !== vma.offset || length !== vma.length)
        return on.to.refuse(on.call.at, 'mprotect of a part of a mapping', 'the whole one');
      const letters = [1n, 2n].map((bit, i) => ((on.big(2) & bit) === 0n ? '' : 'rw'[i]!)).join('');
      on.to.line(on.call, `mprotect${letters === '' ? '' : ` -${letters}`}`);
    }),
  ftruncate: (on) =>
    on.onFile(0, (fd) => {
      on.to.on(on.call, fd, `truncate ${on.number(1)}`);
      on.to.setSize(on.to.file(fd).path, on.number(1));
    }),
  truncate: (on) =>
    on.onPath(0, (path) => {
      on.to.say(on.call.at, 'truncate by path is open, ftruncate, close');
      for (const line of [`open ${path}`, `truncate ${on.number(1)}`, 'close']) on.to.line(on.call, line);
      on.to.setSize(path, on.number(1));
    }),
  fallocate: (on) => on.onFile(0, (fd) => fallocate(on, fd, on.big(1), on.number(2), on.number(3))),
  fsync: file('fsync'),
  fdatasync: file('fdatasync'),
  syncfs: file('syncfs'),
  sync: (on) => on.to.line(on.call, 'sync'),
  sync_file_range: (on) =>
    on.onFile(0, (fd) => {
      const bits = on.big(3);
      const options = [1n, 2n, 4n]
        .map((bit, i) => ((bits & bit) === 0n ? '' : [' -b', ' -w', ' -a'][i]!))
        .join('');
      if (options === '') on.to.leaveOut(on.call, 'without flags does nothing');
      else on.to.on(on.call, fd, `sync_range${options} ${on.number(1)} ${on.number(2)}`);
    }),
  sendfile: (on) => {
    const [out, input] = [on.to.fd(on.arg(0)), on.to.fd(on.arg(1))];
    if (out === null || input === null) {
      if (out !== null) return on.to.refuse(on.at(1), 'sendfile from something outside the volume');
      on.to.leaveOut(on.call, 'does not write to the volume');
      return;
    }
    if (!on.to.reads(on.call, input, 'EBADF')) return;
    const [to, from] = [on.to.file(out), on.to.file(input)];
    const offset = on.arg(2);
    const given = offset?.kind === 'pointer';
    const start = given ? offsetAt(offset) : from.position;
    if (to.position === null || start === null)
      return on.to.refuse(on.call.at, 'where it reads or writes depends on how an earlier call went');
    const size = on.to.size(from.path);
    const count = Number(on.big(3) > BigInt(MAX_RW_COUNT) ? BigInt(MAX_RW_COUNT) : on.big(3));
    copy(on, input, out, start, to.position, count);
    on.to.say(on.call.at, 'sendfile is copy_range: both splice through the page cache');
    const copied = size === null ? null : Math.max(0, Math.min(count, size - start));
    const end = copied === null ? null : to.position + copied;
    to.position = end;
    if (!given) from.position = copied === null ? null : start + copied;
    const had = on.to.size(to.path);
    on.to.setSize(to.path, had === null || end === null ? null : Math.max(had, end));
  },
  copy_file_range: (on) => {
    const [input, out] = [on.to.fd(on.arg(0)), on.to.fd(on.arg(2))];
    if (out === null || input === null) {
      if (out !== null) return on.to.refuse(on.at(0), 'copy_file_range from something outside the volume');
      on.to.leaveOut(on.call, 'does not write to the volume');
      return;
    }
    if (!on.to.reads(on.call, input, 'EBADF')) return;
    const [from, to] = [on.arg(1), on.arg(3)].map((arg, i) =>
      arg?.kind === 'pointer' ? offsetAt(arg) : on.to.file(i === 0 ? input : out).position,
    );
    if (from == null || to == null)
      return on.to.refuse(on.call.at, 'where it reads or writes depends on how an earlier call went');
    copy(on, input, out, from, to, Math.min(on.number(4), MAX_RW_COUNT));
    on.to.setSize(on.to.file(out).path, null);
  },
  mknod: (on) => on.onPath(0, (path) => mknod(on, path, 1)),
  mknodat: (on) => on.onPath(1, (path) => mknod(on, path, 2), 0),
  mkdir: (on) =>
    on.onPath(0, (path) => on.to.line(on.call, `mkdir -m ${(on.big(1) & 0o7777n).toString(8)} ${path}`)),
  mkdirat: (on) =>
    on.onPath(1, (path) => on.to.line(on.call, `mkdir -m ${(on.big(2) & 0o7777n).toString(8)} ${path}`), 0),
  rmdir: (on) => on.onPath(0, (path) => on.to.line(on.call, `rmdir ${path}`)),
  unlink: (on) => on.onPath(0, (path) => on.to.line(on.call, `rm ${path}`)),
  unlinkat: (on) =>
    on.onPath(1, (path) => on.to.line(on.call, `${on.big(2) === 0x200n ? 'rmdir' : 'rm'} ${path}`), 0),
  rename: (on) => on.onPath(0, (from) => on.onPath(1, (to) => on.to.line(on.call, `mv ${from} ${to}`))),
  renameat: (on) =>
    on.onPath(1, (from) => on.onPath(3, (to) => on.to.line(on.call, `mv ${from} ${to}`), 2), 0),
  renameat2: (on) => {
    const flags = on.big(4);
    const options = [1n, 2n, 4n]
      .map((bit, i) => ((flags & bit) === 0n ? '' : [' -n', ' -x', ' -w'][i]!))
      .join('');
    on.onPath(1, (from) => on.onPath(3, (to) => on.to.line(on.call, `mv${options} ${from} ${to}`), 2), 0);
  },
  link: (on) => on.onPath(0, (from) => on.onPath(1, (to) => on.to.line(on.call, `ln ${from} ${to}`))),
  linkat: (on) => on.onPath(1, (from) => on.onPath(3, (to) => on.to.line(on.call, `ln ${from} ${to}`), 2), 0),
  symlink: (on) => on.onPath(1, (path) => symlink(on, path)),
  symlinkat: (on) => on.onPath(2, (path) => symlink(on, path), 1),
  readlink: (on) => on.onPath(0, (path) => on.to.line(on.call, `readlink ${path}`)),
  readlinkat: (on) => on.onPath(1, (path) => on.to.line(on.call, `readlink ${path}`), 0),
  getdents: (on) => on.onFile(0, (fd) => on.to.line(on.call, `ls ${quotePath(on.to.file(fd).path)}`)),
  getdents64: (on) => on.onFile(0, (fd) => on.to.line(on.call, `ls ${quotePath(on.to.file(fd).path)}`)),
  chown: (on) => on.onPath(0, (path) => chown(on, path, 1)),
  lchown: (on) => on.onPath(0, (path) => chown(on, path, 1)),
  fchown: (on) => on.onFile(0, (fd) => chown(on, quotePath(on.to.file(fd).path), 1)),
  fchownat: (on) => on.onPath(1, (path) => chown(on, path, 2), 0),
  fchmodat: (on) =>
    on.onPath(1, (path) => on.to.line(on.call, `chmod ${(on.big(2) & 0o7777n).toString(8)} ${path}`), 0),
  chmod: (on) =>
    on.onPath(0, (path) => on.to.line(on.call, `chmod ${(on.big(1) & 0o7777n).toString(8)} ${path}`)),
  fchmod: (on) =>
    on.onFile(0, (fd) =>
      on.to.line(on.call, `chmod ${(on.big(1) & 0o7777n).toString(8)} ${quotePath(on.to.file(fd).path)}`),
    ),
  setxattr: (on) => on.onPath(0, (path) => setxattr(on, path)),
  lsetxattr: (on) => on.onPath(0, (path) => setxattr(on, path)),
  fsetxattr: (on) => on.onFile(0, (fd) => setxattr(on, quotePath(on.to.file(fd).path))),
  removexattr: (on) =>
    on.onPath(0, (path) => on.to.line(on.call, `rmfattr -n ${quotePath(xattrName(on))} ${path}`)),
  lremovexattr: (on) =>
    on.onPath(0, (path) => on.to.line(on.call, `rmfattr -n ${quotePath(xattrName(on))} ${path}`)),
  fremovexattr: (on) =>
    on.onFile(0, (fd) =>
      on.to.line(on.call, `rmfattr -n ${quotePath(xattrName(on))} ${quotePath(on.to.file(fd).path)}`),
    ),
  getxattr: (on) =>
    on.onPath(0, (path) => on.to.line(on.call, `getfattr -n ${quotePath(xattrName(on))} ${path}`)),
  lgetxattr: (on) =>
    on.onPath(0, (path) => on.to.line(on.call, `getfattr -n ${quotePath(xattrName(on))} ${path}`)),
  fgetxattr: (on) =>
    on.onFile(0, (fd) =>
      on.to.line(on.call, `getfattr -n ${quotePath(xattrName(on))} ${quotePath(on.to.file(fd).path)}`),
    ),
  fstat: file('stat'),
  chdir: (on) => on.to.chdir(on.call),
  ioctl: (on) => on.onFile(0, (fd) => ioctl(on, fd)),
};

/** Calls that fail on a file with ENOTSOCK before anything else. */
const SOCKET_CALLS =
  /^(send(msg|mmsg|to)|recv(msg|mmsg|from)|connect|bind|listen|accept4?|getsockopt|setsockopt|getsockname|getpeername|shutdown|syz_genetlink_get_family_id)$/;

/** Calls that change nothing, and say only to the program what they found. */
const READ_ONLY_CALLS =
  /^(stat|lstat|newfstatat|statx|statfs|fstatfs|access|faccessat2?|l?listxattr|flistxattr|lgetxattr|inotify_add_watch|fanotify_mark|epoll_ctl|readahead|name_to_handle_at|landlock_add_rule)$/;

const FS_IOC_SETFLAGS = 0x40086602n;
/** Requests of XFS that the VFS answers, with the mode of fallocate. @source fs/ioctl.c ioctl_preallocate */
const SPACE_IOCTLS: ReadonlyMap<bigint, bigint> = new Map([
  [0x40305828n, 1n],
  [0x4030582an, 1n],
  [0x40305829n, 3n],
  [0x4030582bn, 3n],
  [0x40305839n, 0x11n],
]);

function ioctl(on: CallReader, fd: number): void {
  const request = on.big(1);
  const path = quotePath(on.to.file(fd).path);
  if (request === 0x40806685n) on.to.line(on.call, `@verity ${path}`);
  else if (request === 0xc0045877n) on.to.line(on.call, '@freeze');
  else if (request === 0xc0045878n) on.to.line(on.call, '@thaw');
  else if (request === FS_IOC_SETFLAGS) {
    const value = on.arg(2);
    const inner = value?.kind === 'pointer' ? value.arg : null;
    if (value?.kind !== 'pointer') return on.to.leaveOut(on.call, 'is given no flags (EFAULT)');
    const flags = inner === null ? 0n : inner.kind === 'const' ? inner.value : null;
    const rest = flags === null ? 0n : flags & ~EXT4_JOURNAL_DATA_FL & ~0x10080000n;
    if (flags === null || rest !== 0n)
      return on.to.refuse(
        on.at(2),
        `FS_IOC_SETFLAGS with ${flags === null ? 'unknown flags' : flagNames(FILE_FLAGS, rest)}`,
        'FS_JOURNAL_DATA_FL is supported',
      );
    on.to.on(on.call, fd, `chattr ${(flags & EXT4_JOURNAL_DATA_FL) === 0n ? '-j' : '+j'}`);
  } else if (SPACE_IOCTLS.has(request)) {
    const value = on.arg(2);
    const fields = value?.kind === 'pointer' && value.arg?.kind === 'struct' ? value.arg.args : [];
    const [, whence, start, length] = fields.map((arg) => on.to.constant(arg, on.call));
    if (start === undefined || length === undefined || whence !== 0n || (start | length) >> 53n !== 0n)
      return on.to.refuse(on.at(2), `${on.call.name} without a range from the beginning of the file`);
    on.to.say(on.call.at, `${on.call.name} is fallocate`);
    fallocate(on, fd, SPACE_IOCTLS.get(request)!, Number(start), Number(length));
  } else {
    const name = IOCTLS.get(request);
    if (name !== undefined)
      return on.to.refuse(on.at(1), `ioctl ${name} is not supported`, 'it changes the volume');
    on.to.leaveOut(on.call, `(request 0x${request.toString(16)}) changes nothing`);
  }
}

/** Calls whose pointers are names and structures that the kernel only reads. */
const PATHS_ONLY = new Set(
  'open openat creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink chmod truncate setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr chdir mount ioctl copy_file_range mknod mknodat symlinkat readlink readlinkat chown lchown fchownat fchmodat openat2 dup2 dup3 fcntl'.split(
    ' ',
  ),
);

/** Calls whose second argument is a buffer of data, which their handler looks at. */
const BUFFERS: Readonly<Record<string, true>> = {
  read: true,
  pread64: true,
  write: true,
  pwrite64: true,
  writev: true,
  pwritev: true,
  pwritev2: true,
  readv: true,
  preadv: true,
  preadv2: true,
  mmap: true,
  munmap: true,
  msync: true,
  madvise: true,
  mprotect: true,
};

/** The number behind a pointer to an offset. */
function offsetAt(arg: Arg & { kind: 'pointer' }): number | null {
  if (arg.arg === null) return 0;
  const inner = arg.arg.kind === 'result' ? arg.arg.arg : arg.arg;
  return inner.kind === 'const' && inner.value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(inner.value)
    : null;
}

/** Rounds that a copy of a file into itself is followed. */
const MAX_ROUNDS = 32;

function copy(on: CallReader, input: number, out: number, from: number, to: number, count: number): void {
  const { path } = on.to.file(input);
  const step = to - from;
  let length = count;
  if (path === on.to.file(out).path && step > 0 && count > step * MAX_ROUNDS) {
    length = step * MAX_ROUNDS;
    on.to.say(
      on.call.at,
      `it copies what it has just written, ${step} bytes at a time, until the volume is full: cut to ${MAX_ROUNDS} rounds`,
    );
  }
  on.to.on(on.call, out, `copy_range -s ${from} -d ${to} -l ${length} ${quotePath(path)}`);
}

function xattrName(on: CallReader): string {
  const arg = on.arg(1);
  const inner = arg?.kind === 'pointer' ? arg.arg : null;
  const data = inner?.kind === 'union' ? inner.arg : inner;
  const byVariant = inner === null ? variantName(on.call) : null;
  if (byVariant !== null) return byVariant;
  if (data?.kind === 'struct')
    return data.args.map((part) => (part.kind === 'data' ? textOf(part) : '')).join('');
  if (data?.kind !== 'data') return on.to.refuse(on.at(1), 'the name of the attribute is no text');
  return textOf(data);
}

function mknod(on: CallReader, path: string, at: number): void {
  const mode = on.big(at) & 0xffffn;
  const dev = on.big(at + 1);
  const bits = `-m ${(mode & 0o7777n).toString(8)}`;
  const [major, minor] = [(dev >> 8n) & 0xfffn, (dev & 0xffn) | ((dev >> 12n) & 0xfff00n)];
  const kind = mode >> 12n;
  if (kind === 0n || kind === 8n) {
    on.to.say(on.call.at, 'mknod of a file is open(O_CREAT), close');
    for (const line of [`open -f ${bits} ${path}`, 'close']) on.to.line(on.call, line);
  } else if (kind === 1n) on.to.line(on.call, `mknod ${bits} ${path} p`);
  else if (kind === 2n || kind === 6n)
    on.to.line(on.call, `mknod ${bits} ${path} ${kind === 2n ? 'c' : 'b'} ${major} ${minor}`);
  else on.to.refuse(on.at(at), `mknod with mode 0${mode.toString(8)}`, 'a file, a pipe or a device');
}

function symlink(on: CallReader, path: string): void {
  const target = on.arg(0);
  const data = target?.kind === 'pointer' && target.arg?.kind === 'data' ? textOf(target.arg) : '';
  if (data === '') on.to.leaveOut(on.call, 'has no target (ENOENT)');
  else on.to.line(on.call, `ln -s ${quotePath(data)} ${path}`);
}

function chown(on: CallReader, path: string, at: number): void {
  const ids = [on.arg(at), on.arg(at + 1)].map((arg) => {
    if (arg?.kind === 'resource') {
      on.to.say(arg.at, `${arg.name} is taken as 0, root`);
      return '0';
    }
    const id = on.to.constant(arg, on.call) & 0xffff_ffffn;
    return id === 0xffff_ffffn ? '' : `${id}`;
  });
  if (ids.join('') === '') on.to.leaveOut(on.call, 'keeps owner and group');
  else on.to.line(on.call, `chown ${ids[0]}${ids[1] === '' ? '' : `:${ids[1]}`} ${path}`);
}

/** `setxattr$trusted_overlay_upper` without a name sets trusted.overlay.upper, which its description has. */
const NAMED_VARIANT = /\$(trusted_overlay|security|user|incfs)_(\w+)$/;

function variantName(call: Call): string | null {
  const found = NAMED_VARIANT.exec(call.name);
  if (found === null) return null;
  const [, prefix, rest] = found;
  if (prefix === 'incfs') return `user.incfs.${rest}`;
  return `${prefix!.replace('_', '.')}.${rest === 'smack_transmute' ? 'SMACK64TRANSMUTE' : rest}`;
}

function setxattr(on: CallReader, path: string): void {
  const name = xattrName(on);
  const size = on.number(3);
  const value = on.arg(2);
  const given =
    value?.kind === 'pointer' && value.arg !== null ? bytesOf(value.arg).bytes : new Uint8Array(0);
  if (size > 131072) return on.to.refuse(on.at(3), `a value of ${size} bytes`, 'E2BIG: at most 131072');
  const bytes = new Uint8Array(size);
  bytes.set(given.subarray(0, size));
  const flag = on.big(4);
  const only = flag === 1n ? ' -c' : flag === 2n ? ' -r' : '';
  const text = size === 0 ? '-V 0' : `-v 0x${hexOf(bytes)}`;
  on.to.line(on.call, `setfattr${only} -n ${quotePath(name)} ${text} ${path}`);
}

const resourceOf = (arg: Arg | undefined): string | null => (arg?.kind === 'resource' ? arg.name : null);

/** The index of the first call that works on what earlier ones opened. */
function firstUse(calls: readonly Call[]): number {
  const made = new Set<string>();
  const index = calls.findIndex((call) => {
    const uses = allArgs(call.args).some((arg) => arg.kind === 'resource' && made.has(arg.name));
    if (call.result !== null) made.add(call.result);
    return uses;
  });
  return index;
}

function allArgs(args: readonly Arg[]): Arg[] {
  return args.flatMap((arg): Arg[] => {
    if (arg.kind === 'struct' || arg.kind === 'array') return [arg, ...allArgs(arg.args)];
    if ((arg.kind === 'pointer' || arg.kind === 'union' || arg.kind === 'result') && arg.arg !== null)
      return [arg, ...allArgs([arg.arg])];
    return [arg];
  });
}

function resultsOf(call: Call): (Arg & { kind: 'result' })[] {
  return allArgs(call.args).filter((arg): arg is Arg & { kind: 'result' } => arg.kind === 'result');
}

/** The text of a buffer, up to its first zero. */
function textOf(arg: Arg & { kind: 'data' }): string {
  const text = String.fromCharCode(...arg.bytes.subarray(0, 4096));
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
