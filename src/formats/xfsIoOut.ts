/**
 * A scenario as shell lines with xfs_io, to be run on a real mount. Each lane is a process; lanes beside each other are
 * put into the background, and which of them goes first is then up to the machine. What user space has no command for
 * is refused by lane and line.
 */
import type { Command, Line } from '../scenario/ast.ts';
import { ScenarioError } from '../scenario/error.ts';
import type { MkfsSpec } from '../scenario/image.ts';
import { mountLabel, type Scenario } from '../scenario/schema.ts';

export interface XfsIoOptions {
  /** Where the volume is mounted. */
  readonly mountPoint?: string;
}

/** @throws ScenarioError naming lane and line */
export function xfsIoScript(scenario: Scenario, { mountPoint = '/mnt' }: XfsIoOptions = {}): string {
  const part = (lines: readonly Line[]): string[] => new ProcessWriter(scenario.file, mountPoint, lines).rows;
  const { lanes, setup } = scenario;
  // The remount at the end of a scenario is what fsck and a look at the files are here.
  const after = scenario.after;
  const rows = [`# ${scenario.name}: ${scenario.question}`, `# ${volume(scenario)}`];
  if (setup.length > 0) rows.push(...part(setup));
  if (lanes.length === 1) rows.push(...part(lanes[0]!.lines));
  else {
    rows.push('# Which of these goes first cannot be said from user space.');
    for (const lane of lanes) rows.push(...background(part(lane.lines)));
    rows.push('wait');
  }
  if (after.length > 0) rows.push(...part(after));
  return `${rows.join('\n')}\n`;
}

function background(rows: readonly string[]): string[] {
  return rows.length === 1 ? [`${rows[0]} &`] : ['(', ...rows.map((row) => `  ${row}`), ') &'];
}

function volume({ image, mounts }: Scenario): string {
  const mount = `mount -o ${mountLabel(mounts[0]!)}`;
  if ('file' in image) return `volume: ${image.file}, ${mount}`;
  const { blockSize, inodeSize, features } = image.mkfs as MkfsSpec;
  return `volume: mke2fs -t ext4 -b ${blockSize} -I ${inodeSize} -O ${['inline_data', ...features].join(',')}, ${mount}`;
}

/** Words of the shell that need no open file. */
const SHELL_VERBS = new Set<Command['verb']>([
  ...(['mkdir', 'rmdir', 'rm', 'mv', 'ln', 'readlink', 'mknod', 'chmod', 'chown', 'ls'] as const),
  ...(['setfattr', 'getfattr', 'rmfattr'] as const),
]);

/** What xfs_io 6.1 has on files that are not xfs, in the words of our lines. */
const SAME = new Set<Command['verb']>([
  ...([
    'close',
    'file',
    'munmap',
    'mread',
    'msync',
    'mremap',
    'madvise',
    'truncate',
    'falloc',
    'fpunch',
  ] as const),
  ...([
    'fzero',
    'fcollapse',
    'finsert',
    'sync_range',
    'fsync',
    'fdatasync',
    'sync',
    'syncfs',
    'stat',
  ] as const),
  ...(['fiemap', 'seek', 'utimes', 'pread'] as const),
]);

class ProcessWriter {
  readonly rows: string[] = [];
  private readonly file: string;
  private readonly mountPoint: string;
  private commands: string[] = [];
  private target = '';
  private files = 0;
  private mappings = 0;
  private readonly temporary: string[] = [];

  constructor(file: string, mountPoint: string, lines: readonly Line[]) {
    this.file = file;
    this.mountPoint = mountPoint.replace(/\/+$/, '');
    for (const line of lines) this.next(line);
    this.end();
  }

  private fail(line: Line, problem: string, hint?: string): never {
    throw new ScenarioError(problem, { file: this.file, lane: line.lane, line: line.line, column: 1 }, hint);
  }

  private path(line: Line, path: string, inside: boolean): string {
    const whole = `${this.mountPoint}${path}`;
    if (inside && /[\s'"\\]/.test(whole))
      this.fail(line, `xfs_io takes no path with blanks or quotes: ${whole}`);
    return inside ? whole : shellWord(whole);
  }

  private next(line: Line): void {
    const { command } = line;
    if (SHELL_VERBS.has(command.verb)) {
      this.boundary(line);
      this.rows.push(this.shellLine(line));
      return;
    }
    if (command.verb === '@remount' || command.verb === '@drop_caches') {
      if (command.verb === '@remount') this.end();
      this.boundary(line);
      this.rows.push(
        command.verb === '@remount'
          ? `umount ${shellWord(this.mountPoint)} && mount ${shellWord(this.mountPoint)}`
          : 'echo 3 > /proc/sys/vm/drop_caches',
      );
      return;
    }
    for (const text of this.texts(line)) this.commands.push(text);
    if (command.verb === 'open') this.files++;
    if (command.verb === 'close') this.files--;
    if (command.verb === 'mmap') this.mappings++;
    if (command.verb === 'munmap') this.mappings--;
    if (this.files === 0 && this.mappings === 0) this.end();
  }

  /** A shell command stands between processes. */
  private boundary(line: Line): void {
    if (this.files > 0 || this.mappings > 0)
      this.fail(
        line,
        `${line.command.verb} while the lane has a file open`,
        'xfs_io cannot run it, and would close the file',
      );
    this.end();
  }

  private end(): void {
    if (this.commands.length > 0 || this.target !== '') {
      // What the end of the process does anyway.
      while (/^(close|munmap)$/.test(this.commands.at(-1) ?? '') && this.commands.length > 1)
        this.commands.pop();
      // With -c xfs_io does most commands on every open file.
      const option = this.commands.some((text) => text.startsWith('open ')) ? '-C' : '-c';
      const commands = this.commands.map((text) => ` ${option} ${shellWord(text, true)}`).join('');
      this.rows.push(...this.temporary, `xfs_io${this.target}${commands === '' ? " -c 'file 0'" : commands}`);
    }
    this.temporary.length = 0;
    this.commands = [];
    this.target = '';
    this.files = 0;
    this.mappings = 0;
  }

  /** What a line is in xfs_io: one command, or several stores. */
  private texts(line: Line): string[] {
    const { command, text } = line;
    switch (command.verb) {
      case 'open': {
        if (command.exclusive || command.directory)
          this.fail(line, `xfs_io cannot open with ${command.exclusive ? 'O_EXCL' : 'O_DIRECTORY'}`);
        const letters = [
          ...(command.append ? ['-a'] : []),
          ...(command.direct ? ['-d'] : []),
          ...(command.create ? ['-f'] : []),
          ...(command.readonly ? ['-r'] : []),
          ...(command.sync ? ['-s'] : []),
          ...(command.truncate ? ['-t'] : []),
          ...(command.tmpfile ? ['-T'] : []),
          ...(command.nofollow ? ['-L'] : []),
          ...(command.mode === 0o600 || !command.create
            ? []
            : ['-m', command.mode.toString(8).padStart(4, '0')]),
        ];
        const options = letters.map((letter) => ` ${letter}`).join('');
        if (this.commands.length === 0 && this.target === '') {
          this.target = `${options} ${this.path(line, command.path, false)}`;
          return [];
        }
        return [`open${options} ${this.path(line, command.path, true)}`];
      }
      case 'pwrite':
        if (command.from !== undefined) this.fail(line, 'xfs_io cannot write from a mapping');
        if (command.length === 0) return [`pwrite ${command.offset} 0`];
        return [this.pwrite(command)];
      case 'mwrite':
        return runs(command.data).map(
          ({ byte, from, length }) => `mwrite -S 0x${byte} ${command.offset + from} ${length}`,
        );
      case 'pread':
        if (command.into !== undefined) this.fail(line, 'xfs_io cannot read into a mapping');
        return [text];
      case 'mmap':
        if (!command.shared) this.fail(line, 'xfs_io maps shared only');
        return [text];
      case 'mapping':
        return [`mmap ${command.index}`];
      case 'flink':
        return [`flink ${this.path(line, command.path, true)}`];
      case 'copy_range': {
        const length = command.length === null ? '' : ` -l ${command.length}`;
        const from = command.path === null ? `-f ${command.file}` : this.path(line, command.path, true);
        return [`copy_range -s ${command.from} -d ${command.to}${length} ${from}`];
      }
      default:
        if (SAME.has(command.verb)) return [text];
        return this.fail(line, `xfs_io has nothing for ${command.verb}`, 'ext4lab export --as c may have');
    }
  }

  private pwrite({ offset, length, data, block, dsync }: Extract<Command, { verb: 'pwrite' }>): string {
    const size = block === 4096 ? '' : ` -b ${block}`;
    const sync = dsync ? ' -D' : '';
    const [first, ...others] = runs(data);
    if (others.length === 0) return `pwrite -S 0x${first!.byte}${size}${sync} ${offset} ${length}`;
    const name = `/tmp/ext4lab-data-${data.length / 2}-${checksum(data)}`;
    const escaped = [...data.matchAll(/../g)].map(([byte]) => `\\x${byte}`).join('');
    this.temporary.push(`printf '${escaped}' > ${name}`);
    return `pwrite -i ${name}${size}${sync} ${offset} ${length}`;
  }

  private shellLine(line: Line): string {
    const { command } = line;
    const at = (path: string): string => this.path(line, path, false);
    switch (command.verb) {
      case 'mkdir':
        return `mkdir${command.mode === 0o777 ? '' : ` -m ${command.mode.toString(8)}`} ${at(command.path)}`;
      case 'rmdir':
      case 'rm':
      case 'readlink':
      case 'ls':
        return `${command.verb} ${at(command.path)}`;
      case 'mv':
        if (command.whiteout) this.fail(line, 'mv(1) knows no RENAME_WHITEOUT');
        return `mv${command.noreplace ? ' -n' : ''}${command.exchange ? ' --exchange' : ''} -T ${at(command.from)} ${at(command.to)}`;
      case 'ln':
        return command.symbolic
          ? `ln -s ${shellWord(command.from)} ${at(command.to)}`
          : `ln ${at(command.from)} ${at(command.to)}`;
      case 'mknod': {
        const type = command.mode & 0o170000;
        const device =
          type === 0o010000 ? 'p' : `${type === 0o060000 ? 'b' : 'c'} ${command.major} ${command.minor}`;
        return `mknod -m ${(command.mode & 0o7777).toString(8)} ${at(command.path)} ${device}`;
      }
      case 'chmod':
        return `chmod ${command.mode.toString(8)} ${at(command.path)}`;
      case 'chown':
        return `chown ${command.uid ?? ''}${command.gid === null ? '' : `:${command.gid}`} ${at(command.path)}`;
      case 'setfattr':
        if (command.only !== null) this.fail(line, 'setfattr(1) has neither XATTR_CREATE nor XATTR_REPLACE');
        return `setfattr -n ${shellWord(command.name)} -v 0x${command.value} ${at(command.path)}`;
      case 'getfattr':
        return `getfattr -e hex -n ${shellWord(command.name)} ${at(command.path)}`;
      case 'rmfattr':
        return `setfattr -x ${shellWord(command.name)} ${at(command.path)}`;
      default:
        return this.fail(line, `the shell has nothing for ${command.verb}`);
    }
  }
}

/** Runs of equal bytes in hex text. */
function runs(data: string): { readonly byte: string; readonly from: number; readonly length: number }[] {
  const found: { byte: string; from: number; length: number }[] = [];
  for (let at = 0; at < data.length; at += 2) {
    const byte = data.slice(at, at + 2);
    const last = found.at(-1);
    if (last?.byte === byte) last.length++;
    else found.push({ byte, from: at / 2, length: 1 });
  }
  return found;
}

/** Tells data files apart by name. */
function checksum(text: string): string {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) >>> 0;
  return sum.toString(16);
}

function shellWord(text: string, always = false): string {
  return !always && /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
