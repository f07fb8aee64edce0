import { expect, test } from 'vitest';
import { isErr } from '../../src/errno.ts';
import {
  fromByteString,
  listedXattrName,
  resolveXattrName,
  toByteString,
  xattrLabel,
} from '../../src/xattr/names.ts';

/** What setxattr(2), getxattr(2) and removexattr(2) answered on 6.18.44, for root, on a regular file. */
const answers: [string, string][] = [
  ['user.a', '1:a'],
  ['user.ü', '1:Ã¼'],
  ['trusted.t', '4:t'],
  ['security.s', '6:s'],
  ['gnu.x', '10:x'],
  ['user.', 'EINVAL'],
  ['trusted.', 'EINVAL'],
  ['security.', 'EINVAL'],
  ['gnu.', 'EINVAL'],
  ['user', 'EOPNOTSUPP'],
  ['User.a', 'EOPNOTSUPP'],
  ['foo', 'EOPNOTSUPP'],
  ['foo.bar', 'EOPNOTSUPP'],
  ['system.data', 'EOPNOTSUPP'],
  ['system.foo', 'EOPNOTSUPP'],
  ['system.', 'EOPNOTSUPP'],
  ['system.richacl', 'EOPNOTSUPP'],
  ['system.posix_acl_accessx', 'EOPNOTSUPP'],
  ['system.posix_acl_access', '2:'],
  ['system.posix_acl_default', '3:'],
  ['', 'ERANGE'],
  [`user.${'a'.repeat(250)}`, `1:${'a'.repeat(250)}`],
  [`user.${'a'.repeat(251)}`, 'ERANGE'],
  [`user.${'ü'.repeat(126)}`, 'ERANGE'],
];

test.each(answers)('%s', (text, answer) => {
  const name = resolveXattrName(text);
  expect(isErr(name) ? name.errno : `${name.nameIndex}:${name.name}`).toBe(answer);
});

test('what resolves is listed under the same name', () => {
  for (const [text] of answers) {
    const name = resolveXattrName(text);
    if (!isErr(name)) expect(listedXattrName(name.nameIndex, name.name)).toBe(text);
  }
});

test('system.data is never listed, but has a label', () => {
  expect(listedXattrName(7, 'data')).toBeUndefined();
  expect(xattrLabel(7, 'data')).toBe('system.data');
  expect([xattrLabel(1, 'a'), xattrLabel(5, 'lov'), xattrLabel(8, ''), xattrLabel(9, 'c')]).toEqual([
    'user.a',
    'lustre.lov',
    'system.richacl',
    '9:c',
  ]);
});

test('byte strings round-trip', () => {
  for (const text of ['', 'a', 'ü', '漢字', '🐧']) expect(fromByteString(toByteString(text))).toBe(text);
});
