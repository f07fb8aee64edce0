/**
 * Random single-lane scripts for differential testing: the same lines are run on a kernel and on the emulator.
 *
 * Every verb of a line is drawn that both can carry out. Sizes and offsets crowd around the edges that matter: 60, the
 * inode's capacity, block and page; values of attributes around what is left in the inode and in a block; names around
 * what an inline directory holds. Every line is one that `parseLane` accepts. A seed gives the same script everywhere.
 *
 * A script has a theme, which makes some kinds of lines likelier, so that states several lines deep come up: a pending
 * conversion that is truncated, attributes pushed out of the inode and back, a directory that grows and shrinks.
 *
 * Left out on purpose: what would fill the volume; truncate by path, which is a NULL dereference on some kernels; one
 * buffered write(2) of two pages and more, which makes large folios since 6.16; without a journal, a mount after a
 * name was removed, because whether the inode is used again depends on the second.
 */
import { Rng } from '../explore/rng.ts';
import { childOf, type Node, Tree } from './generatedTree.ts';
import { ACLS, DEVICES, type Kind, MODES, THEMES, WEIGHTS } from './generateTables.ts';

export interface GenerateOptions {
  readonly seed: number;
  /** Lines after the first `open`. Left out: 6 to 35, by the seed. */
  readonly lineCount?: number;
  /** Left out: 256. */
  readonly inodeSize?: number;
  /** Left out: 4096. */
  readonly blockSize?: number;
  /** Without a journal there is no @commit and no @crash, and no sync(2). Left out: yes. */
  readonly journal?: boolean;
  /** @drop_caches and sync(2) are felt by the whole machine. Left out: not drawn. */
  readonly machineWide?: boolean;
}

const PAGE = 4096;

interface OpenFile {
  readonly node: Node;
  readonly append: boolean;
  readonly writable: boolean;
  readonly direct: boolean;
}

interface Mapping {
  readonly node: Node;
  readonly offset: number;
  length: number;
  readonly shared: boolean;
  writable: boolean;
}

/** A script: `open` first, then about `lineCount` lines. */
export function generateLines(options: GenerateOptions): string[] {
  return new Generator(options).script();
}

/** Bytes of an attribute's entry in an inode or block, beside its value and its name. */
const XATTR_ENTRY = 16;

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

class Generator {
  readonly #random: Rng;
  readonly #lineCount: number;
  readonly #blockSize: number;
  readonly #inodeSize: number;
  /** Bytes that stay inline where there is no attribute. */
  readonly #capacity: number;
  readonly #journal: boolean;
  readonly #machineWide: boolean;
  readonly #weights: readonly (readonly [Kind, number])[];
  readonly #total: number;
  /** O_DIRECT, O_SYNC and O_APPEND are rare in most scripts and common in some. */
  readonly #oddFlags: number;
  readonly #lines: string[] = [];
  readonly #tree = new Tree();
  #files: OpenFile[] = [];
  /** A name was removed or renamed. */
  #removed = false;
  #current = 0;
  #mappings: Mapping[] = [];
  #mapping = 0;

  constructor(options: GenerateOptions) {
    const random = new Rng(options.seed);
    this.#random = random;
    this.#lineCount = options.lineCount ?? 6 + random.below(30);
    this.#blockSize = options.blockSize ?? 4096;
    this.#inodeSize = options.inodeSize ?? 256;
    // extra_isize 32, no other xattr: 60 bytes in i_block, the rest but for headers after the fields.
    this.#capacity = Math.max(60, this.#inodeSize - 128);
    this.#journal = options.journal ?? true;
    this.#machineWide = options.machineWide ?? false;
    const weights = { ...WEIGHTS, ...random.pick(THEMES) };
    this.#weights = Object.entries(weights) as [Kind, number][];
    this.#total = this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    this.#oddFlags = random.pick([0, 6, 6, 25]);
  }

  script(): string[] {
    this.#create('/a');
    while (this.#lines.length <= this.#lineCount) this.#step();
    return this.#lines;
  }

  #emit(line: string): void {
    this.#lines.push(line);
  }

  get #file(): OpenFile | undefined {
    return this.#files[this.#current];
  }

  #step(): void {
    const random = this.#random;
    if (this.#files.length === 0) return this.#create(this.#path());
    if (!this.#file!.writable && random.chance(50)) return this.#switch();
    let dice = random.below(this.#total);
    for (const [kind, weight] of this.#weights) {
      dice -= weight;
      if (dice < 0) return this.#line(kind);
    }
  }

  #line(kind: Kind): void {
    const random = this.#random;
    switch (kind) {
      case 'write':
        return this.#pwrite();
      case 'read':
        return this.#pread();
      case 'truncate':
        return this.#truncate();
      case 'store':
        return this.#store();
      case 'load':
        return this.#load();
      case 'msync':
        return this.#msync();
      case 'protect':
        return this.#protect();
      case 'unmap':
        return this.#unmap();
      case 'xattr':
        return this.#xattr();
      case 'sync': {
        const how = random.pick(['fsync', 'fsync', 'fsync', 'fdatasync', 'syncfs', 'syncfs']);
        this.#emit(how);
        // With something to write the flusher that sync(2) wakes would race it.
        if (how === 'syncfs' && this.#machineWide && this.#journal && random.chance(30)) this.#emit('sync');
        return;
      }
      case 'space':
        return this.#fallocate();
      case 'shift':
        return this.#shift();
      case 'ask':
        return this.#ask();
      case 'switch':
        return this.#switch();
      case 'open':
        return this.#open();
      case 'close':
        return this.#close();
      case 'actor':
        return this.#actor();
      case 'remount':
        return this.#remount();
      case 'remove':
        return this.#remove();
      case 'rename':
        return this.#rename();
      case 'link':
        return this.#link();
      case 'symlink':
        return this.#symlink();
      case 'directory':
        return this.#mkdir();
      case 'list':
        return this.#emit(`ls ${random.pick(this.#tree.directories)}`);
      case 'attributes':
        return this.#attributes();
      case 'special':
        return this.#special();
      case 'burst':
        return this.#burst();
      case 'resize':
        return this.#resize();
      case 'advise':
        return this.#advise();
      case 'range':
        return this.#syncRange();
      case 'copy':
        return this.#copyRange();
    }
  }

  // --- sizes near the edges

  #edge(): number {
    const random = this.#random;
    const size = this.#file?.node.size ?? 0;
    const near = [0, 60, 60, this.#capacity, this.#capacity, size, size, this.#blockSize, PAGE, 2 * PAGE];
    const edge = random.pick(near) + random.pick([0, 0, 0, 1, -1, 2, 4, -4, 20]);
    if (random.chance(2)) return random.pick([65536, 262144, 1 << 20]) + random.below(3 * PAGE);
    return Math.max(0, random.chance(15) ? random.below(3 * PAGE) : edge);
  }

  #offset(): number {
    return this.#random.chance(35) ? 0 : this.#edge();
  }

  #length(): number {
    const length = this.#random.chance(50) ? 1 + this.#random.below(80) : Math.max(1, this.#edge());
    return Math.min(length, 1 << 17);
  }

  #seed(): string {
    return `-S 0x${(0x41 + this.#random.below(26)).toString(16)}`;
  }

  // --- files

  /** A path to make or to find: mostly one of a few in the root. */
  #path(): string {
    const random = this.#random;
    if (random.chance(70)) return random.pick(['/a', '/b', '/c']);
    return childOf(random.pick(this.#tree.directories), this.#name());
  }

  #name(): string {
    const random = this.#random;
    if (random.chance(60)) return random.pick(['x', 'y', 'abcd', 'abcde', 'd', 'e']);
    const length = random.pick([1, 4, 5, 8, 12, 13, 20, 30, 60, 100, 255, random.chance(5) ? 256 : 7]);
    return random.pick(['k', 'm', 'n', 'p']).repeat(length);
  }

  /** Something that exists, most often a file; a name that does not, rarely. */
  #existing(): string {
    const random = this.#random;
    const files = this.#tree.paths('file');
    if (files.length > 0 && random.chance(65)) return random.pick(files);
    const all = this.#tree.all;
    return all.length === 0 || random.chance(4) ? this.#path() : random.pick(all);
  }

  #create(path: string): void {
    this.#openAt(path, true);
  }

  #open(): void {
    const random = this.#random;
    if (random.chance(20)) return this.#openAt(this.#existing(), random.chance(20));
    this.#openAt(this.#path(), random.chance(85));
  }

  #openAt(path: string, create: boolean): void {
    const random = this.#random;
    const there = this.#tree.get(path);
    // A lane has as many files as it opened: one that is not there would move the numbers of the others.
    if (there === undefined && !create) return this.#openAt(path, true);
    const writesTo = there?.kind === 'directory' && random.chance(10);
    const truncate = there?.kind === 'file' && random.chance(10);
    const readonly = there?.kind === 'directory' ? !writesTo : there !== undefined && random.chance(8);
    const append = random.chance(this.#oddFlags);
    const direct = there?.kind !== 'directory' && random.chance(this.#oddFlags);
    const sync = random.chance(this.#oddFlags / 2);
    const makes = create && there?.kind !== 'directory';
    // Refused, if it is there: then it opens nothing, and another line opens what was meant.
    const exclusive = there === undefined && makes && random.chance(5);
    const flags = [
      makes && '-f',
      exclusive && '-x',
      there?.kind === 'directory' && random.chance(20) && '-D',
      there?.kind === 'file' && random.chance(5) && '-L',
      makes && there === undefined && random.chance(8) && `-m ${random.pick(MODES)}`,
      truncate && '-t',
      append && '-a',
      readonly && '-r',
      direct && '-d',
      sync && '-s',
    ].filter(Boolean);
    if (writesTo) {
      // EISDIR: the list of open files stays as it is.
      if (this.#files.length > 0) this.#emit(['open', ...flags, path].join(' '));
      return;
    }
    this.#emit(['open', ...flags, path].join(' '));
    const node = this.#tree.make(path, 'file');
    if (truncate) node.size = 0;
    this.#current = this.#files.push({ node, append, writable: !readonly, direct }) - 1;
    // Most new files start inline: that is where things happen.
    if (there !== undefined || direct || !random.chance(75)) return;
    const length = random.pick([10, 50, 60, 61, this.#capacity - 28, this.#capacity]);
    this.#emit(`pwrite ${this.#seed()} 0 ${length}`);
    node.size = length;
  }

  #switch(): void {
    if (this.#files.length < 2) return this.#create(this.#path());
    this.#current = this.#random.below(this.#files.length);
    this.#emit(`file ${this.#current}`);
  }

  #close(): void {
    this.#emit('close');
    this.#files.splice(this.#current, 1);
    this.#current = 0;
    if (this.#files.length > 0) this.#emit('file 0');
  }

  #pwrite(): void {
    const random = this.#random;
    const { node, append, writable, direct } = this.#file!;
    let offset = this.#offset();
    let length = random.chance(3) ? 0 : this.#length();
    if (direct && random.chance(85)) {
      offset -= offset % 512;
      length = roundUp(length, 512);
    }
    const block = random.chance(12) ? `-b ${random.pick([7, 60, 1000, 1024, 8192, 131072])} ` : '';
    // Pieces of an odd size are only interesting while they are few. A call of two pages makes a large folio.
    if (block !== '') length = Math.min(length, 20 * Number(block.slice(3)));
    if (Number(block.slice(3)) > PAGE && !direct) length = Math.min(length, 2 * PAGE - 1);
    this.#emit(`pwrite ${block}${this.#seed()} ${offset} ${length}`);
    if (writable && length > 0) node.size = Math.max(node.size, (append ? node.size : offset) + length);
  }

  #pread(): void {
    const random = this.#random;
    const { direct } = this.#file!;
    let [offset, length] = [this.#offset(), random.chance(25) ? 4 * PAGE : this.#length()];
    if (direct && random.chance(80)) [offset, length] = [offset - (offset % 512), roundUp(length, 512)];
    const block = random.chance(30) ? `-b ${random.pick([512, 1024, 8192, 131072])} ` : '';
    this.#emit(`pread ${block}${offset} ${length}`);
  }

  #truncate(): void {
    const length = this.#edge();
    this.#emit(`truncate ${length}`);
    const { node, writable } = this.#file!;
    if (writable) node.size = length;
  }

  #fallocate(): void {
    const verb = this.#random.pick(['falloc', 'falloc -k', 'fpunch', 'fzero', 'fzero -k']);
    const [offset, length] = [this.#offset(), this.#length()];
    this.#emit(`${verb} ${offset} ${length}`);
    const { node, writable } = this.#file!;
    if (writable && (verb === 'falloc' || verb === 'fzero')) node.size = Math.max(node.size, offset + length);
  }

  /** fcollapse and finsert, mostly of whole blocks. */
  #shift(): void {
    const random = this.#random;
    const unit = this.#blockSize;
    const ragged = random.chance(10) ? 1 : 0;
    const [at, count] = [random.below(5) * unit, (1 + random.below(3)) * unit];
    const verb = random.pick(['fcollapse', 'finsert']);
    this.#emit(`${verb} ${at + ragged} ${count}`);
    const { node, writable } = this.#file!;
    if (!writable || ragged !== 0) return;
    if (verb === 'finsert' && at < node.size) node.size += count;
    if (verb === 'fcollapse' && at + count < node.size) node.size -= count;
  }

  #ask(): void {
    const offset = this.#edge();
    this.#emit(this.#random.pick(['stat', 'fiemap', 'fiemap', `seek -d ${offset}`, `seek -h ${offset}`]));
  }

  // --- mappings

  #map(): void {
    const random = this.#random;
    const { node, writable } = this.#file!;
    if (node.kind !== 'file') {
      // ENODEV: nothing is mapped.
      this.#emit('mmap -r 0 4096');
      return;
    }
    const write = writable && random.chance(85);
    const offset = random.chance(85) ? 0 : random.pick([PAGE, 2 * PAGE]);
    const length = random.pick([PAGE, PAGE, 2 * PAGE, 4 * PAGE]);
    const hidden = random.chance(8);
    this.#emit(`mmap -r${write ? 'w' : ''}${hidden ? ' -p' : ''} ${offset} ${length}`);
    this.#mapping = this.#mappings.push({ node, offset, length, shared: !hidden, writable: write }) - 1;
  }

  /** A mapping to work on: the current one, another, or a new one; undefined when the current file has none. */
  #choose(): Mapping | undefined {
    const random = this.#random;
    if (this.#mappings.length === 0 || random.chance(15)) {
      if (this.#file?.node.kind === 'file') this.#map();
    } else if (this.#mappings.length > 1 && random.chance(30)) {
      this.#mapping = random.below(this.#mappings.length);
      this.#emit(`mapping ${this.#mapping}`);
    }
    return this.#mappings[this.#mapping];
  }

  #within({ offset, length: mapped }: Mapping): string {
    const random = this.#random;
    const length = random.chance(10) ? 1 + random.below(mapped) : 1 + random.below(40);
    const at = Math.min(offset + mapped - length, Math.max(offset, this.#offset()));
    return `${at} ${length}`;
  }

  #store(): void {
    const mapping = this.#choose();
    if (mapping === undefined) return;
    if (!mapping.writable && this.#random.chance(90)) return this.#load();
    const how = mapping.shared && this.#random.chance(4) ? '@gup' : 'mwrite';
    this.#emit(`${how} ${this.#seed()} ${this.#within(mapping)}`);
    if (this.#random.chance(25)) this.#msync();
  }

  #load(): void {
    const mapping = this.#choose();
    if (mapping !== undefined) this.#emit(`mread ${this.#within(mapping)}`);
  }

  #msync(): void {
    const random = this.#random;
    const mapping = this.#choose();
    if (mapping === undefined) return;
    const how = random.pick(['-s', '-s', '-a']);
    if (random.chance(60)) return this.#emit(`msync ${how}`);
    const page = mapping.offset + PAGE * random.below(mapping.length / PAGE);
    const ragged = random.chance(5) ? 1 : 0;
    this.#emit(`msync ${how} ${page + ragged} ${1 + random.below(PAGE - 1)}`);
  }

  #protect(): void {
    const mapping = this.#choose();
    if (mapping === undefined) return;
    const write = this.#random.chance(60);
    this.#emit(`mprotect ${write ? '-rw' : '-r'}`);
    mapping.writable = write;
  }

  #unmap(): void {
    if (this.#mappings.length === 0) return this.#map();
    this.#emit('munmap');
    this.#mappings.splice(this.#mapping, 1);
    this.#mapping = 0;
    if (this.#mappings.length > 0) this.#emit('mapping 0');
  }

  #resize(): void {
    const random = this.#random;
    const mapping = this.#choose();
    if (mapping === undefined) return;
    const length = random.pick([PAGE, 2 * PAGE, 3 * PAGE, 5 * PAGE]);
    // Without -m one that grows depends on what lies behind it.
    const moves = length > mapping.length || random.chance(50);
    this.#emit(`mremap ${moves ? '-m ' : ''}${length}`);
    mapping.length = length;
  }

  #advise(): void {
    const mapping = this.#choose();
    if (mapping === undefined) return;
    const page = mapping.offset + PAGE * this.#random.below(mapping.length / PAGE);
    const span = this.#random.chance(50) ? '' : ` ${page} ${PAGE}`;
    this.#emit(`madvise -d${span}`);
  }

  // --- ranges of a file

  #syncRange(): void {
    const flags = this.#random.pick(['-w', '-b -w', '-b -w -a', '-a', '']);
    this.#emit(['sync_range', flags, this.#offset(), this.#length()].filter((word) => word !== '').join(' '));
  }

  /** A piece of another file, or of this one, below two pages: a longer one makes large folios. */
  #copyRange(): void {
    const random = this.#random;
    const { node, writable, append } = this.#file!;
    const [from, to] = [this.#offset(), this.#offset()];
    const length = Math.min(this.#length(), 2 * PAGE - 1);
    const source = random.below(this.#files.length);
    const path = random.pick(this.#tree.paths('file').concat(''));
    const name = path === '' || random.chance(40) ? `-f ${source}` : path;
    this.#emit(`copy_range -s ${from} -d ${to} -l ${length} ${name}`);
    const size = (name === path ? this.#tree.get(path) : this.#files[source]!.node)?.size ?? 0;
    const copied = Math.min(length, Math.max(0, size - from));
    if (writable && !append && copied > 0 && node.kind === 'file')
      node.size = Math.max(node.size, to + copied);
  }

  // --- attributes

  #xattr(): void {
    const random = this.#random;
    const path = random.chance(3) ? '/' : this.#existing();
    const known = this.#tree.get(path)?.xattrs ?? new Set();
    if (known.size > 0 && random.chance(40)) {
      const name = random.pick([...known]);
      const dice = random.below(100);
      if (dice < 25) return this.#emit(`getfattr -n ${name} ${path}`);
      if (dice < 65) {
        known.delete(name);
        return this.#emit(random.chance(50) ? `rmfattr ${name} ${path}` : `setfattr -x ${name} ${path}`);
      }
      return this.#emit(
        `setfattr ${random.pick(['', '', '-c ', '-r '])}-n ${name} ${this.#value(name)} ${path}`,
      );
    }
    if (random.chance(6)) {
      const name = random.pick(['system.data', 'user.', 'other.x', 'user.none']);
      const get = random.pick([`getfattr -n ${name}`, `rmfattr ${name}`, `setfattr -n ${name} -V 4`]);
      return this.#emit(`${get} ${path}`);
    }
    const name = random.pick([
      ...['user.a', 'user.a', 'user.b', 'user.k', 'user.longer-name', 'trusted.t', 'security.s'],
      `user.${'n'.repeat(random.pick([2, 3, 4, 5, 13, 60, 255]))}`,
    ]);
    known.add(name);
    this.#emit(
      `setfattr ${random.chance(5) ? random.pick(['-c ', '-r ']) : ''}-n ${name} ${this.#value(name)} ${path}`,
    );
  }

  /** A value around what the inode, or a block, has room for. */
  #value(name: string): string {
    const random = this.#random;
    const entry = XATTR_ENTRY + roundUp(name.length - name.indexOf('.') - 1, 4);
    // Beside system.data with an empty value, beside none, and alone in a block.
    const [ibody, block] = [this.#inodeSize - 160 - 8, this.#blockSize - 32 - 4];
    const room = random.pick([ibody - 20 - entry, ibody - 20 - entry, ibody - entry, block - entry]);
    const sizes = [
      ...[0, 1, 3, 4, 5, 10, 20, 40, 43, 44, 45, 47, 48, 49, 70, 100, 200, 400],
      ...[room - 20, room - 4, room - 1, room, room + 1, room + 4],
      ...[random.below(this.#blockSize), random.chance(5) ? 65536 : 30],
    ];
    const size = Math.max(0, random.pick(sizes));
    if (size <= 24 && random.chance(30)) return `-v 0x${'6162'.repeat(size).slice(0, 2 * size) || '00'}`;
    return `-V ${size}`;
  }

  /** Mode, owner, times, and the flag of journalled data. */
  #attributes(): void {
    const random = this.#random;
    const path = this.#existing();
    const dice = random.below(10);
    if (dice < 4) return this.#emit(`chmod ${random.pick(MODES)} ${path}`);
    if (dice < 6)
      return this.#emit(`chown ${random.pick(['1000', ':1000', '1:2', '0:0', '65534:65537'])} ${path}`);
    if (dice < 7) return this.#emit(`utimes 1 2 ${random.below(2 ** 31)} 4`);
    if (dice < 9) {
      const which = random.pick(['access', 'access', 'default']);
      return this.#emit(`setfattr -n system.posix_acl_${which} -v ${random.pick(ACLS)} ${path}`);
    }
    this.#emit(`rmfattr system.posix_acl_access ${path}`);
  }

  /** Devices, unnamed files, what a link says. */
  #special(): void {
    const random = this.#random;
    const path = this.#path();
    const dice = random.below(10);
    if (dice < 4) {
      this.#emit(`mknod ${random.chance(30) ? '-m 0600 ' : ''}${path} ${random.pick(DEVICES)}`);
      if (this.#tree.get(path) === undefined) this.#tree.make(path, 'special');
      return;
    }
    if (dice < 6) return this.#emit(`readlink ${this.#existing()}`);
    if (dice < 8) {
      const node: Node = { kind: 'file', size: 0, xattrs: new Set() };
      this.#emit(`open -T ${random.pick(this.#tree.directories)}`);
      this.#current = this.#files.push({ node, append: false, writable: true, direct: false }) - 1;
      return this.#pwrite();
    }
    this.#emit(`flink ${path}`);
    if (this.#file!.node.kind === 'file' && this.#tree.get(path) === undefined)
      this.#tree.adopt(path, this.#file!.node);
  }

  // --- names

  #remove(): void {
    const random = this.#random;
    const path = this.#existing();
    const directory = this.#tree.get(path)?.kind === 'directory';
    const verb = directory !== random.chance(5) ? 'rmdir' : 'rm';
    this.#removed = true;
    this.#emit(`${verb} ${path}`);
    if (directory === (verb === 'rmdir')) this.#tree.remove(path);
  }

  #rename(): void {
    const from = this.#existing();
    const to = this.#random.chance(40) ? this.#existing() : this.#path();
    const how = this.#random.pick(['', '', '', '', '-n ', '-x ', '-w ']);
    this.#emit(`mv ${how}${from} ${to}`);
    this.#removed = true;
    if (how === '-x ') this.#tree.exchange(from, to);
    else if (how !== '-n ' || this.#tree.get(to) === undefined) this.#tree.move(from, to);
  }

  #link(): void {
    const from = this.#existing();
    const to = this.#random.chance(10) ? this.#existing() : this.#path();
    this.#emit(`ln ${from} ${to}`);
    this.#tree.link(from, to);
  }

  #symlink(): void {
    const random = this.#random;
    const target = random.chance(50)
      ? this.#existing()
      : random.pick(['t', 's']).repeat(random.pick([1, 30, 58, 59, 60, 61, 100, 1000, this.#blockSize - 1]));
    const path = this.#path();
    // Names in one word: the target is text of any kind.
    this.#emit(`ln -s ${target} ${path}`);
    if (this.#tree.get(path) === undefined) this.#tree.make(path, 'symlink');
  }

  #mkdir(): void {
    const path = childOf(this.#random.pick(this.#tree.directories), this.#name());
    this.#emit(`mkdir ${path}`);
    if (this.#tree.get(path) === undefined) this.#tree.make(path, 'directory');
  }

  /** Many names of one length in one directory, some taken out again: what grows and splits directories. */
  #burst(): void {
    const random = this.#random;
    const directories = this.#tree.paths('directory');
    if (directories.length === 0) return this.#mkdir();
    const directory = random.pick(directories);
    const length = random.pick([1, 4, 5, 8, 12, 20, 60, 100, 200, 250]);
    const source = random.pick(this.#tree.paths('file').concat(''));
    const count = 2 + random.below(12);
    const made: string[] = [];
    for (let i = 0; i < count; i++) {
      const path = childOf(directory, `${String.fromCharCode(97 + i)}${'q'.repeat(length - 1)}`);
      if (this.#tree.get(path) !== undefined) continue;
      if (source === '') {
        this.#emit(`mkdir ${path}`);
        this.#tree.make(path, 'directory');
      } else {
        this.#emit(`ln ${source} ${path}`);
        this.#tree.link(source, path);
      }
      made.push(path);
      if (made.length > 2 && random.chance(20)) {
        const [gone] = made.splice(random.below(made.length), 1);
        this.#removed = true;
        this.#emit(`${source === '' ? 'rmdir' : 'rm'} ${gone}`);
        this.#tree.remove(gone!);
      }
    }
  }

  // --- actors

  #actor(): void {
    const random = this.#random;
    const files = this.#tree.paths('file');
    const actors = ['@flush'];
    if (this.#journal) actors.push('@commit');
    if (this.#machineWide && random.chance(15)) actors.push('@drop_caches', '@drop_caches');
    if (files.length > 0) {
      const path = random.pick(files);
      const node = this.#tree.get(path)!;
      actors.push(`@writepages ${path}`);
      // A mapped page cannot be reclaimed from outside, so the referee refuses to.
      if (!this.#mappings.some((mapping) => mapping.node === node)) {
        actors.push(`@reclaim ${path}`, `@reclaim ${path}`);
      }
    }
    this.#emit(random.pick(actors));
  }

  #remount(): void {
    const random = this.#random;
    if (this.#removed && !this.#journal) return this.#pwrite();
    const crash = this.#journal && random.chance(25);
    this.#emit(crash ? '@crash' : '@remount');
    this.#files = [];
    this.#mappings = [];
    this.#current = this.#mapping = 0;
    const files = this.#tree.paths('file');
    // What a crash leaves is the kernel's business: create what may be gone.
    if (crash) this.#tree.clear();
    const path = files.length > 0 && random.chance(85) ? random.pick(files) : this.#path();
    this.#create(path.lastIndexOf('/') > 0 && crash ? '/a' : path);
  }
}
