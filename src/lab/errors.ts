/**
 * What the library throws. The kernel's errors are values; here they become what a program expects of a file system:
 * `FsError` with the fields and the message that node:fs gives. What is not an errno has a type of its own:
 * `KernelBug` for a BUG_ON, `WouldBlock` (task.ts) for a call that waits for something that never comes.
 */
import { ERRNO, type Errno } from '../errno.ts';
import { FINDINGS, type FindingId } from '../state/findings.ts';

/**
 * What node says of an errno: libuv's words. libuv has none for EBADMSG and EUCLEAN: those are the C library's, in
 * lower case as the others are.
 */
const WORDS: Readonly<Record<Errno, string>> = {
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  EIO: 'i/o error',
  E2BIG: 'argument list too long',
  ENXIO: 'no such device or address',
  EBADF: 'bad file descriptor',
  EAGAIN: 'resource temporarily unavailable',
  ENOMEM: 'not enough memory',
  EACCES: 'permission denied',
  EFAULT: 'bad address in system call argument',
  EBUSY: 'resource busy or locked',
  EEXIST: 'file already exists',
  EXDEV: 'cross-device link not permitted',
  ENODEV: 'no such device',
  ENOTDIR: 'not a directory',
  EISDIR: 'illegal operation on a directory',
  EINVAL: 'invalid argument',
  EMFILE: 'too many open files',
  ETXTBSY: 'text file is busy',
  EFBIG: 'file too large',
  ENOSPC: 'no space left on device',
  EROFS: 'read-only file system',
  EMLINK: 'too many links',
  ERANGE: 'result too large',
  ENAMETOOLONG: 'name too long',
  ENOSYS: 'function not implemented',
  ENOTEMPTY: 'directory not empty',
  ELOOP: 'too many symbolic links encountered',
  ENODATA: 'no data available',
  EBADMSG: 'bad message',
  EOVERFLOW: 'value too large for defined data type',
  EOPNOTSUPP: 'operation not supported on socket',
  EUCLEAN: 'structure needs cleaning',
};

/** Signals that a load or a store gets instead of an errno. */
const SIGNALS = { SIGBUS: 'bus error', SIGSEGV: 'segmentation fault' } as const;

/** An errno, or the signal that a fault raised. */
export type FsErrorCode = Errno | keyof typeof SIGNALS;

/** `ENOENT: no such file or directory, open '/nope'`: fields and message as node:fs has them. */
export class FsError extends Error {
  /** Negative, as in node; 0 for a signal, which has no errno. */
  readonly errno: number;
  readonly code: FsErrorCode;
  /** The call that failed: `open`, `write`, `load`. */
  readonly syscall: string;
  /** Only there when the call had one. */
  declare readonly path?: string;
  /** Only there when the call had two. */
  declare readonly dest?: string;

  constructor(code: FsErrorCode, syscall: string, path?: string, dest?: string) {
    const words = code in SIGNALS ? SIGNALS[code as keyof typeof SIGNALS] : WORDS[code as Errno];
    const about = path === undefined ? '' : ` '${path}'`;
    const to = dest === undefined ? '' : ` -> '${dest}'`;
    super(`${code}: ${words}, ${syscall}${about}${to}`);
    this.errno = code in SIGNALS ? 0 : -ERRNO[code as Errno];
    this.code = code;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
    if (dest !== undefined) this.dest = dest;
  }
}

/**
 * A BUG_ON fired: the machine is halted, and every later call throws the same error, until `restore` goes back to a
 * state before it or `crash` starts the machine again.
 */
export class KernelBug extends Error {
  override readonly name = 'KernelBug';
  readonly finding: FindingId;
  /** Id of the design it happened under. */
  readonly design: string;
  /** File and function in the kernel. */
  readonly source: string;

  constructor(finding: FindingId, design: string) {
    const { message, source } = FINDINGS[finding];
    super(`${message} at ${source}, design ${design}`);
    this.finding = finding;
    this.design = design;
    this.source = source;
  }

  toJSON(): { name: string; finding: FindingId; design: string; message: string; source: string } {
    const { name, finding, design, message, source } = this;
    return { name, finding, design, message, source };
  }
}

/** An argument that node:fs would refuse too: a mistake of the calling program, not of the file system. */
export function badArgument(name: string, problem: string, received: unknown): TypeError {
  const shown = typeof received === 'string' ? `'${received}'` : String(received);
  return Object.assign(new TypeError(`The argument '${name}' ${problem}. Received ${shown}`), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
}

/** A number outside what is possible. */
export function outOfRange(name: string, range: string, received: unknown): RangeError {
  return Object.assign(
    new RangeError(
      `The value of "${name}" is out of range. It must be ${range}. Received ${String(received)}`,
    ),
    { code: 'ERR_OUT_OF_RANGE' },
  );
}
