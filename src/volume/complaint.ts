/**
 * What `check` says: one complaint per thing that is wrong, each naming the structure, the byte in the file, what
 * was expected and what was found.
 *
 * `error`: the volume is inconsistent. `note`: unusual, but something a kernel leaves behind or puts up with.
 */

export type ComplaintCode =
  | 'bad-image'
  | 'backup-superblock'
  | 'block-bitmap'
  | 'block-bitmap-checksum'
  | 'block-bitmap-padding'
  | 'block-claimed-twice'
  | 'block-is-metadata'
  | 'dir-block'
  | 'dir-checksum'
  | 'dir-dot'
  | 'dir-dotdot'
  | 'dir-hole'
  | 'dir-index'
  | 'dir-size'
  | 'dir-two-parents'
  | 'dirent'
  | 'dirent-duplicate'
  | 'dirent-inode'
  | 'dirent-name'
  | 'dirent-type'
  | 'ea-inode'
  | 'extent'
  | 'extra-isize'
  | 'file-acl'
  | 'free-blocks'
  | 'free-inodes'
  | 'fs-state'
  | 'group-flags'
  | 'i-blocks'
  | 'i-size'
  | 'ibody-xattr'
  | 'inline-and-extents'
  | 'inline-no-data'
  | 'inline-size'
  | 'inline-slack'
  | 'inline-without-feature'
  | 'inode-bitmap'
  | 'inode-bitmap-checksum'
  | 'inode-bitmap-padding'
  | 'inode-checksum'
  | 'inode-dtime'
  | 'inode-flags'
  | 'inode-mode'
  | 'itable-unused'
  | 'journal-backup'
  | 'journal-inode'
  | 'journal-superblock'
  | 'links'
  | 'lost-and-found'
  | 'metadata-overlap'
  | 'needs-recovery'
  | 'not-checked'
  | 'orphan'
  | 'orphan-list'
  | 'read-only'
  | 'reserved-inode'
  | 'resize-inode'
  | 'root'
  | 'superblock'
  | 'symlink'
  | 'too-many'
  | 'unknown-feature'
  | 'unreachable'
  | 'unused-field'
  | 'used-dirs'
  | 'xattr-block'
  | 'xattr-order'
  | 'xattr-refcount';

/** One thing that is wrong with a volume, and where. */
export interface Complaint {
  readonly code: ComplaintCode;
  readonly severity: 'error' | 'note';
  /** Such as `superblock`, `group descriptor 0`, `inode 12`, `directory block 132`. */
  readonly structure: string;
  /** Byte in the file. */
  readonly offset: number;
  readonly ino?: number;
  readonly expected?: string;
  readonly found?: string;
  /** One line. */
  readonly message: string;
}

/** What a complaint is about, without its wording. */
export interface Place {
  readonly structure: string;
  readonly offset: number;
  readonly ino?: number | undefined;
}

/** Complaints after which a check ends: a volume this broken needs no longer list. */
export const MAX_COMPLAINTS = 1000;

/** Thrown to leave a check that has complained enough; never leaves `checkImage`. */
export class Enough extends Error {}

/** Collects complaints in the order they are found. */
export class Complaints {
  readonly list: Complaint[] = [];

  error(code: ComplaintCode, place: Place, problem: string, expected?: unknown, found?: unknown): void {
    this.#add('error', code, place, problem, expected, found);
  }

  note(code: ComplaintCode, place: Place, problem: string, expected?: unknown, found?: unknown): void {
    this.#add('note', code, place, problem, expected, found);
  }

  #add(
    severity: Complaint['severity'],
    code: ComplaintCode,
    place: Place,
    problem: string,
    expected: unknown,
    found: unknown,
  ): void {
    const wanted = expected === undefined ? '' : `, expected ${expected}`;
    const got = found === undefined ? '' : `, found ${found}`;
    this.list.push({
      code,
      severity,
      structure: place.structure,
      offset: place.offset,
      ...(place.ino === undefined ? {} : { ino: place.ino }),
      ...(expected === undefined ? {} : { expected: String(expected) }),
      ...(found === undefined ? {} : { found: String(found) }),
      message: `${place.structure}: ${problem}${wanted}${got}`,
    });
    if (this.list.length < MAX_COMPLAINTS) return;
    this.list.push({
      code: 'too-many',
      severity: 'error',
      structure: 'check',
      offset: 0,
      message: `check: stopped after ${MAX_COMPLAINTS} complaints`,
    });
    throw new Enough();
  }
}
