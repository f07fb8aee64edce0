/**
 * The emulator in the place of the kernel: runs lines one after another and looks at the same things at the same
 * moments as the kernel's recorder does, so that the two can be compared field by field.
 */
import type { Bytes } from '../bytes/bytes.ts';
import type { Design } from '../designs/design.ts';
import { readMedium } from '../device/medium.ts';
import { isErr } from '../errno.ts';
import { inodeLayout, isDir, isReg, RESERVED_INO } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import type { FileView, Line, LineResult } from '../scenario/ast.ts';
import type { MountOption } from '../scenario/image.ts';
import { laneTask } from '../scenario/program.ts';
import { type Session, startSession } from '../scenario/session.ts';
import { Machine } from '../sched/machine.ts';
import type { LineOutcome } from '../state/effects.ts';
import { isAclIndex } from '../vfs/acl.ts';
import { remount } from '../vfs/mount.ts';
import { igetInode } from '../vfs/namei.ts';
import { peekBlock, peekBytes, peekDirectory, peekFile, peekLink, peekLookup, peekRaw } from '../vfs/peek.ts';
import { unmountedImage } from '../vfs/unmounted.ts';
import { checkImage } from '../volume/check.ts';
import { inodeLocation } from '../volume/geometry.ts';
import type { Image } from '../volume/image.ts';
import { aclForUser } from '../xattr/acl.ts';
import { xattrBlockEntries, xattrBlockValue } from '../xattr/block.ts';
import { hasIbody, ibodyEntries, ibodyValue } from '../xattr/ibody.ts';
import { listedXattrName } from '../xattr/names.ts';
import type { DirView, FileState, FinalState, Run, RunStep } from './recording.ts';

/** What is run: lines of one or more lanes, in the order they are carried out. */
export interface LinearRun {
  readonly image: Image;
  readonly mount: readonly MountOption[];
  readonly design: Design;
  readonly lines: readonly Line[];
}

/** @throws ScenarioError for what the emulator does not model */
export function runLinear({ image, mount, design, lines }: LinearRun): Run {
  const session = startSession({ setup: [], lanes: [], after: [], freeBlocks: null }, image, design, mount);
  const { k } = session;
  const lanes = [...new Set(lines.map((line) => line.lane))];
  let last: { text: string; outcome: LineOutcome } | null = null;
  k.sink.listen = (effect) => {
    if (effect.type === 'result') last = { text: effect.text, outcome: effect.result };
  };
  const specs = lanes.map((lane, task) =>
    laneTask(
      lane,
      lines.filter((line) => line.lane === lane),
      task,
    ),
  );
  const machine = new Machine(k, specs);
  const steps: RunStep[] = [];
  const known = new Set<string>();
  const exit = (task: number): void => {
    while (machine.runnable().includes(task)) machine.resume(task);
  };
  for (const [at, line] of lines.entries()) {
    for (const path of pathsOf(line)) known.add(path);
    // The process of a lane that has no line left is gone before another one goes on.
    const before = lines[at - 1]?.lane ?? line.lane;
    if (!lines.slice(at).some(({ lane }) => lane === before)) exit(lanes.indexOf(before));
    last = null;
    const task = lanes.indexOf(line.lane);
    while (last === null && machine.runnable().includes(task)) machine.resume(task);
    if (last === null) throw new Error(`${line.lane} line ${line.line}: ${line.text} did not come back`);
    const { text, outcome } = last as { text: string; outcome: LineOutcome };
    steps.push({
      lane: line.lane,
      line: text,
      result: { line: text, ...outcome } as LineResult,
      files: look(k, known),
    });
  }
  for (const task of lanes.keys()) exit(task);
  k.sink.listen = null;
  return { steps, final: finalState(session, steps) };
}

/** The paths that a line makes known: all it names but what `ls` lists and what a new symlink says. */
function pathsOf({ command }: Line): string[] {
  if (command.verb === 'ls' || command.verb === 'readlink') return [];
  if (command.verb === 'ln' && command.symbolic) return [command.to];
  return Object.entries(command).flatMap(([key, value]) =>
    (key === 'path' || key === 'from' || key === 'to') && typeof value === 'string'
      ? [value.replace(/\/+$/, '')]
      : [],
  );
}

/** Everything known that exists, as GETFLAGS, stat, cachestat and the block device would show it. */
function look(k: Kernel, known: ReadonlySet<string>): Record<string, FileState> {
  const out: Record<string, FileState> = {};
  for (const path of [...known].sort()) {
    const ino = peekLookup(k, path);
    if (ino === undefined || ino === RESERVED_INO.root || isErr(igetInode(k, ino))) continue;
    const { size, blocks, inline } = peekFile(k, ino);
    const dirtyPages = k.folioIndexes(ino).filter((index) => k.folio(ino, index).tagDirty).length;
    out[path] = { ino, size, blocks, inline, dirtyPages, raw: peekRaw(k, ino).toHex() };
  }
  return out;
}

/** Unmounts, looks at the medium, mounts, reads everything. */
function finalState(session: Session, steps: readonly RunStep[]): FinalState {
  const { k } = session;
  const machine = new Machine(k, [
    {
      name: 'umount',
      mm: 0,
      last: false,
      *program(task) {
        yield* remount(task);
      },
    },
  ]);
  while (machine.runnable().length > 0) machine.resume(0);
  const inodes: Record<string, string> = {};
  for (const ino of new Set(steps.flatMap((step) => Object.values(step.files).map((file) => file.ino)))) {
    const { block, offset } = inodeLocation(k.geo, ino);
    inodes[ino] = readMedium(k, block)
      .slice(offset, offset + k.geo.inodeSize)
      .toHex();
  }
  const view: View = { files: {}, dirs: {}, symlinks: {}, links: {}, xattrs: {} };
  visit(k, RESERVED_INO.root, '/', view);
  const fsck = objections(session);
  return { ...view, inodes, ...(fsck.length === 0 ? {} : { fsck }) };
}

/** What our check says of the unmounted volume, without the values. */
function objections({ k, image }: Session): string[] {
  return checkImage(unmountedImage(k, image))
    .filter(({ severity }) => severity === 'error')
    .map(({ structure, code }) => `${structure}: ${code}`);
}

/** What a walk through the volume collects. */
interface View {
  readonly files: Record<string, FileView>;
  readonly dirs: Record<string, DirView>;
  readonly symlinks: Record<string, string>;
  readonly links: Record<string, number>;
  readonly xattrs: Record<string, Record<string, string>>;
}

/** One inode and, when it is a directory, all below it. The root's lost+found is left out. */
function visit(k: Kernel, ino: number, path: string, view: View): void {
  if (isErr(igetInode(k, ino))) return;
  const target = peekLink(k, ino);
  if (target !== null) {
    view.symlinks[path] = target;
    return;
  }
  const { size, blocks, inline } = peekFile(k, ino);
  const sight = { ino, size, blocks, inline };
  view.links[path] = k.inode(ino).nlink;
  const { mode } = k.inode(ino);
  const seen = isReg(mode) || isDir(mode) ? xattrsOf(k, ino) : {};
  const listed = Object.entries(seen).filter(([name]) => !name.startsWith('security.'));
  if (listed.length > 0) view.xattrs[path] = Object.fromEntries(listed);
  if (!isDir(mode)) {
    if (isReg(mode)) view.files[path] = { ...sight, content: peekBytes(k, ino, 0, size).toHex() };
    return;
  }
  const entries = peekDirectory(k, ino).filter(([name]) => path !== '/' || name !== 'lost+found');
  view.dirs[path] = { ...sight, names: entries.map(([name]) => name) };
  for (const [name, child] of entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    visit(k, child, path === '/' ? `/${name}` : `${path}/${name}`, view);
  }
}

/** Every xattr of an inode by its full name; hex values. */
export function xattrsOf(k: Kernel, ino: number): Record<string, string> {
  const raw = peekRaw(k, ino);
  const out: Record<string, string> = {};
  const add = (index: number, name: string, value: Bytes): void => {
    const full = listedXattrName(index, name);
    if (full !== undefined) out[full] = (isAclIndex(index) ? aclForUser(value) : value).toHex();
  };
  if (hasIbody(raw, k.geo.inodeSize)) {
    for (const entry of ibodyEntries(raw)) add(entry.nameIndex, entry.name, ibodyValue(raw, entry));
  }
  const acl = inodeLayout.get(raw, 'fileAclLo');
  if (acl !== 0) {
    const block = peekBlock(k, acl);
    for (const entry of xattrBlockEntries(block))
      add(entry.nameIndex, entry.name, xattrBlockValue(block, entry));
  }
  return out;
}
