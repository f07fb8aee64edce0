/**
 * The emulator in the place of the kernel: runs lines one after another and looks at the same things at the same
 * moments as the kernel's recorder does, so that the two can be compared field by field.
 */
import type { Bytes } from '../bytes/bytes.ts';
import type { Design } from '../designs/design.ts';
import { readMedium } from '../device/medium.ts';
import { isErr } from '../errno.ts';
import { inodeLayout, RESERVED_INO } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import type { FileView, Line, LineResult } from '../scenario/ast.ts';
import type { MountOption } from '../scenario/image.ts';
import { checkModelled, laneTask } from '../scenario/program.ts';
import { type Session, startSession } from '../scenario/session.ts';
import { Machine } from '../sched/machine.ts';
import type { LineOutcome } from '../state/effects.ts';
import { remount } from '../vfs/mount.ts';
import { igetInode, listNames } from '../vfs/namei.ts';
import { peekBlock, peekBytes, peekFile, peekRaw, peekRoot } from '../vfs/peek.ts';
import { inodeLocation } from '../volume/geometry.ts';
import type { Image } from '../volume/image.ts';
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
  checkModelled(lines);
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
  for (const line of lines) {
    for (const path of pathsOf(line)) known.add(path);
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
  for (const [task] of lanes.entries()) while (machine.runnable().includes(task)) machine.resume(task);
  k.sink.listen = null;
  return { steps, final: finalState(session, steps) };
}

function pathsOf({ command }: Line): string[] {
  return Object.entries(command).flatMap(([key, value]) =>
    (key === 'path' || key === 'from' || key === 'to') && typeof value === 'string' ? [value] : [],
  );
}

/** Every known file that exists, as GETFLAGS, stat, cachestat and the block device would show it. */
function look(k: Kernel, known: ReadonlySet<string>): Record<string, FileState> {
  const names = peekRoot(k);
  const out: Record<string, FileState> = {};
  for (const path of [...known].sort()) {
    const ino = names.get(path.slice(1));
    if (ino === undefined || isErr(igetInode(k, ino))) continue;
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
  const files: Record<string, FileView> = {};
  const links: Record<string, number> = {};
  const xattrs: Record<string, Record<string, string>> = {};
  igetInode(k, RESERVED_INO.root);
  links['/'] = k.inode(RESERVED_INO.root).nlink;
  for (const [name, ino] of peekRoot(k)) {
    const path = `/${name}`;
    if (isErr(igetInode(k, ino))) continue;
    const { size, blocks, inline } = peekFile(k, ino);
    files[path] = { ino, size, blocks, inline, content: peekBytes(k, ino, 0, size).toHex() };
    links[path] = k.inode(ino).nlink;
    const found = xattrsOf(k, ino);
    if (Object.keys(found).length > 0) xattrs[path] = found;
  }
  const root = peekFile(k, RESERVED_INO.root);
  const names = listNames(k, RESERVED_INO.root);
  const dirs: Record<string, DirView> = {
    '/': {
      ino: root.ino,
      size: root.size,
      blocks: root.blocks,
      inline: root.inline,
      names: isErr(names) ? [] : names.filter((name) => name !== 'lost+found'),
    },
  };
  return { files, inodes, dirs, symlinks: {}, links, xattrs };
}

/** Every xattr of an inode by its full name; hex values. */
export function xattrsOf(k: Kernel, ino: number): Record<string, string> {
  const raw = peekRaw(k, ino);
  const out: Record<string, string> = {};
  const add = (index: number, name: string, value: Bytes): void => {
    const full = listedXattrName(index, name);
    if (full !== undefined) out[full] = value.toHex();
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
