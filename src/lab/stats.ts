/**
 * The answer of stat(2), in the shape of node's `Stats`. Times are in milliseconds; the lab's clock stands still, so
 * that nothing depends on when a program was run.
 */
import { isDir, isLnk, isReg } from '../inode/layout.ts';
import type { RawStat } from './ops.ts';

/** What stat(2) answers, in the shape of node's `Stats`. */
export class Stats {
  readonly dev = 0;
  readonly rdev = 0;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly blksize: number;
  /** Units of 512 bytes: allocated, promised by delayed allocation, and inline bytes rounded up. */
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;

  constructor(raw: RawStat, blockSize: number) {
    this.ino = raw.ino;
    this.mode = raw.mode;
    this.nlink = raw.nlink;
    this.uid = raw.uid;
    this.gid = raw.gid;
    this.size = raw.size;
    this.blksize = blockSize;
    this.blocks = raw.blocks;
    this.atimeMs = raw.atime * 1000;
    this.mtimeMs = raw.mtime * 1000;
    this.ctimeMs = raw.ctime * 1000;
    this.birthtimeMs = raw.crtime * 1000;
  }

  isFile(): boolean {
    return isReg(this.mode);
  }
  isDirectory(): boolean {
    return isDir(this.mode);
  }
  isSymbolicLink(): boolean {
    return isLnk(this.mode);
  }
}
