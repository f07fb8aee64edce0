/** syzkaller programs: read, explained, imported. */
import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflate } from '../../src/cli/inflate.ts';
import { guessFormat } from '../../src/formats/read.ts';
import { Source } from '../../src/formats/source.ts';
import { explainSyz } from '../../src/formats/syz/explain.ts';
import { readProgram } from '../../src/formats/syz/program.ts';
import { standIn } from '../../src/formats/syz/standIn.ts';
import { createLab } from '../../src/index.ts';
import { ScenarioError } from '../../src/scenario/error.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfs } from '../../src/volume/mkfs.ts';
import { ext4lab } from '../support/command.ts';
import { complaint, damaged, imported, scenarioOf, survivesDamage } from './support.ts';

const HIDDEN = readFileSync('fixtures/formats/hidden-stores.syz', 'utf8');
const SENDFILE = readFileSync('fixtures/formats/sendfile-beside-mmap.syz', 'utf8');
const options = { unpack: inflate };
const IMAGE = Buffer.from(deflateSync(mkfs({ blockSize: 1024, blocks: 2048 }))).toString('base64');
const READ_ONLY = Buffer.from(
  deflateSync(mkfs({ blockSize: 1024, blocks: 2048, features: ['ea_inode'] })),
).toString('base64');
const mountOf = (image: string, options = '&AUTO'): string =>
  `syz_mount_image$ext4(&AUTO='ext4\\x00', &AUTO='./m\\x00', 0x0, ${options}, 0x1, 0x0, &AUTO="$${image}")\n`;
const MOUNT = mountOf(IMAGE);
const lanes = (text: string) => imported(text, 'syz', options).scenario.tasks;
const O = "r0 = open(&(0x7f0000000000)='./f\\x00', 0x42, 0x1ff)\n";
const M = 'mmap(&(0x7f0000001000/0x1000)=nil, 0x1000, 0x3, 0x11, r0, 0x0)\n';

describe('the syntax', () => {
  const call = (text: string) => readProgram(new Source(text, 'x')).calls.at(-1)!;

  it('has numbers, resources, pointers, data, structs, unions and properties', () => {
    const { name, base, args, async, rerun, result } = call(
      'r1 = a()\nr2 = sys$kind(0x2a, r1/0x2+0x3, &(0x7f0000000040/0x1000)=nil, &AUTO={\'a\\x00\\n\', "0aff"/4, [@u=0x1, @v]}, <r3=>0x0, nil, AUTO) (async, rerun: 3)',
    );
    expect({ name, base, async, rerun, result }).toEqual({
      name: 'sys$kind',
      base: 'sys',
      async: true,
      rerun: 3,
      result: 'r2',
    });
    expect(args.map(({ kind }) => kind)).toEqual([
      'const',
      'resource',
      'pointer',
      'pointer',
      'result',
      'nil',
      'auto',
    ]);
    expect(args[1]).toMatchObject({ name: 'r1', div: 2n, add: 3n });
    expect(args[2]).toMatchObject({ address: 0x7f0000000040n, area: 0x1000n, arg: null });
    const inner = args[3] as unknown as {
      address: null;
      arg: { args: { bytes?: Uint8Array; size?: number; args?: unknown[] }[] };
    };
    expect(inner.address).toBeNull();
    expect([...inner.arg.args[0]!.bytes!]).toEqual([97, 0, 10]);
    expect(inner.arg.args[1]!.size).toBe(4);
    expect(inner.arg.args[2]!.args).toHaveLength(2);
  });

  it('has both forms of the header, ANY blobs, comments, and calls that a mail has broken', () => {
    const { options: old } = readProgram(new Source('# {Threaded:true Procs:6 Sandbox:none}\nsync()', 'x'));
    expect(old).toMatchObject({ threaded: 'true', procs: '6', sandbox: 'none' });
    const { options: json, calls } = readProgram(
      new Source(
        '#{"threaded":true,"procs":5}\n# why\nioctl(0x0,\n  &(0x7f0000000000)=ANY=[@ANYRES64=0x1,\n@ANYBLOB="00ff"], 0x2) # end\n',
        'x',
      ),
    );
    expect(json).toEqual({ threaded: 'true', procs: '5' });
    expect(calls[0]!.comments).toEqual(['why']);
    expect(calls[0]!.args[1]).toMatchObject({ kind: 'pointer', arg: { kind: 'array' } });
  });

  it('is known by its content', () => {
    expect(guessFormat(SENDFILE, 'x')).toBe('syz');
    expect(guessFormat("r0 = creat(&(0x7f0000000040)='./f\\x00', 0x0)\n", 'x')).toBe('syz');
  });
});

describe('calls', () => {
  it('are lines', () => {
    const text = `${O}write(r0, &(0x7f0000000100)="414243", 0x3)
pwrite64(r0, &(0x7f0000000100)='xy', 0x4, 0x10)
lseek(r0, 0x2, 0x0)
write(r0, &AUTO="5a", 0x1)
read(r0, &AUTO=""/8, 0x8)
pread64(r0, &AUTO=""/8, 0x8, 0x1)
ftruncate(r0, 0x64)
fallocate(r0, 0x0, 0x0, 0x10)
fallocate(r0, 0x1, 0x0, 0x10)
fallocate(r0, 0x3, 0x0, 0x10)
fallocate(r0, 0x10, 0x0, 0x10)
fallocate(r0, 0x20, 0x1000, 0x1000)
fallocate(r0, 0x8, 0x1000, 0x1000)
fsync(r0)
fdatasync(r0)
sync()
syncfs(r0)
sync_file_range(r0, 0x0, 0x0, 0x7)
fsetxattr(r0, &AUTO='user.a\\x00', &AUTO='v', 0x1, 0x0)
lremovexattr(&AUTO='./f\\x00', &AUTO='user.a\\x00')
mkdir(&AUTO='./d\\x00', 0x1ed)
link(&AUTO='./f\\x00', &AUTO='./d/g\\x00')
rename(&AUTO='./d/g\\x00', &AUTO='./d/h\\x00')
unlink(&AUTO='./d/h\\x00')
symlink(&AUTO='./f\\x00', &AUTO='./s\\x00')
truncate(&AUTO='./f\\x00', 0x5)
ioctl$FS_IOC_SETFLAGS(r0, 0x40086602, &AUTO=0x4000)
close(r0)
`;
    expect(lanes(text)).toEqual({
      CPU0: [
        'open -f -m 777 /f',
        'pwrite -x 414243 -b 3 0',
        'pwrite -x 78790000 -b 4 16',
        'pwrite -x 5a -b 1 2',
        'pread -b 8 3 8',
        'pread -b 8 1 8',
        'truncate 100',
        'falloc 0 16',
        'falloc -k 0 16',
        'fpunch 0 16',
        'fzero 0 16',
        'finsert 4096 4096',
        'fcollapse 4096 4096',
        'fsync',
        'fdatasync',
        'sync',
        'syncfs',
        'sync_range -b -w -a 0 0',
        'setfattr -n user.a -v 0x76 /f',
        'rmfattr -n user.a /f',
        'mkdir -m 755 /d',
        'ln /f /d/g',
        'mv /d/g /d/h',
        'rm /d/h',
        'ln -s ./f /s',
        'open /f',
        'truncate 5',
        'close',
        'chattr +j',
        'close',
      ],
    });
  });

  it('on two files and two mappings keep them apart', () => {
    const text = `${O}r1 = open(&(0x7f0000000000)='./g\\x00', 0x2, 0x0)
${M}mmap(&(0x7f0000002000/0x2000)=nil, 0x2000, 0x3, 0x11, r1, 0x1000)
fsync(r0)
msync(&(0x7f0000001000/0x1000)=nil, 0x1000, 0x4)
madvise(&(0x7f0000002000/0x1000)=nil, 0x1000, 0x4)
munmap(&(0x7f0000001000/0x1000)=nil, 0x1000)
msync(&(0x7f0000002000/0x2000)=nil, 0x2000, 0x1)
`;
    expect(lanes(text).CPU0).toEqual([
      'open -f -m 777 /f',
      'open /g',
      'file 0',
      'mmap -rw 0 4096',
      'file 1',
      'mmap -rw 4096 8192',
      'file 0',
      'fsync',
      'mapping 0',
      'msync -s 0 4096',
      'mapping 1',
      'madvise -d 4096 4096',
      'mapping 0',
      'munmap',
      'msync 4096 8192',
    ]);
  });

  it('whose arguments or results lie in a mapped file are stores', () => {
    const { scenario, notes } = imported(HIDDEN, 'syz', options);
    expect(scenario.tasks.CPU0).toEqual([
      'open -f -m 777 /file1',
      'pwrite -x 0102030405 -b 5 0',
      'mmap -rw 0 4096',
      'mwrite -x 0000000000000000 0',
      'mwrite -x aabb 4',
      'pwrite -m 4 -b 2 32 2',
      'pread -m 16 -b 16 0 16',
      'mwrite -x 2e2f66696c653200 16',
      'open -f -t -m 666 /file2',
      'file 0',
      'falloc -k 16384 32768',
      'msync -s 0 4096',
      'setfattr -c -n user.syz -v 0x616263 /file1',
      '@fail-alloc 3',
      'fsync',
    ]);
    expect(notes.filter((note) => note.includes('a store to')).length).toBe(3);
    expect(notes.join()).toContain('getpid has nothing to do with the volume');
  });

  it('follow the working directory into the volume', () => {
    const mount = (chdir: string): string =>
      `syz_mount_image$ext4(&AUTO='ext4\\x00', &AUTO='./m\\x00', 0x0, &AUTO, ${chdir}, 0x0, &AUTO="$${IMAGE}")\n`;
    const open = (path: string): string => `open(&AUTO='${path}\\x00', 0x2, 0x0)\n`;
    expect(lanes(`${mount('0x0')}${open('./m/a')}${open('./a')}sync()\n`).CPU0).toEqual(['open /a', 'sync']);
    expect(lanes(`${mount('0x0')}chdir(&AUTO='./m\\x00')\n${open('./a')}`).CPU0).toEqual(['open /a']);
    expect(
      lanes(`${mount('0x1')}mkdir(&AUTO='./d\\x00', 0x1ff)\nchdir(&AUTO='./d\\x00')\n${open('a')}`).CPU0,
    ).toEqual(['mkdir -m 777 /d', 'open /d/a']);
    expect(
      lanes(
        `${mount('0x1')}r0 = open(&AUTO='./d\\x00', 0x10000, 0x0)\nopenat(r0, &AUTO='./a\\x00', 0x0, 0x0)\n`,
      ).CPU0,
    ).toEqual(['open -r -D /d', 'open -r /d/a']);
  });

  it('keep a file open until its last descriptor is closed', () => {
    const text = `${O}r1 = dup(r0)\nclose(r0)\nfsync(r1)\nr2 = open(&AUTO='./g\\x00', 0x2, 0x0)\ndup3(r1, r2, 0x0)\nfdatasync(r2)\nr3 = fcntl$dupfd(r2, 0x0, 0x5)\nclose(r1)\nclose(r2)\nfsync(r3)\nclose(r3)\n`;
    expect(lanes(text).CPU0).toEqual([
      'open -f -m 777 /f',
      'fsync',
      'open /g',
      'close',
      'fdatasync',
      'fsync',
      'close',
    ]);
  });

  it('of other kinds: owners, links, vectors, ranges by ioctl, names that a variant has', () => {
    const text = `${O}fchown(r0, 0x5, 0xffffffffffffffff)
lchown(&AUTO='./f\\x00', 0xffffffffffffffff, 0x6)
mknod(&AUTO='./p\\x00', 0x11ff, 0x0)
mknod$loop(&AUTO='./l\\x00', 0x61a4, 0x701)
mknod(&AUTO='./r\\x00', 0x81a4, 0x0)
symlinkat(&AUTO='./f\\x00', 0xffffffffffffff9c, &AUTO='./s\\x00')
readlink(&AUTO='./s\\x00', &AUTO=""/8, 0x8)
pwritev2(r0, &AUTO=[{&AUTO='ab', 0x2}, {&AUTO="63", 0x1}], 0x2, 0x4, 0x0, 0x2)
preadv(r0, &AUTO=[{&AUTO=""/8, 0x8}, {&AUTO=""/8, 0x8}], 0x2, 0x0, 0x0)
ioctl$FS_IOC_RESVSP(r0, 0x40305828, &AUTO={0x0, 0x0, 0x0, 0x4000})
fallocate(r0, 0x100000010, 0x0, 0x20)
lsetxattr$trusted_overlay_upper(&AUTO='./f\\x00', &AUTO, &AUTO='v', 0x1, 0x0)
stat(&AUTO='./f\\x00', &AUTO)
sendmsg$nl(r0, &AUTO, 0x0)
`;
    const { scenario, notes } = imported(text, 'syz', options);
    expect(scenario.tasks.CPU0).toEqual([
      'open -f -m 777 /f',
      'chown 5 /f',
      'chown :6 /f',
      'mknod -m 777 /p p',
      'mknod -m 644 /l b 7 1',
      'open -f -m 644 /r',
      'close',
      'ln -s ./f /s',
      'readlink /s',
      'pwrite -x 616263 -b 3 -D 4',
      'pread -b 16 0 16',
      'falloc -k 0 16384',
      'fzero 0 32',
      'setfattr -n trusted.overlay.upper -v 0x76 /f',
    ]);
    expect(notes.join()).toContain('sendmsg$nl is given a file, which is no socket');
  });

  it('that read what was opened O_WRONLY fail, and are left out', () => {
    const text =
      "r0 = creat(&AUTO='./f\\x00', 0x1ff)\nr1 = open(&AUTO='./f\\x00', 0x0, 0x0)\nmmap(&(0x7f0000001000/0x1000)=nil, 0x1000, 0x3, 0x11, r0, 0x0)\nsendfile(r0, r0, 0x0, 0x4)\nsendfile(r0, r1, 0x0, 0x4)\n";
    const { scenario, notes } = imported(text, 'syz', options);
    expect(scenario.tasks.CPU0!.map((line) => line.split(' ')[0])).toEqual([
      'open',
      'open',
      'file',
      'copy_range',
    ]);
    expect(notes.join()).toContain('opened O_WRONLY (EACCES)');
    expect(notes.join()).toContain('opened O_WRONLY (EBADF)');
  });

  it('that copy a file into itself are cut to a few rounds', () => {
    const text = `${O}write(r0, &AUTO="aa"/9, 0x9)\nr1 = open(&AUTO='./f\\x00', 0x0, 0x0)\nsendfile(r0, r1, 0x0, 0x80001d00c0d0)\n`;
    expect(lanes(text).CPU0!.at(-1)).toBe('copy_range -s 0 -d 9 -l 288 /f');
  });

  it('mount an image in pieces, as before 2022', () => {
    const image = mkfs({ blockSize: 1024, blocks: 512 });
    const pieces: string[] = [];
    for (let at = 0; at < image.length; at += 1024) {
      const piece = Buffer.from(image.subarray(at, at + 1024));
      if (piece.some((byte) => byte !== 0))
        pieces.push(`{&AUTO="${piece.toString('hex')}", 0x400, 0x${at.toString(16)}}`);
    }
    const mount = `syz_mount_image$ext4(&AUTO='ext4\\x00', &AUTO='./m\\x00', 0x80000, 0x${pieces.length.toString(16)}, &AUTO=[${pieces.join(', ')}], 0x10, &AUTO={[{@noauto_da_alloc}, {@nodelalloc}, {@barrier_val={'barrier', 0x3d, 0x0}}, {@auto_da_alloc}, {@resgid}]})\n`;
    const result = imported(`${mount}creat(&AUTO='./m/a\\x00', 0x1ff)\n`, 'syz', options);
    expect(Buffer.from(result.image!).equals(Buffer.from(image))).toBe(true);
    expect(result.scenario.mounts).toEqual([['nodelalloc', 'nobarrier', 'auto_da_alloc']]);
    expect(result.scenario.tasks).toEqual({ CPU0: ['open -f -t -m 777 -s /a'] });
    const said = explainSyz(mount, 'x', inflate).join('\n');
    expect(said).toContain(`in ${pieces.length} pieces`);
    expect(said).toContain('512 blocks of 1024 bytes');
  });

  it('mount options that are squashed are read as text', () => {
    const text = Buffer.from('data=journal,barrier=0,journal_ioprio=0x2\0').toString('hex');
    const squashed = mountOf(IMAGE, `&AUTO=ANY=[@ANYBLOB="${text}"]`);
    const { scenario, notes } = imported(`${squashed}sync()\n`, 'syz', options);
    expect(explainSyz(squashed, 'x', inflate, 200).join('\n')).toContain(
      'options data_journal nobarrier journal_ioprio=0x2',
    );
    expect(scenario.mounts).toEqual([['data=journal', 'nobarrier']]);
    expect(notes.join()).toContain('mount options journal_ioprio=0x2 are left out');
  });

  it('write squashed values as wide as their names say', () => {
    const text = `${O}write(r0, &AUTO=ANY=[@ANYRES16=0x102, @ANYBLOB="ff", @ANYRES32=0x1, @ANYRESDEC=0x7], 0x1b)\n`;
    const digits = Buffer.from('00000000000000000007').toString('hex');
    expect(lanes(text).CPU0!.at(-1)).toBe(`pwrite -x 0201ff01000000${digits} -b 27 0`);
  });

  it('mount a second volume: its arguments are stores, what is done in it is left out', () => {
    const second = `syz_mount_image$ext4(&(0x7f0000001000)='ext4\\x00', &(0x7f0000001040)='./d\\x00', 0x0, &AUTO, 0x1, 0x0, &AUTO="$${IMAGE}")\n`;
    const { scenario, notes } = imported(
      `${MOUNT}${O}ftruncate(r0, 0x100)\n${M}${second}creat(&AUTO='./x\\x00', 0x0)\nfsync(r0)\n`,
      'syz',
      options,
    );
    expect(scenario.tasks.CPU0!.slice(3)).toEqual([
      'mwrite -x 6578743400 0',
      'mwrite -x 2e2f6400 64',
      'mkdir -m 777 /d',
      'fsync',
    ]);
    expect(notes.join()).toContain('is mounted over /d: what is done in it is left out');
  });

  it('on an image that is only read have a volume of ours with --fresh', () => {
    const program = `${mountOf(READ_ONLY)}creat(&AUTO='./a\\x00', 0x1ff)\n`;
    const result = imported(program, 'syz', { ...options, fresh: true });
    expect(result.image).toBeNull();
    expect(result.scenario.image).toMatchObject({ mkfs: { blockSize: 1024, inodeSize: 256, blocks: 2048 } });
    expect(scenarioOf(result).lanes).toHaveLength(1);
    expect(result.notes.join()).toContain('ea_inode): a volume of ours');
  });

  it('whose image is stood in for find its files', () => {
    const lab = createLab({ image: mkfs({ blockSize: 1024, blocks: 2048 }) });
    lab.fs.mkdirSync('/d');
    lab.fs.writeFileSync('/d/a', new Uint8Array(200).fill(0x41));
    lab.fs.linkSync('/d/a', '/b');
    lab.fs.symlinkSync('/d/a', '/s');
    const { steps, files } = standIn(Image.load(lab.saveImage()), (text) => ({ text, origin: () => 0 }));
    expect(steps.map(({ text }) => text)).toEqual([
      'mkdir -m 755 /d',
      'open -f -m 644 /d/a',
      `pwrite -x ${'41'.repeat(200)} -b 200 0`,
      'close',
      'ln /d/a /b',
      'ln -s /d/a /s',
      'sync',
      '@remount',
    ]);
    expect(files).toContainEqual({ path: '/b', size: 200 });
  });

  it('without MAP_FIXED are mapped elsewhere: no pointer leads there', () => {
    const text = `${O}mmap(&(0x7f0000001000/0x1000)=nil, 0x1000, 0x3, 0x1, r0, 0x0)\npipe(&(0x7f0000001000))\n`;
    expect(lanes(text).CPU0).toEqual(['open -f -m 777 /f', 'mmap -rw 0 4096']);
  });

  it('that are async are lanes of one process, after a setup', () => {
    const result = imported(SENDFILE, 'syz', options);
    const { scenario } = result;
    expect(scenario.setup).toEqual(['open -f -m 0 -L /bus', 'open -f -m 0 -s /bus', 'truncate 50']);
    expect(scenario.tasks).toEqual({
      CPU0: ['open -s /bus', 'mmap -w 0 16384', 'mread 0 1', 'mwrite -x 0000000000000000 64'],
      CPU1: ['open -L /bus', 'copy_range -s 0 -d 0 -l 4 /bus'],
      CPU2: ['open -L /bus', 'copy_range -s 0 -d 4 -l 32 /bus'],
    });
    expect(scenario.threads).toEqual([['CPU0', 'CPU1', 'CPU2']]);
    expect(scenario.mounts).toEqual([['nodelalloc']]);
    expect(result.image).toHaveLength(4096 * 1024);
    expect(scenarioOf(result).lanes).toHaveLength(3);
  });
});

describe('explain', () => {
  const text = explainSyz(HIDDEN, 'x', inflate).join('\n');

  it('says flags by name, what the image is, and the stores that no call shows', () => {
    expect(text).toContain("r0 = openat './file1', O_RDWR|O_CREAT, mode 0777");
    expect(text).toContain('inline_data: yes; journal: none');
    expect(text).toContain('store by the kernel: 8 bytes to r0 at 0, which call 5 mapped');
    expect(text).toContain('store: 2 bytes to r0 at 4');
    expect(text).toContain('FALLOC_FL_KEEP_SIZE');
    expect(text).toContain('[allocation 3 fails]');
    expect(text).not.toContain('eJ');
  });

  it('fits 80 columns, and other widths', () => {
    for (const columns of [40, 80, 120])
      for (const line of explainSyz(SENDFILE, 'x', inflate, columns))
        expect(line.length).toBeLessThanOrEqual(columns);
  });

  it('works where import does not: other file systems, images cut short, no image', async () => {
    const f2fs =
      "syz_mount_image$f2fs(&AUTO='f2fs\\x00', &AUTO='./f\\x00', 0x0, &AUTO={[{@noinline_data}]}, 0x1, 0x0, &AUTO=\"$eJwDAAAAAAE=\")\n";
    expect(complaint(f2fs, 'syz', options)).toContain('only ext4 is emulated');
    expect(explainSyz(f2fs, 'x', inflate).join('\n')).toContain('noinline_data');
    expect(explainSyz(f2fs, 'x', inflate).join('\n')).toContain('too short to hold a superblock');
    const cut = `syz_mount_image$ext4(&AUTO='ext4\\x00', &AUTO='./f\\x00', 0x0, &AUTO, 0x1, 0x0, &AUTO="$${IMAGE.slice(0, 400)}")\n`;
    expect(explainSyz(cut, 'x', inflate).join('\n')).toContain('it is no zlib stream');
    expect(complaint(cut, 'syz', options)).toContain('its image cannot be used');
    const socket =
      'r0 = socket$nl_route(0x10, 0x3, 0x0)\nsendmsg(r0, &(0x7f0000000140)={0x0, 0x0, &(0x7f0000000040)=ANY=[@ANYBLOB="00"], 0x8c}, 0x0)\n';
    expect(explainSyz(socket, 'x').join('\n')).toContain('(socket$nl_route)');
    const { code, out } = await ext4lab('explain', 'fixtures/formats/hidden-stores.syz');
    expect(code).toBe(0);
    expect(out.trimEnd()).toBe(text);
  });

  it('survives damage', () => {
    fc.assert(
      fc.property(damaged([HIDDEN, SENDFILE]), (program) => {
        try {
          explainSyz(program, 'in.syz', inflate);
        } catch (error) {
          if (!(error instanceof ScenarioError)) throw error;
          expect(error.message).toMatch(/^in\.syz:\d+:\d+: /);
        }
      }),
      { numRuns: 150, seed: 6 },
    );
  });
});

const MALFORMED: readonly (readonly [text: string, place: string, words: string])[] = [
  ['', '1:1', 'no call'],
  ['# nothing\n', '1:1', 'no call'],
  ['r0 = \n', '2:1', 'ends where a call should be'],
  ['r0 = 5', '1:6', 'where a call should be'],
  ['x = sync()', '1:1', '"x" is no resource'],
  ['sync', '1:5', 'ends after "sync"'],
  ['sync{}', '1:5', 'unexpected "{" after "sync"'],
  ['sync(', '1:6', 'where an argument should be'],
  ['sync(0x1', '1:5', '( is not closed'],
  ['sync(,)', '1:6', 'where an argument should be'],
  ["creat(&(0x7f0000000000)=3D'./f', 0x0)", '1:25', 'decode its quoted-printable text first'],
  ['sync(0x1 0x2)', '1:10', 'where , or ) should be'],
  ['sync() 5', '1:8', 'after the call'],
  ['sync(0xg)', '1:6', 'not a number'],
  ['sync(0x)', '1:6', 'not a number'],
  ['sync(12ab)', '1:6', 'not a number'],
  ['sync(-1)', '1:6', 'unexpected "-"'],
  ['sync(0x11111111111111111)', '1:6', 'not a number'],
  ['close(r0)', '1:7', 'r0 is used before a call makes it'],
  ['close(rx)', '1:7', 'where a resource should be'],
  ['r0 = a()\nclose(r0/)', '2:10', 'where a divisor should be'],
  ['r0 = a()\nclose(r0+x)', '2:10', 'where an addend should be'],
  ['a(&)', '1:4', 'after &'],
  ['a(&(5)', '1:2', '( is not closed'],
  ['a(&(x))', '1:5', 'where an address should be'],
  ['a(&(0x7f0000000000/))', '1:20', 'where a size should be'],
  ['a(&(0x7f0000000000)', '1:2', '( is not closed'],
  ['a(&(0x7f0000000000)=)', '1:21', 'where an argument should be'],
  ['a(&(0x1-0x2))', '1:4', 'no address'],
  ["a('x)", '1:3', "' is not closed"],
  ["a('x\n')", '1:3', "' is not closed"],
  ["a('\\q')", '1:4', 'unknown escape'],
  ["a('\\x4')", '1:4', 'is no byte'],
  ["a('\u00e9')", '1:4', 'not a printable character'],
  ['a("0g")', '1:5', 'no hex digit'],
  ['a("000")', '1:3', 'odd number of hex digits'],
  ['a("00)', '1:3', '" is not closed'],
  ['a("$eJw!")', '1:8', 'in base64'],
  ['a("$eJwDA")', '1:3', 'base64 that is cut short'],
  ["a('x'/)", '1:7', 'where a size should be'],
  ["a('x'/0x10000000)", '1:7', 'a buffer larger than any here'],
  ['a({0x1)', '1:7', 'where , or } should be'],
  ['a([0x1}', '1:7', 'where , or ] should be'],
  ['a(@)', '1:4', 'where a field should be'],
  ['a(@x=)', '1:6', 'where an argument should be'],
  ['a(<r1)', '1:6', 'where => should be'],
  ['a(<x=>0x0)', '1:4', 'where a resource should be'],
  ['a((0x1, 0x2))', '1:3', 'a number in parentheses is meant'],
  ['a() (bogus)', '1:6', 'unknown property "bogus"'],
  ['a() (fail_nth)', '1:14', 'after fail_nth'],
  ['a() (fail_nth: x)', '1:16', 'where the number of fail_nth should be'],
  ['a() (async', '1:11', 'where , or ) should be'],
  ['executing program 0:\nsync()\nexecuting program 1:\nsync()', '3:1', 'a second program'],
  [`${O}mremap(r0)`, '2:1', 'mremap is not supported'],
  [`${O}fallocate(r0, 0x40, 0x0, 0x1)`, '2:15', 'fallocate with FALLOC_FL_UNSHARE_RANGE'],
  [`${O}ftruncate(r0, 0xffffffffffffffff)`, '2:15', 'too large for ftruncate'],
  [`${O}write(r0, &AUTO="00", 0x100000)`, '2:23', 'a write of 1048576 bytes'],
  [`${O}ftruncate(r0, AUTO)`, '2:15', 'AUTO'],
  [`${O}ftruncate(r0, &AUTO=0x1)`, '2:15', 'is no number'],
  [`${O}mmap(&(0x7f0000001000/0x1000)=nil, 0x1000, 0x3, 0x11, r0, 0x10)`, '2:59', 'mmap at offset 0x10'],
  [
    `${O}${M}munmap(&(0x7f0000001000/0x1000)=nil, 0x800)\nmprotect(&(0x7f0000001000/0x1000)=nil, 0x800, 0x1)`,
    '4:1',
    '',
  ],
  [`r0 = open(&AUTO='./f\\x00', 0x200000, 0x0)`, '1:1', 'O_PATH'],
  [`r0 = open(&AUTO={0x1}, 0x2, 0x0)`, '1:11', 'the path of open is no text'],
  [`${O}sendfile(r0, 0xffffffffffffffff, 0x0, 0x1)`, '2:14', 'from something outside'],
  ["swapon(&AUTO='./f\\x00', 0x0)", '1:1', 'swapon is not supported'],
  [
    `syz_mount_image$ext4(&AUTO='ext4\\x00', &AUTO='./f\\x00', 0x0, &AUTO, 0x1, 0x0, &AUTO="00")`,
    '1:1',
    'brings no image: there is nothing to mount',
  ],
  ["syz_mount_image$ext4(&AUTO='ext4\\x00', &AUTO='./f\\x00')", '1:1', 'with 2 arguments'],
  [
    "syz_mount_image$ext4(&AUTO='ext4\\x00', &AUTO='./f\\x00', 0x100000, 0x19, &AUTO=[], 0x0, &AUTO)",
    '1:1',
    'brings no image',
  ],
  [
    "syz_mount_image$ext4(&AUTO='ext4\\x00', &AUTO='./f\\x00', 0x800, 0x1, &AUTO=[{&AUTO='x', 0x1, 0x400}], 0x0, &AUTO)",
    '1:69',
    'its image cannot be used',
  ],
  [
    "syz_mount_image$f2fs(&AUTO='f2fs\\x00', &AUTO='./f\\x00', 0x0, &AUTO, 0x1, 0x0, &AUTO)\n",
    '1:1',
    'only ext4',
  ],
  [`${O}ioctl$EXT4_IOC_SWAP_BOOT(r0, 0x6611)`, '2:30', 'ioctl EXT4_IOC_SWAP_BOOT is not supported'],
  [`${O}ioctl$FS_IOC_SETFLAGS(r0, 0x40086602, &AUTO=0x10)`, '2:39', 'FS_IOC_SETFLAGS with FS_IMMUTABLE_FL'],
  [`${O}ioctl$FS_IOC_RESVSP(r0, 0x40305828, &AUTO={0x0, 0x2, 0x0, 0x1})`, '2:37', 'without a range'],
  [`${O}pwritev2(r0, &AUTO=[{&AUTO='x', 0x1}], 0x1, 0x0, 0x0, 0x8)`, '2:55', 'pwritev2 with RWF_NOWAIT'],
  [`${O}fcntl$setstatus(r0, 0x4, 0x4000)`, '2:21', 'F_SETFL'],
  [`${O}mknod(&AUTO='./s\\x00', 0xc000, 0x0)`, '2:24', 'mknod with mode 0140000'],
  [
    `${O}${M}mremap(&(0x7f0000001000/0x1000)=nil, 0x1000, 0x2000, 0x1, &(0x7f0000005000/0x2000)=nil)`,
    '3:1',
    'mremap is not supported (it is given 0x7f0000001000, where /f is mapped)',
  ],
];

describe('what is not right', () => {
  it.each(MALFORMED.filter(([, , words]) => words !== ''))('%j', (text, place, words) => {
    const message = complaint(text, 'syz', options);
    expect(message).toContain(words);
    expect(message.startsWith(`${place}: `), message).toBe(true);
  });

  it.each([
    [MOUNT.replace(', 0x0, &AUTO,', ', 0x1, &AUTO,'), '1:1', 'with MS_RDONLY (every write fails with EROFS)'],
    [MOUNT.replace("'ext4", "'ext3"), '1:1', 'the kernel refuses to mount it as ext3 (it has extent'],
    [MOUNT, '1:1', 'the program only mounts it'],
    [`${MOUNT}getpid()`, '2:1', 'no call works on a file of the volume'],
    [
      mountOf(READ_ONLY),
      '1:85',
      'its image is only read here: features that are read, not written: ea_inode (--fresh',
    ],
  ])('of a volume, %#', (text, place, words) => {
    const message = complaint(text, 'syz', options);
    expect(message).toContain(words);
    expect(message.startsWith(`${place}: `), message.slice(0, 200)).toBe(true);
  });

  it(`is ${MALFORMED.length} kinds of it, at least 50`, () => {
    expect(MALFORMED.length).toBeGreaterThanOrEqual(50);
  });

  it('damaged programs are read or complained about', { timeout: 120_000 }, () => {
    survivesDamage(
      [
        HIDDEN.replace(/\$eJ[^"]*/, `$${IMAGE}`),
        `${O}${M}pipe(&(0x7f0000001000))\nfsync(r0) (async)\nclose(r0)\n`,
        SENDFILE,
      ],
      'syz',
      options,
      200,
    );
  });
});
