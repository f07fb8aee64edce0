/** The library: see `lab/lab.ts`. */

export { Bytes } from './bytes/bytes.ts';
export { DESIGNS, type Design, defineDesign, designById } from './designs/index.ts';
export { ERRNO, type Errno } from './errno.ts';
export { type Reach, reachText } from './explore/explore.ts';
export { INVARIANTS, type Invariant, invariantById } from './invariants/index.ts';
export type { ByteRun, FieldDiff } from './lab/diff.ts';
export { FsError, type FsErrorCode, KernelBug } from './lab/errors.ts';
export type { LabFs, WriteFileOptions } from './lab/fs.ts';
export type { FileHandle, Position, ReadFileOptions, Span, TextOptions } from './lab/handle.ts';
export { type BrokenInvariant, createLab, type FindingView, Lab, type LabOptions } from './lab/lab.ts';
export type { Mapping, MmapOptions, Protection } from './lab/mapping.ts';
export type { FsPromises, PromiseHandle } from './lab/promises.ts';
export type { Lanes, Race, RaceCell, RaceOptions, RaceViolation } from './lab/race.ts';
export type { Stats } from './lab/stats.ts';
export type { BlockView, CoreFields, FolioView, InodeView } from './lab/views.ts';
export type { Splat } from './report/lockdep.ts';
export type { LineResult } from './scenario/ast.ts';
export { ScenarioError } from './scenario/error.ts';
export type { MountOption } from './scenario/image.ts';
export type { FindingId, FindingKind } from './state/findings.ts';
export type { Snapshot } from './state/world.ts';
export { WouldBlock } from './task.ts';
export { type Complaint, checkImage } from './volume/check.ts';
export { BadImage } from './volume/image.ts';
export { type MkfsOptions, mkfs } from './volume/mkfs.ts';
