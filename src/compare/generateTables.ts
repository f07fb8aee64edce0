/** What random scripts are drawn from: how often each kind of line comes up, and values for it. */

/** Kinds of lines, and how often each comes up where no theme says otherwise. */
export const WEIGHTS = {
  write: 24,
  read: 7,
  truncate: 10,
  store: 9,
  load: 4,
  msync: 3,
  protect: 1,
  unmap: 2,
  xattr: 8,
  sync: 6,
  space: 5,
  shift: 1,
  ask: 4,
  switch: 4,
  open: 4,
  close: 3,
  actor: 6,
  remount: 3,
  remove: 2,
  rename: 2,
  link: 2,
  symlink: 1,
  directory: 2,
  list: 2,
  attributes: 2,
  special: 1,
  burst: 1,
  resize: 1,
  advise: 1,
  range: 2,
  copy: 2,
};
export type Kind = keyof typeof WEIGHTS;

export const THEMES: readonly Partial<Record<Kind, number>>[] = [
  {},
  {},
  { write: 40, truncate: 20, actor: 12, ask: 10 },
  { store: 30, load: 10, msync: 8, protect: 5, unmap: 5, truncate: 15 },
  { attributes: 20, xattr: 20, special: 5, remount: 6, remove: 4 },
  { xattr: 60, remount: 6, actor: 8, remove: 4 },
  { directory: 14, remove: 12, rename: 14, link: 8, symlink: 6, list: 6, burst: 8, write: 6, open: 10 },
  { space: 25, shift: 10, ask: 10, read: 12, truncate: 14 },
  { remove: 8, open: 12, close: 10, switch: 10, rename: 6, link: 6, remount: 6 },
];

export const MODES = ['0644', '0600', '0777', '0', '4755', '2711', '1777'];
/** Devices that nobody has: a script may open what it finds. A pipe would make it wait. */
export const DEVICES = ['b 60 1', 'c 60 300', 'b 60 70000'];
/** As setxattr takes them: the three of a mode; one with a named user, one with two named groups, a mask in each. */
export const ACLS = ['', '02000600e8030000', '08000500e803000008000400e9030000'].map((named) => {
  const mask = named === '' ? '' : '10000600ffffffff';
  return `0x0200000001000600ffffffff${named.startsWith('02') ? named : ''}04000400ffffffff${
    named.startsWith('08') ? named : ''
  }${mask}20000400ffffffff`;
});
