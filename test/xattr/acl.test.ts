import { describe, expect, it } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr } from '../../src/errno.ts';
import {
  type Acl,
  aclAfterChmod,
  aclForUser,
  aclFromDisk,
  aclFromXattr,
  aclOfNew,
  aclToDisk,
  aclToXattr,
  isValidAcl,
  modeOfAcl,
} from '../../src/xattr/acl.ts';

// Text in the short form of getfacl(1): "u::rw-,u:1000:rw-,g::r--,m::rw-,o::r--".
const TAGS: Record<string, [bare: number, named: number]> = {
  u: [1, 2],
  g: [4, 8],
  m: [16, 16],
  o: [32, 32],
};
const acl = (text: string): Acl =>
  text.split(',').map((part) => {
    const [kind = '', id = '', perms = ''] = part.split(':');
    const perm = [...perms].reduce((bits, letter, i) => bits | (letter === '-' ? 0 : 4 >> i), 0);
    return { tag: TAGS[kind]![id === '' ? 0 : 1]!, perm, id: id === '' ? 0xffff_ffff : Number(id) };
  });

const NAMED = acl('u::rwx,u:1000:rw-,g::r-x,g:70000:r--,m::rwx,o::---');
const PLAIN = acl('u::rw-,g::r--,o::---');

describe('Are both forms of an ACL the same ACL?', () => {
  it.each([{ each: NAMED }, { each: PLAIN }])('$each', ({ each }) => {
    expect(aclFromXattr(aclToXattr(each))).toEqual(each);
    expect(aclFromDisk(aclToDisk(each))).toEqual(each);
    expect(aclForUser(aclToDisk(each)).equals(aclToXattr(each))).toBe(true);
    expect(isValidAcl(each)).toBe(true);
  });

  it('stores no id where the tag needs none', () => {
    expect(aclToXattr(NAMED).length).toBe(4 + 6 * 8);
    expect(aclToDisk(NAMED).length).toBe(4 + 4 * 4 + 2 * 8);
    expect(aclToDisk(PLAIN).toHex()).toBe('01000000010006000400040020000000');
  });
});

describe('What is refused?', () => {
  it.each([
    ['u::rw-,g::r--', 'OTHER is missing'],
    ['u::rw-,g::r--,g:5:r--,o::---', 'a named entry needs a MASK'],
    ['g::r--,u::rw-,o::---', 'the order'],
    ['u::rw-,u::rw-,g::r--,o::---', 'an entry twice'],
    ['u::rw-,u:4294967295:rw-,g::r--,m::rwx,o::---', 'an id that is none'],
  ])('%s: %s', (text) => expect(isValidAcl(acl(text))).toBe(false));

  it.each([
    ['0200', 'EINVAL'],
    ['01000000', 'EOPNOTSUPP'],
    ['0200000001000600', 'EINVAL'],
    ['020000000300060000000000', 'EINVAL'],
  ])('the value %s: %s', (hex, errno) => expect(aclFromXattr(Bytes.fromHex(hex))).toEqual({ errno }));

  it.each(['02000000', '0100000001', '010000000300060000000000', '01000000020006000000'])(
    '%s on disk',
    (hex) => {
      const bad = aclFromDisk(Bytes.fromHex(hex));
      expect(isErr(bad)).toBe(true);
      expect(aclForUser(Bytes.fromHex(hex)).toHex()).toBe(hex);
    },
  );
});

describe('How do an ACL and a mode follow each other?', () => {
  it('the mask stands for the group in a mode', () => {
    expect(modeOfAcl(NAMED, 0o104000)).toEqual({ mode: 0o104770, equivalent: false });
    expect(modeOfAcl(PLAIN, 0o100777)).toEqual({ mode: 0o100640, equivalent: true });
  });

  it('chmod changes the mask where there is one, else the group', () => {
    expect(aclAfterChmod(NAMED, 0o615)).toEqual(acl('u::rw-,u:1000:rw-,g::r-x,g:70000:r--,m::--x,o::r-x'));
    expect(aclAfterChmod(PLAIN, 0o615)).toEqual(acl('u::rw-,g::--x,o::r-x'));
  });

  it('a new inode gets what both grant', () => {
    expect(aclOfNew(NAMED, 0o100666)).toEqual({
      mode: 0o100660,
      access: acl('u::rw-,u:1000:rw-,g::r-x,g:70000:r--,m::rw-,o::---'),
    });
    expect(aclOfNew(PLAIN, 0o100604)).toEqual({ mode: 0o100600, access: null });
  });
});
