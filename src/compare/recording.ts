/**
 * Recordings: what a real kernel answered to a scenario, line by line, and how a run differs from it.
 *
 * In memory every step has every known file; on disk a step has the files that changed since the step before
 * (`null`: its name is gone), long hex is written with its repetitions short (hexRuns.ts), and raw inodes are masked
 * (rawInode.ts), so that recording again changes nothing in a diff unless the kernel did something else.
 *
 * Between a line and the look at it, I/O that was started has ended. `dirtyPages` counts pages with the DIRTY *tag*,
 * as cachestat(2) does. `final` is what is durable: everything closed, unmounted, mounted again, then read. Its
 * `inodes` are those of the medium before that second mount, deleted ones included.
 *
 * Not verified: times, generation, checksums, i_version, physical block numbers; whether a file's blocks are
 * contiguous; content of xattr blocks and of directories beyond what a read of them shows.
 */
import { z } from 'zod';
import { Bytes } from '../bytes/bytes.ts';
import type { FileView, LineResult } from '../scenario/ast.ts';
import { type ImageSpec, imageSchema, type MountOption, mountSchema } from '../scenario/image.ts';
import { PACKED_HEX, packHex, unpackHex } from './hexRuns.ts';
import { BlockNames, compareInodes, maskInode } from './rawInode.ts';

export const RECORDING_VERSION = 1;
/** The lane of a step that names none. */
export const DEFAULT_LANE = 'CPU0';

/** A known file after a line. */
export interface FileState {
  readonly ino: number;
  readonly size: number;
  /** 512-byte units, as st_blocks. */
  readonly blocks: number;
  /** EXT4_INLINE_DATA_FL as GETFLAGS shows it. */
  readonly inline: boolean;
  /** Pages of its mapping with the DIRTY tag; 0 for what is not a regular file. */
  readonly dirtyPages: number;
  /** Hex: the s_inode_size bytes of the live inode, from the block device's page cache. */
  readonly raw: string;
}

export interface RunStep {
  readonly lane: string;
  readonly line: string;
  readonly result: LineResult;
  /** Every known file, by path: those that a line up to here named, while they exist. */
  readonly files: Readonly<Record<string, FileState>>;
}

export interface DirView {
  readonly ino: number;
  readonly size: number;
  readonly blocks: number;
  readonly inline: boolean;
  /** In the order readdir gives them; without `.`, `..` and the root's lost+found. */
  readonly names: readonly string[];
}

export interface FinalState {
  readonly files: Readonly<Record<string, FileView>>;
  /** Hex, by inode number: every inode that a step showed, as it is on the medium. */
  readonly inodes: Readonly<Record<string, string>>;
  readonly dirs?: Readonly<Record<string, DirView>>;
  /** Target by path. */
  readonly symlinks?: Readonly<Record<string, string>>;
  /** st_nlink by path, of files and directories. */
  readonly links?: Readonly<Record<string, number>>;
  /** Value (hex) by name by path; `security.*` left out. */
  readonly xattrs?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What e2fsck, or our check, objects to. In a recording: then nothing was mounted again, and only `inodes` are there. */
  readonly fsck?: readonly string[] | undefined;
}

/** What a machine, real or emulated, made of a recording's lines. */
export interface Run {
  readonly steps: readonly RunStep[];
  readonly final: FinalState;
}

export interface Recording extends Run {
  readonly recordingVersion: typeof RECORDING_VERSION;
  /** `6.18`: no patch level, no local suffix. */
  readonly kernel: string;
  readonly name: string;
  readonly question?: string | undefined;
  /** A file is relative to the recording. */
  readonly image: ImageSpec;
  readonly mount: readonly MountOption[];
  readonly final: Required<Omit<FinalState, 'fsck'>> & Pick<FinalState, 'fsck'>;
}

// --- on disk ---------------------------------------------------------------------------------------------------------

const count = z.int().nonnegative();
const packed = z.string().regex(PACKED_HEX, 'hex, with repetitions as in 00*4096');
const path = z.string().startsWith('/');

const fileStateSchema = z.strictObject({
  ino: count,
  size: count,
  blocks: count,
  inline: z.boolean(),
  dirtyPages: count,
  raw: packed,
});

const resultSchema = z
  .strictObject({
    // Of a directory SEEK_HOLE gives 2^63 − 1.
    ret: z.number().optional(),
    errno: z.string().optional(),
    data: packed.optional(),
    stat: z.strictObject({ size: count, blocks: count, nlink: count, mode: count }).optional(),
    extents: z.array(z.strictObject({ logical: count, length: count, flags: count })).optional(),
    names: z.array(z.string()).optional(),
  })
  .refine((r) => (r.ret === undefined) !== (r.errno === undefined), 'either ret or errno');

const stepSchema = z.strictObject({
  lane: z.string().optional(),
  line: z.string(),
  result: resultSchema,
  files: z.record(path, fileStateSchema.nullable()).optional(),
});

const viewShape = { ino: count, size: count, blocks: count, inline: z.boolean() };

const recordingSchema = z.strictObject({
  $schema: z.string().optional(),
  recordingVersion: z.literal(RECORDING_VERSION),
  kernel: z.string().regex(/^\d+\.\d+$/),
  name: z.string().min(1),
  question: z.string().optional(),
  image: imageSchema,
  mount: mountSchema,
  steps: z.array(stepSchema),
  final: z.strictObject({
    files: z.record(path, z.strictObject({ ...viewShape, content: packed })),
    dirs: z.record(path, z.strictObject({ ...viewShape, names: z.array(z.string()) })),
    symlinks: z.record(path, z.string()),
    links: z.record(path, count),
    xattrs: z.record(path, z.record(z.string(), packed)),
    inodes: z.record(z.string().regex(/^\d+$/), packed),
    fsck: z.array(z.string()).min(1).optional(),
  }),
});

type RecordingFile = z.infer<typeof recordingSchema>;
type StepFile = z.infer<typeof stepSchema>;

/** Text or parsed JSON that is no recording. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

/**
 * @param text  JSON
 * @param file  for messages
 * @throws      RecordingError naming the file and the place
 */
export function readRecording(text: string, file: string): Recording {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (problem) {
    throw new RecordingError(`${file}: not JSON: ${(problem as Error).message}`);
  }
  const parsed = recordingSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const place = issue.path.map(String).join('.');
    throw new RecordingError(`${file}: ${place === '' ? '' : `${place}: `}${issue.message}`);
  }
  return unfold(parsed.data);
}

function unfold(file: RecordingFile): Recording {
  const known: Record<string, FileState> = {};
  const steps = file.steps.map((step): RunStep => {
    for (const [name, state] of Object.entries(step.files ?? {})) {
      if (state === null) delete known[name];
      else known[name] = { ...state, raw: unpackHex(state.raw) };
    }
    const { data, ...rest } = step.result;
    const result = {
      line: step.line,
      ...rest,
      ...(data === undefined ? {} : { data: unpackHex(data) }),
    } as LineResult;
    return { lane: step.lane ?? DEFAULT_LANE, line: step.line, result, files: sorted(known) };
  });
  const { files, xattrs, inodes, ...rest } = file.final;
  return {
    recordingVersion: file.recordingVersion,
    kernel: file.kernel,
    name: file.name,
    question: file.question,
    image: file.image,
    mount: file.mount,
    steps,
    final: {
      ...rest,
      files: mapValues(files, (view) => ({ ...view, content: unpackHex(view.content) })),
      xattrs: mapValues(xattrs, (values) => mapValues(values, unpackHex)),
      inodes: mapValues(inodes, unpackHex),
    },
  };
}

/** The text of a recording file: one line per result and per changed file, sorted, ending in a newline. */
export function writeRecording(recording: Recording): string {
  let before: Readonly<Record<string, FileState>> = {};
  const steps = recording.steps.map((step): StepFile => {
    const changed: Record<string, FileState | null> = {};
    for (const name of Object.keys({ ...before, ...step.files }).sort()) {
      const [old, now] = [before[name], step.files[name]];
      if (now === undefined) changed[name] = null;
      else if (old === undefined || JSON.stringify(old) !== JSON.stringify(now)) {
        changed[name] = { ...now, raw: packHex(now.raw) };
      }
    }
    before = step.files;
    const { line, data, extents, names, ...rest } = step.result;
    return {
      ...(step.lane === DEFAULT_LANE ? {} : { lane: step.lane }),
      line,
      result: {
        ...rest,
        ...(data === undefined ? {} : { data: packHex(data) }),
        ...(extents === undefined ? {} : { extents: [...extents] }),
        ...(names === undefined ? {} : { names: [...names] }),
      },
      ...(Object.keys(changed).length === 0 ? {} : { files: changed }),
    };
  });
  const { files, dirs, symlinks, links, xattrs, inodes, fsck } = recording.final;
  const file: Record<string, unknown> = {
    recordingVersion: recording.recordingVersion,
    kernel: recording.kernel,
    name: recording.name,
    ...(recording.question === undefined ? {} : { question: recording.question }),
    image: recording.image,
    mount: recording.mount,
    steps,
    final: {
      files: mapValues(sorted(files), (view) => ({ ...view, content: packHex(view.content) })),
      dirs: sorted(dirs),
      symlinks: sorted(symlinks),
      links: sorted(links),
      xattrs: mapValues(sorted(xattrs), (values) => mapValues(sorted(values), packHex)),
      inodes: mapValues(inodes, packHex),
      ...(fsck === undefined ? {} : { fsck: [...fsck] }),
    },
  };
  return `${layOut(file, '')}\n`;
}

/** JSON on one line where that fits, a state of one file even where it does not quite; else one member a line. */
function layOut(value: unknown, indent: string): string {
  const flat = JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return flat;
  const isLeaf = Object.values(value).every((member) => typeof member !== 'object');
  if (flat.length + indent.length <= (isLeaf ? 400 : 110)) return flat;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((item) => inner + layOut(item, inner)).join(',\n')}\n${indent}]`;
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{\n${members
    .map(([key, member]) => `${inner}${JSON.stringify(key)}: ${layOut(member, inner)}`)
    .join(',\n')}\n${indent}}`;
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/** The run with raw inodes masked and blocks renamed in order of appearance: what a recording keeps. */
export function maskRun<R extends Run>(run: R): R {
  const names = new BlockNames();
  const mask = (raw: string): string => maskInode(Bytes.fromHex(raw), names).toHex();
  return {
    ...run,
    steps: run.steps.map((step) => ({
      ...step,
      files: mapValues(sorted(step.files), (state) => ({ ...state, raw: mask(state.raw) })),
    })),
    final: { ...run.final, inodes: mapValues(run.final.inodes, mask) },
  };
}

// --- comparing -------------------------------------------------------------------------------------------------------

/** One thing on which a run and a recording disagree. */
export interface Difference {
  /** Index of the step, from 0; `final` for what is on the medium at the end. */
  readonly step: number | 'final';
  /** The line of the step. */
  readonly line?: string;
  /** The file or directory it is about. */
  readonly path?: string;
  /** `errno`, `size`, `content[60]`, `raw.7:data.valueOffs`, … */
  readonly field: string;
  readonly expected: string;
  readonly actual: string;
}

/**
 * Where a run disagrees with what the kernel did, in order; empty when it does the same. `dirs`, `symlinks`, `links`
 * and `xattrs` of the final state are compared when the run has them.
 */
export function compareWithRecording(recording: Run, run: Run): Difference[] {
  const differences: Difference[] = [];
  const steps = Math.min(recording.steps.length, run.steps.length);
  for (let step = 0; step < steps; step++) {
    const [want, got] = [recording.steps[step]!, run.steps[step]!];
    const at = { step, line: want.line };
    const report = (found: readonly Found[]): void => {
      for (const each of found) differences.push({ ...at, ...each });
    };
    report(compareValues({ line: want.line, lane: want.lane }, { line: got.line, lane: got.lane }));
    report(compareResults(want.result, got.result));
    report(compareMaps(want.files, got.files, compareStates));
  }
  if (recording.steps.length !== run.steps.length) {
    differences.push({
      step: steps,
      field: 'number of lines',
      expected: String(recording.steps.length),
      actual: String(run.steps.length),
    });
  }
  for (const found of compareFinal(recording.final, run.final)) differences.push({ step: 'final', ...found });
  return differences;
}

/** One difference on one line: where, which field, what the kernel has and what the run has. */
export function formatDifference(difference: Difference): string {
  return formatBetween(difference, 'kernel', 'run');
}

/** `formatDifference` with other names for the two sides. */
export function formatBetween(difference: Difference, one: string, other: string): string {
  const { step, line, path: file, field, expected, actual } = difference;
  const place = step === 'final' ? 'at the end' : `line ${step + 1}${line === undefined ? '' : ` (${line})`}`;
  return `${place}: ${file === undefined ? '' : `${file} `}${field}: ${one} ${expected}, ${other} ${actual}`;
}

type Found = Omit<Difference, 'step' | 'line'>;

/** What e2fsck says, in the words of our check where there are such. */
function objection(line: string): string {
  const checksum = /^Inode (\d+) passes checks, but checksum does not match inode\./.exec(line);
  return checksum === null ? line : `inode ${checksum[1]}: inode-checksum`;
}

function compareFinal(want: FinalState, got: FinalState): Found[] {
  const inodes = compareMaps(want.inodes, got.inodes, (a, b) => compareRaw(a, b)).map((each) => ({
    ...each,
    path: `<${each.path}>`,
  }));
  if (want.fsck !== undefined) {
    const [asked, ours] = [want.fsck, got.fsck ?? []].map((lines) => lines.map(objection).sort().join('; '));
    return [...compareValues({ fsck: asked }, { fsck: ours }), ...inodes];
  }
  const found = [...compareMaps(want.files, got.files, compareViews), ...inodes];
  const both = <T>(a: T | undefined, b: T | undefined, compare: (a: T, b: T) => Found[]): void => {
    if (a !== undefined && b !== undefined) found.push(...compare(a, b));
  };
  both(want.dirs, got.dirs, (a, b) => compareMaps(a, b, compareDirs));
  both(want.symlinks, got.symlinks, (a, b) =>
    compareMaps(a, b, (x, y) => compareValues({ target: x }, { target: y })),
  );
  both(want.links, got.links, (a, b) =>
    compareMaps(a, b, (x, y) => compareValues({ links: x }, { links: y })),
  );
  both(want.xattrs, got.xattrs, (a, b) => compareMaps(a, b, compareXattrs));
  return found;
}

/** Per key: `compare` where both have it, else that it is there or not. */
function compareMaps<T>(
  want: Readonly<Record<string, T>>,
  got: Readonly<Record<string, T>>,
  compare: (want: T, got: T) => readonly Found[],
): Found[] {
  const found: Found[] = [];
  for (const key of Object.keys({ ...want, ...got }).sort()) {
    const [a, b] = [want[key], got[key]];
    if (a === undefined || b === undefined) {
      found.push({
        path: key,
        field: 'there',
        expected: a === undefined ? 'no' : 'yes',
        actual: b === undefined ? 'no' : 'yes',
      });
    } else for (const each of compare(a, b)) found.push({ path: key, ...each });
  }
  return found;
}

function compareResults(want: LineResult, got: LineResult): Found[] {
  const found = compareValues({ ret: want.ret, errno: want.errno }, { ret: got.ret, errno: got.errno });
  found.push(...compareHex('data', want.data, got.data));
  const blank = { size: undefined, blocks: undefined, nlink: undefined, mode: undefined };
  for (const each of compareValues(want.stat ?? blank, got.stat ?? blank)) {
    found.push({ ...each, field: `stat.${each.field}` });
  }
  found.push(...compareValues({ extents: extentRows(want) }, { extents: extentRows(got) }));
  found.push(...compareValues({ names: want.names?.join(' ') }, { names: got.names?.join(' ') }));
  return found;
}

const FIEMAP_EXTENT_LAST = 1;

/** Rows that touch and carry the same flags count as one: where blocks lie is the allocator's business. */
function extentRows(result: LineResult): string | undefined {
  const rows: { logical: number; length: number; flags: number }[] = [];
  for (const row of result.extents ?? []) {
    const last = rows.at(-1);
    const alike =
      last !== undefined &&
      last.logical + last.length === row.logical &&
      last.flags === (row.flags & ~FIEMAP_EXTENT_LAST);
    if (alike) {
      rows[rows.length - 1] = { ...last, length: last.length + row.length, flags: row.flags };
    } else rows.push({ ...row });
  }
  if (result.extents === undefined) return undefined;
  return rows.map((r) => `${r.logical}+${r.length} 0x${r.flags.toString(16)}`).join(', ') || 'none';
}

function compareStates(want: FileState, got: FileState): Found[] {
  const { raw: wantRaw, ...wantRest } = want;
  const { raw: gotRaw, ...gotRest } = got;
  return [...compareValues(wantRest, gotRest), ...compareRaw(wantRaw, gotRaw)];
}

function compareRaw(want: string, got: string): Found[] {
  if (want === got) return [];
  return compareInodes(Bytes.fromHex(want), Bytes.fromHex(got)).map(({ field, ...rest }) => ({
    field: `raw.${field}`,
    ...rest,
  }));
}

function compareViews(want: FileView, got: FileView): Found[] {
  const { content: wantContent, ...wantRest } = want;
  const { content: gotContent, ...gotRest } = got;
  return [...compareValues(wantRest, gotRest), ...compareHex('content', wantContent, gotContent)];
}

function compareDirs(want: DirView, got: DirView): Found[] {
  return compareValues({ ...want, names: want.names.join(' ') }, { ...got, names: got.names.join(' ') });
}

function compareXattrs(
  want: Readonly<Record<string, string>>,
  got: Readonly<Record<string, string>>,
): Found[] {
  return Object.keys({ ...want, ...got })
    .sort()
    .flatMap((name) => compareHex(name, want[name], got[name]));
}

/** Fields of two flat records, in the order of the first. */
function compareValues<T extends object>(want: T, got: T): Found[] {
  const found: Found[] = [];
  for (const key of Object.keys(want) as (keyof T & string)[]) {
    const [a, b] = [want[key], got[key]];
    if (a !== b) found.push({ field: key, expected: text(a), actual: text(b) });
  }
  return found;
}

const text = (value: unknown): string =>
  value === undefined ? '(nothing)' : typeof value === 'string' ? JSON.stringify(value) : String(value);

/** Hex values: the first byte that differs, with what follows. */
function compareHex(field: string, want: string | undefined, got: string | undefined): Found[] {
  if (want === got) return [];
  if (want === undefined || got === undefined) {
    const short = (hex: string | undefined): string =>
      hex === undefined ? '(nothing)' : packHex(hex.slice(0, 64)) || '(empty)';
    return [{ field, expected: short(want), actual: short(got) }];
  }
  let at = 0;
  while (want.slice(at, at + 2) === got.slice(at, at + 2)) at += 2;
  const part = (hex: string): string => {
    const bytes = packHex(hex.slice(at, at + 32));
    return `${bytes === '' ? '(end)' : bytes}${hex.length > at + 32 ? ' …' : ''}`;
  };
  return [{ field: `${field}[${at / 2}]`, expected: part(want), actual: part(got) }];
}
