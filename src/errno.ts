/**
 * Errno names, and results as values. A kernel function that may fail returns `Result<T>`: the value, or a
 * `KernelError` carrying the name. Numbers are Linux x86-64; names are what tests and traces print.
 */

export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EBADMSG: 74,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  EUCLEAN: 117,
} as const;

/** Name of an errno. */
export type Errno = keyof typeof ERRNO;

/** A failed result. Frozen and shared, one per errno, so that it may sit in state and compare by identity. */
export interface KernelError {
  readonly errno: Errno;
}

/** A value, or an error of the kernel, which is a value as well. */
export type Result<T> = T | KernelError;

const errors = new Map<Errno, KernelError>();

/** The one `KernelError` of this errno. */
export function err(errno: Errno): KernelError {
  let value = errors.get(errno);
  if (value === undefined && !Object.hasOwn(ERRNO, errno)) throw new RangeError(`there is no errno ${errno}`);
  if (value === undefined) errors.set(errno, (value = Object.freeze({ errno })));
  return value;
}

/** Is this result an error? */
export function isErr(value: unknown): value is KernelError {
  return typeof value === 'object' && value !== null && 'errno' in value;
}
