/**
 * Random single-lane scripts for differential testing: the same lines are run on a kernel and on the emulator.
 *
 * Sizes and offsets crowd around the edges that matter: 60, the inode's capacity, block and page. Every line is one
 * that `parseLane` accepts, and each has a file or mapping to work on. A seed gives the same script everywhere.
 *
 * `wide` adds what most programs do not do: O_DIRECT, O_SYNC, other block sizes, fcollapse and finsert, mprotect, msync
 * of a part. Left out on purpose: what would fill the volume, @drop_caches (machine-wide and best effort), sync(2) (its
 * flusher races the caller where there is no journal; syncfs does not), truncate by path.
 */

export interface GenerateOptions {
  readonly seed: number;
  /** Lines after the first `open`. Left out: 12. */
  readonly lineCount?: number;
  /** Left out: 256. */
  readonly inodeSize?: number;
  /** Left out: 4096. */
  readonly blockSize?: number;
  /** Without a journal there is no @commit and no @crash. Left out: yes. */
  readonly journal?: boolean;
  /** Most files, 1 to 3. Left out: 3. */
  readonly maxFiles?: number;
  /** Rarer flags and verbs, too. Left out: no. */
  readonly wide?: boolean;
}

const PAGE = 4096;

/** sfc32: four words of state, seeded by splitmix32. Same numbers on every machine. */
class Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: number) {
    let s = seed | 0;
    const next = (): number => {
      s = (s + 0x9e3779b9) | 0;
      let t = s ^ (s >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      return t ^ (t >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    for (let i = 0; i < 12; i++) this.word();
  }

  word(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  /** 0 … n-1. */
  below(n: number): number {
    return this.word() % n;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

interface OpenFile {
  readonly path: string;
  readonly append: boolean;
  readonly writable: boolean;
  readonly direct: boolean;
}

interface Mapping {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly writable: boolean;
}

/** A script: `open` first, then `lineCount` lines. */
export function generateLines(options: GenerateOptions): string[] {
  return new Generator(options).script();
}

/** What the generator believes of the world, near enough to choose sizes and to keep lines legal. */
class Generator {
  readonly #random: Random;
  readonly #lineCount: number;
  readonly #blockSize: number;
  readonly #capacity: number;
  readonly #journal: boolean;
  readonly #wide: boolean;
  readonly #paths: readonly string[];
  readonly #lines: string[] = [];
  readonly #sizes = new Map<string, number>();
  readonly #xattrs = new Map<string, Set<string>>();
  #files: OpenFile[] = [];
  #current = 0;
  #mappings: Mapping[] = [];
  #mapping = 0;

  constructor(options: GenerateOptions) {
    this.#random = new Random(options.seed);
    this.#lineCount = options.lineCount ?? 12;
    this.#blockSize = options.blockSize ?? 4096;
    // extra_isize 32, no other xattr: 60 bytes in i_block, the rest but for headers after the fields.
    this.#capacity = Math.max(60, (options.inodeSize ?? 256) - 128);
    this.#journal = options.journal ?? true;
    this.#wide = options.wide ?? false;
    this.#paths = ['/a', '/b', '/c'].slice(0, 1 + this.#random.below(options.maxFiles ?? 3));
  }

  script(): string[] {
    this.#open(this.#paths[0]!, true);
    while (this.#lines.length <= this.#lineCount) this.#step();
    return this.#lines;
  }

  #emit(line: string): void {
    this.#lines.push(line);
  }

  get #file(): OpenFile | undefined {
    return this.#files[this.#current];
  }

  #size(path: string): number {
    return this.#sizes.get(path) ?? 0;
  }

  /** Names that exist. */
  get #existing(): string[] {
    return [...this.#sizes.keys()];
  }

  #step(): void {
    const random = this.#random;
    if (this.#files.length === 0) return this.#open(random.pick(this.#paths), true);
    if (!this.#file!.writable && random.chance(50)) return this.#switch();
    if (this.#wide && random.chance(12)) return this.#rare();
    const dice = random.below(100);
    if (dice < 28) return this.#pwrite();
    if (dice < 36)
      return this.#emit(`pread${random.chance(20) ? ' -b 131072' : ''} ${this.#offset()} ${this.#length()}`);
    if (dice < 47) return this.#truncate();
    if (dice < 57) return this.#store();
    if (dice < 61) return this.#load();
    if (dice < 69) return this.#xattr();
    if (dice < 74) return this.#emit(random.pick(['fsync', 'fsync', 'fdatasync', 'syncfs']));
    if (dice < 77) return this.#fallocate();
    if (dice < 80) return this.#ask();
    if (dice < 83) return this.#switch();
    if (dice < 86) return this.#open(random.pick(this.#paths), random.chance(80));
    if (dice < 88) return this.#close();
    if (dice < 92) return this.#actor();
    if (dice < 95) return this.#remount();
    if (dice < 97) return this.#names();
    return this.#unmap();
  }

  // --- sizes near the edges

  #edge(): number {
    const random = this.#random;
    const size = this.#file === undefined ? 0 : this.#size(this.#file.path);
    const near = [0, 60, 60, this.#capacity, this.#capacity, size, size, this.#blockSize, PAGE, 2 * PAGE];
    const edge = random.pick(near) + random.pick([0, 0, 0, 1, -1, 2, 4, -4, 20]);
    return Math.max(0, random.chance(15) ? random.below(3 * PAGE) : edge);
  }

  #offset(): number {
    return this.#random.chance(35) ? 0 : this.#edge();
  }

  #length(): number {
    return this.#random.chance(50) ? 1 + this.#random.below(80) : Math.max(1, this.#edge());
  }

  #seed(): string {
    return `-S 0x${(0x41 + this.#random.below(26)).toString(16)}`;
  }

  // --- files

  #open(path: string, create: boolean): void {
    const random = this.#random;
    const there = this.#sizes.has(path);
    if (!create && !there) return this.#open(path, true);
    const truncate = there && random.chance(8);
    const append = random.chance(8);
    const readonly = there && !truncate && random.chance(8);
    const direct = this.#wide && random.chance(20);
    const sync = this.#wide && random.chance(8);
    const flags = [
      create && '-f',
      truncate && '-t',
      append && '-a',
      readonly && '-r',
      direct && '-d',
      sync && '-s',
    ].filter(Boolean);
    this.#emit(['open', ...flags, path].join(' '));
    if (!there || truncate) this.#sizes.set(path, 0);
    this.#current = this.#files.push({ path, append, writable: !readonly, direct }) - 1;
    // Most new files start inline: that is where things happen.
    if (!there && random.chance(75)) {
      const length = random.pick([10, 50, 60, 61, this.#capacity - 28, this.#capacity]);
      this.#emit(`pwrite ${this.#seed()} 0 ${length}`);
      this.#grow(path, length);
    }
  }

  #switch(): void {
    if (this.#files.length < 2) return this.#open(this.#random.pick(this.#paths), true);
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
    const { path, append, writable, direct } = this.#file!;
    let offset = this.#offset();
    let length = this.#random.chance(3) ? 0 : this.#length();
    if (direct && this.#random.chance(85)) {
      offset -= offset % 512;
      length = Math.ceil(length / 512) * 512;
    }
    const block =
      this.#wide && this.#random.chance(20) ? `-b ${this.#random.pick([1024, 8192, 65536])} ` : '';
    this.#emit(`pwrite ${block}${this.#seed()} ${offset} ${length}`);
    if (!writable || length === 0) return;
    const size = this.#size(path);
    this.#grow(path, (append ? size : offset) + length);
  }

  /** A name that was removed stays gone, whatever is done to the open file. */
  #grow(path: string, end: number): void {
    if (this.#sizes.has(path)) this.#sizes.set(path, Math.max(this.#size(path), end));
  }

  #truncate(): void {
    const length = this.#edge();
    this.#emit(`truncate ${length}`);
    const { path, writable } = this.#file!;
    if (writable && this.#sizes.has(path)) this.#sizes.set(path, length);
  }

  #fallocate(): void {
    const verb = this.#random.pick(['falloc', 'falloc -k', 'fpunch', 'fzero', 'fzero -k']);
    const [offset, length] = [this.#offset(), this.#length()];
    this.#emit(`${verb} ${offset} ${length}`);
    const { path, writable } = this.#file!;
    if (writable && (verb === 'falloc' || verb === 'fzero')) this.#grow(path, offset + length);
  }

  /** What only `wide` has. */
  #rare(): void {
    const random = this.#random;
    const dice = random.below(10);
    if (dice < 4) {
      const unit = this.#blockSize;
      const ragged = random.chance(10) ? 1 : 0;
      const [at, count] = [random.below(5), 1 + random.below(3)];
      const verb = random.pick(['fcollapse', 'finsert']);
      this.#emit(`${verb} ${at * unit + ragged} ${count * unit}`);
      const { path, writable } = this.#file!;
      const size = this.#size(path);
      if (!writable || ragged !== 0) return;
      if (verb === 'finsert' && at * unit < size) this.#grow(path, size + count * unit);
      if (verb === 'fcollapse' && (at + count) * unit < size) this.#sizes.set(path, size - count * unit);
      return;
    }
    if (dice < 7) {
      const mapping = this.#choose();
      const page = mapping.offset + (mapping.length > PAGE && random.chance(50) ? PAGE : 0);
      return this.#emit(`msync ${random.pick(['-s', '-s', '-a'])} ${page} ${1 + random.below(PAGE)}`);
    }
    if (dice < 9) {
      this.#choose();
      return this.#emit(`mprotect ${random.pick(['-r', '-rw', '-rw'])}`);
    }
    const { direct } = this.#file!;
    const unit = direct ? 512 : 1;
    const offset = this.#offset();
    this.#emit(`pread -b ${random.pick([512, 8192])} ${offset - (offset % unit)} ${4 * PAGE}`);
  }

  #ask(): void {
    const offset = this.#edge();
    this.#emit(this.#random.pick(['stat', 'fiemap', `seek -d ${offset}`, `seek -h ${offset}`]));
  }

  // --- mappings

  #map(): void {
    const random = this.#random;
    const { path, writable } = this.#file!;
    const write = writable && random.chance(85);
    const offset = random.chance(85) ? 0 : PAGE;
    const length = random.pick([PAGE, PAGE, 2 * PAGE]);
    const hidden = random.chance(8);
    this.#emit(`mmap -r${write ? 'w' : ''}${hidden ? ' -p' : ''} ${offset} ${length}`);
    this.#mapping = this.#mappings.push({ path, offset, length, writable: write }) - 1;
  }

  /** A mapping to work on: the current one, another, or a new one. */
  #choose(): Mapping {
    if (this.#mappings.length === 0 || this.#random.chance(15)) this.#map();
    else if (this.#mappings.length > 1 && this.#random.chance(30)) {
      this.#mapping = this.#random.below(this.#mappings.length);
      this.#emit(`mapping ${this.#mapping}`);
    }
    return this.#mappings[this.#mapping]!;
  }

  #within(mapping: Mapping): string {
    const length = 1 + this.#random.below(40);
    const end = mapping.offset + mapping.length - length;
    return `${Math.min(end, Math.max(mapping.offset, this.#offset()))} ${length}`;
  }

  #store(): void {
    const mapping = this.#choose();
    if (!mapping.writable && this.#random.chance(90)) return this.#load();
    this.#emit(`mwrite ${this.#seed()} ${this.#within(mapping)}`);
    if (this.#random.chance(35)) this.#emit(this.#random.pick(['msync -s', 'msync -s', 'msync -a']));
  }

  #load(): void {
    this.#emit(`mread ${this.#within(this.#choose())}`);
  }

  #unmap(): void {
    if (this.#mappings.length === 0) return this.#map();
    this.#emit('munmap');
    this.#mappings.splice(this.#mapping, 1);
    this.#mapping = 0;
    if (this.#mappings.length > 0) this.#emit('mapping 0');
  }

  // --- attributes, names, actors

  #xattr(): void {
    const random = this.#random;
    const path = random.pick(this.#existing);
    const known = this.#xattrs.get(path) ?? new Set();
    this.#xattrs.set(path, known);
    if (known.size > 0 && random.chance(35)) {
      const name = random.pick([...known]);
      if (random.chance(25)) return this.#emit(`getfattr -n ${name} ${path}`);
      known.delete(name);
      return this.#emit(`rmfattr ${name} ${path}`);
    }
    const name = random.pick(['user.a', 'user.b', 'user.k', 'user.longer-name', 'trusted.t']);
    const room = this.#capacity - 60;
    const sizes = [
      0,
      1,
      3,
      4,
      5,
      10,
      20,
      40,
      43,
      44,
      45,
      47,
      48,
      49,
      70,
      200,
      room - 24,
      room - 20,
      room - 19,
    ];
    known.add(name);
    this.#emit(`setfattr -n ${name} -V ${Math.max(0, random.pick(sizes))} ${path}`);
  }

  #names(): void {
    const random = this.#random;
    const path = random.pick(this.#existing);
    const other = random.pick(this.#paths);
    if (random.chance(30)) return this.#emit('ls /');
    if (random.chance(60) || other === path) {
      this.#emit(`rm ${path}`);
      this.#sizes.delete(path);
      this.#xattrs.delete(path);
    } else {
      this.#emit(`mv ${path} ${other}`);
      this.#sizes.set(other, this.#size(path));
      this.#xattrs.set(other, this.#xattrs.get(path) ?? new Set());
      this.#sizes.delete(path);
      this.#xattrs.delete(path);
    }
    if (this.#sizes.size === 0) this.#open(path, true);
  }

  #actor(): void {
    const path = this.#random.pick(this.#existing);
    const mapped = this.#mappings.length > 0;
    const actors = [`@writepages ${path}`, '@flush'];
    if (this.#journal) actors.push('@commit');
    // A mapped page cannot be reclaimed from outside, so the referee refuses to.
    if (!mapped) actors.push(`@reclaim ${path}`, `@reclaim ${path}`);
    this.#emit(this.#random.pick(actors));
  }

  #remount(): void {
    const crash = this.#journal && this.#random.chance(25);
    this.#emit(crash ? '@crash' : '@remount');
    this.#files = [];
    this.#mappings = [];
    this.#current = this.#mapping = 0;
    if (crash) {
      // What is left is the kernel's business: create what may be gone.
      const paths = this.#existing;
      this.#sizes.clear();
      this.#xattrs.clear();
      this.#open(this.#random.pick(paths.length > 0 ? paths : this.#paths), true);
    } else this.#open(this.#random.pick(this.#existing), true);
  }
}
