/**
 * What a run answers, as the output of an xfstest: the lines that xfs_io 6.1 prints for each command, after
 * `_filter_xfs_io` has taken the times out. The same scenario, exported and run on a real mount, prints the same, so that
 * `diff` is all it takes.
 *
 * Printed are the lanes and what comes after; the setup's answers belong to nobody. Commands whose output depends on the
 * machine (stat, fiemap) are refused.
 */
import type { Command, LineResult } from '../scenario/ast.ts';
import { ScenarioError } from '../scenario/error.ts';
import type { Scenario } from '../scenario/schema.ts';

const FILTERED = 'XXX Bytes, X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)';

/**
 * @param tasks  lane to what its lines answered, as a run gives it
 * @throws       ScenarioError naming the line whose output no golden file can have
 */
export function goldenOutput(
  scenario: Scenario,
  tasks: Readonly<Record<string, readonly LineResult[]>>,
): string {
  const rows = [`QA output created by ${scenario.name}`];
  const parts = [
    ...scenario.lanes,
    ...(scenario.after.length > 0 ? [{ name: 'after', lines: scenario.after }] : []),
  ];
  for (const { name, lines } of parts) {
    if (parts.length > 1) rows.push(`== ${name}`);
    const results = tasks[name] ?? [];
    for (const [index, line] of lines.entries()) {
      const result = results[index];
      // A lane that did not get this far.
      if (result === undefined) break;
      if (line.command.verb === 'stat' || line.command.verb === 'fiemap') {
        throw new ScenarioError(
          `what ${line.command.verb} prints is not the same on two machines`,
          { file: scenario.file, lane: line.lane, line: line.line, column: 1 },
          'leave it out of a golden file',
        );
      }
      rows.push(...printed(line.command, line.text, result));
    }
  }
  return `${rows.join('\n')}\n`;
}

function printed(command: Command, text: string, { ret, errno, data }: LineResult): string[] {
  if (errno === 'SIGBUS') return ['Bus error'];
  if (errno === 'SIGSEGV') return ['Segmentation fault'];
  if (command.verb === 'seek') {
    const found =
      errno === 'ENXIO' ? 'EOF' : errno === undefined ? `${ret}` : `ERR ${STRERROR[errno] ?? errno}`;
    return ['Whence\tResult', `${command.whence === 'data' ? 'DATA' : 'HOLE'}\t${found}`];
  }
  if (errno !== undefined) return [`${callOf(command)}: ${STRERROR[errno] ?? errno}`];
  const verbose = /(^|\s)-\w*v/.test(text);
  switch (command.verb) {
    case 'pwrite':
      return [`wrote ${ret}/${command.length} bytes at offset ${command.offset}`, FILTERED];
    case 'pread':
      return [
        ...(verbose ? dump(data ?? '', command.offset) : []),
        `read ${ret}/${command.length} bytes at offset ${command.offset}`,
        FILTERED,
      ];
    case 'mread':
      return verbose ? dump(data ?? '', command.offset) : [];
    default:
      return [];
  }
}

/** Who perror(3) names. */
function callOf(command: Command): string {
  switch (command.verb) {
    case 'open':
      return command.path;
    case 'falloc':
    case 'fpunch':
    case 'fzero':
    case 'fcollapse':
    case 'finsert':
      return 'fallocate';
    case 'truncate':
      return 'ftruncate';
    case 'sync_range':
      return 'sync_file_range';
    default:
      return command.verb;
  }
}

/** xfs_io's rows of sixteen bytes. */
function dump(hex: string, offset: number): string[] {
  const rows: string[] = [];
  for (let at = 0; at < hex.length; at += 32) {
    const bytes = hex.slice(at, at + 32).match(/../g)!;
    const text = bytes
      .map((byte) => Number.parseInt(byte, 16))
      .map((byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('');
    rows.push(`${(offset + at / 2).toString(16).padStart(8, '0')}:  ${bytes.join(' ')}  ${text}`);
  }
  return rows;
}

/** strerror(3) of the errors that a line can answer. */
const STRERROR: Readonly<Record<string, string>> = {
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  EIO: 'Input/output error',
  ENXIO: 'No such device or address',
  E2BIG: 'Argument list too long',
  EBADF: 'Bad file descriptor',
  EAGAIN: 'Resource temporarily unavailable',
  ENOMEM: 'Cannot allocate memory',
  EACCES: 'Permission denied',
  EFAULT: 'Bad address',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  ENODEV: 'No such device',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  EINVAL: 'Invalid argument',
  ETXTBSY: 'Text file busy',
  EFBIG: 'File too large',
  ENOSPC: 'No space left on device',
  EROFS: 'Read-only file system',
  EMLINK: 'Too many links',
  ERANGE: 'Numerical result out of range',
  ENAMETOOLONG: 'File name too long',
  ENOTEMPTY: 'Directory not empty',
  ELOOP: 'Too many levels of symbolic links',
  ENODATA: 'No data available',
  EOVERFLOW: 'Value too large for defined data type',
  EOPNOTSUPP: 'Operation not supported',
  EUCLEAN: 'Structure needs cleaning',
};
