/** Errors in node's own form: numbers, codes, words, fields. */
import { getSystemErrorMap } from 'node:util';
import { describe, expect, it } from 'vitest';
import { defineDesign, mkwriteConvert, noConversion } from '../../src/designs/index.ts';
import { createLab, ERRNO, type Errno, FsError, KernelBug, WouldBlock } from '../../src/index.ts';
import { lock, xattrSem } from '../../src/locks/lock.ts';

const thrown = (body: () => unknown): unknown => {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

describe('FsError', () => {
  const node = getSystemErrorMap();

  it.each(Object.keys(ERRNO) as Errno[])('%s has the number and the words that node has', (code) => {
    const error = new FsError(code, 'open', '/f');
    expect(error.errno).toBe(-ERRNO[code]);
    const known = node.get(error.errno);
    if (known === undefined) {
      expect(['EBADMSG', 'EUCLEAN']).toContain(code);
      return;
    }
    // Linux has one number for two names; node calls it ENOTSUP.
    expect(code === 'EOPNOTSUPP' ? 'ENOTSUP' : code).toBe(known[0]);
    expect(error.message).toBe(`${code}: ${known[1]}, open '/f'`);
  });

  it('has the fields that a node error has, and no others', () => {
    const one = new FsError('ENOENT', 'open', '/f');
    expect({ ...one }).toEqual({ errno: -2, code: 'ENOENT', syscall: 'open', path: '/f' });
    expect(Object.keys(new FsError('EBADF', 'read'))).toEqual(['errno', 'code', 'syscall']);
    const two = new FsError('EXDEV', 'rename', '/a', '/b');
    expect(two.message).toBe("EXDEV: cross-device link not permitted, rename '/a' -> '/b'");
    expect(one).toBeInstanceOf(Error);
    expect(one.name).toBe('Error');
  });

  it('is a signal where the kernel sends one', () => {
    const { errno, code, message } = new FsError('SIGBUS', 'store');
    expect({ errno, code, message }).toEqual({
      errno: 0,
      code: 'SIGBUS',
      message: 'SIGBUS: bus error, store',
    });
  });
});

describe('a BUG_ON', () => {
  const dead = () => {
    const lab = createLab({ design: noConversion });
    lab.fs.writeFileSync('/f', 'x'.repeat(50));
    const before = lab.snapshot();
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 4096 });
    map.store(0, Uint8Array.of(1));
    return { lab, before, map };
  };

  it('is a KernelBug that names the finding, the place and the design', () => {
    const { lab } = dead();
    const bug = thrown(() => lab.writepages('/f')) as KernelBug;
    expect(bug).toBeInstanceOf(KernelBug);
    expect(JSON.parse(JSON.stringify(bug))).toEqual({
      name: 'KernelBug',
      finding: 'writepages-may-inline',
      design: 'no-conversion',
      source: 'fs/ext4/inode.c ext4_do_writepages',
      message:
        'BUG_ON(ext4_test_inode_state(inode, EXT4_STATE_MAY_INLINE_DATA)) at fs/ext4/inode.c ext4_do_writepages, design no-conversion',
    });
  });

  it('halts the machine until restore or crash', () => {
    const { lab, before, map } = dead();
    const bug = thrown(() => lab.writepages('/f'));
    expect(thrown(() => lab.fs.existsSync('/f'))).toBe(bug);
    expect(thrown(() => map.load(0, 1))).toBe(bug);
    expect(thrown(() => lab.snapshot())).toBe(bug);
    expect(lab.folio('/f').dirty).toBe(true);
    expect(lab.check('bug-on')).toHaveLength(1);
    lab.restore(before);
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('x'.repeat(50));
    expect(lab.findings()).toEqual([]);
  });

  it('ends with a reboot: the volume mounts and works', () => {
    const { lab, map } = dead();
    lab.commit();
    expect(() => lab.writepages('/f')).toThrow(KernelBug);
    lab.crash();
    expect(() => map.load(0, 1)).toThrow(/EFAULT/);
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('x'.repeat(50));
    lab.fs.writeFileSync('/g', 'after');
    expect(lab.findings().map(({ id }) => id)).toContain('writepages-may-inline');
  });
});

describe('a call that would wait for ever', () => {
  const twice = defineDesign(mkwriteConvert, {
    ...mkwriteConvert,
    id: 'takes-twice',
    hooks: {
      *preMmap(k, { ino }) {
        yield* lock(k, xattrSem(ino));
        yield* lock(k, xattrSem(ino));
      },
    },
  });

  it('throws, naming what it waits for, and the lab is stuck until restore', () => {
    const lab = createLab({ design: twice });
    const file = lab.fs.openSync('/f', 'w+');
    const before = lab.snapshot();
    const blocked = thrown(() => file.mmapSync({ length: 1 })) as Error;
    expect(blocked).toBeInstanceOf(WouldBlock);
    expect(blocked.message).toBe('this would block: down_write(&ei->xattr_sem)');
    expect(thrown(() => file.statSync())).toBe(blocked);
    lab.restore(before);
    expect(file.statSync().size).toBe(0);
  });
});

describe('arguments', () => {
  it('that node refuses are refused, before anything happens', () => {
    const lab = createLab();
    const before = lab.digest();
    expect(thrown(() => lab.fs.openSync('/f', 'q'))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: "The argument 'flags' is invalid. Received 'q'",
    });
    expect(lab.digest()).toBe(before);
    const file = lab.fs.openSync('/f', 'w+');
    const three = new Uint8Array(3);
    expect(thrown(() => file.writeSync(three, 1, 5))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(thrown(() => file.writeSync(three, 9, 1))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(thrown(() => file.readSync(three, 0, 5, 0))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(thrown(() => file.readSync(three, 0, 1, -7))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
  });

  it('of createLab are checked by name', () => {
    expect(() => createLab({ design: 'nope' })).toThrow(/no design 'nope': there are .*mkwrite-convert/);
    expect(() => createLab({ mkfs: {}, image: new Uint8Array(1) })).toThrow(/not from both/);
    expect(() => createLab({ mount: ['delalloc', 'nodelalloc'] })).toThrow(/do not go together/);
    expect(() => createLab({ image: new Uint8Array(4096) })).toThrow(/superblock/);
    expect(() => createLab({ mkfs: { inodeSize: 300 } })).toThrow(RangeError);
    expect(() => createLab().check('nope')).toThrow(/no invariant 'nope'/);
  });
});
