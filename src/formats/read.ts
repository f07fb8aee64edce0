/** A foreign file as a scenario: what it is, when nobody says, and who reads it. */
import { ScenarioError } from '../scenario/error.ts';
import { type Draft, finish, type Imported, scenarioName } from './draft.ts';
import { FSX_OPS, readFsx } from './fsx.ts';
import { readInode } from './inodeImport.ts';
import { hasXfsIo, readScript } from './script.ts';
import type { Source } from './source.ts';
import { looksLikeSyz, readSyz, type Unpack } from './syz/import.ts';
import { isXfsIoVerb } from './xfsIo.ts';

export const FORMATS = ['xfs_io', 'fsx', 'syz', 'inode'] as const;
export type Format = (typeof FORMATS)[number];

export interface ImportOptions {
  /** Left out: what the name and the content look like. */
  readonly as?: Format;
  /** Of the scenario. Left out: that of the file. */
  readonly name?: string;
  readonly mountPoint?: string;
  /** zlib's inflate, for images in syzkaller programs. */
  readonly unpack?: Unpack;
  /** A volume of ours stands in for the image of a syzkaller program that is only read. */
  readonly fresh?: boolean;
}

export interface ImportResult extends Imported {
  readonly format: Format;
  readonly guessed: boolean;
  /** The image of a program that has one; the scenario's `image.file` is to name it. */
  readonly image: Uint8Array | null;
}

/**
 * @param bytes  the file
 * @param file   its name, for messages
 * @throws       ScenarioError naming line and column
 */
export function importFile(bytes: Uint8Array, file: string, options: ImportOptions = {}): ImportResult {
  const name = options.name ?? scenarioName(file);
  if (options.as === 'inode' || (options.as === undefined && isRawInode(bytes))) {
    const { draft, source, image } = readInode(bytes, file);
    return {
      ...finish(draft, source, name, 'inode'),
      format: 'inode',
      guessed: options.as === undefined,
      image,
    };
  }
  const text = decode(bytes, file);
  const format = options.as ?? guessFormat(text, file);
  const { draft, source, image } = readAs(format, text, file, options);
  return { ...finish(draft, source, name, format), format, guessed: options.as === undefined, image };
}

/** Bytes of an inode's size that are no text. */
const isRawInode = (bytes: Uint8Array): boolean =>
  bytes.includes(0) &&
  bytes.length >= 128 &&
  bytes.length <= 4096 &&
  (bytes.length & (bytes.length - 1)) === 0;

function readAs(
  format: Format,
  text: string,
  file: string,
  { mountPoint, unpack, fresh }: ImportOptions,
): { draft: Draft; source: Source; image: Uint8Array | null } {
  if (format === 'fsx') return { ...readFsx(text, file), image: null };
  if (format === 'syz') return readSyz(text, file, { unpack, fresh });
  return { ...readScript(text, file, mountPoint), image: null };
}

/** @throws ScenarioError where it looks like none */
export function guessFormat(text: string, file: string): Format {
  if (/\.(syz|prog|repro)$/.test(file)) return 'syz';
  if (/\.fsxops$/.test(file)) return 'fsx';
  const first = text.split('\n').find((line) => !/^\s*(#(?!\{)|$)/.test(line)) ?? '';
  if (hasXfsIo(text)) return 'xfs_io';
  if (looksLikeSyz(text)) return 'syz';
  const [word = '', second = '', third = ''] = first.trim().split(/\s+/);
  const op = word === 'skip' ? second : word;
  if ((FSX_OPS as readonly string[]).includes(op) && /^(0x|\d)/.test(word === 'skip' ? third : second))
    return 'fsx';
  if (/^[@a-z]/.test(word) && (isXfsIoVerb(word) || word.startsWith('@'))) return 'xfs_io';
  if (/^\s*\{/.test(first))
    throw new ScenarioError('JSON: a scenario is given to race and run as it is', { file });
  throw new ScenarioError(
    'neither xfs_io lines, nor fsx operations, nor a syzkaller program',
    { file },
    'say which with --as',
  );
}

function decode(bytes: Uint8Array, file: string): string {
  const zero = bytes.indexOf(0);
  if (zero >= 0)
    throw new ScenarioError(
      `byte ${zero} is 0: this is no text`,
      { file },
      'a raw inode is shown by ext4lab inspect --inode',
    );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ScenarioError('this is no UTF-8 text', { file });
  }
}
