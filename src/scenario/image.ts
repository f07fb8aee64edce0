/**
 * What a scenario starts from: a volume made fresh (`mkfs`), or one that `mke2fs` made (`file`). Plain JSON; how the
 * parts of a spec fit together is the volume's business, and asked there.
 */
import { z } from 'zod';
import type { Image } from '../volume/image.ts';
import { mkfsImage } from '../volume/mkfs.ts';
import { ScenarioError } from './error.ts';

/** Names as `mke2fs -O` has them, of what `mkfs` can make. A scenario adds to its defaults, or takes away with `^`. */
export const FEATURES = [
  'has_journal',
  'ext_attr',
  'resize_inode',
  'dir_index',
  'sparse_super2',
  'stable_inodes',
  'filetype',
  'extent',
  '64bit',
  'flex_bg',
  'metadata_csum_seed',
  'large_dir',
  'inline_data',
  'sparse_super',
  'large_file',
  'huge_file',
  'uninit_bg',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
  'verity',
] as const;

export type Feature = (typeof FEATURES)[number];
/** `name` switches a feature on, `^name` off. */
export type FeatureSwitch = Feature | `^${Feature}`;

const SWITCHES = [...FEATURES, ...FEATURES.map((name): `^${Feature}` => `^${name}`)] as [
  FeatureSwitch,
  ...FeatureSwitch[],
];

/** Mount options that change what the emulated kernel does. At most one of each row. */
export const MOUNT_OPTIONS = [
  ['delalloc', 'nodelalloc'],
  ['data=ordered', 'data=journal', 'data=writeback'],
  ['dioread_nolock', 'dioread_lock'],
  ['auto_da_alloc', 'noauto_da_alloc'],
  ['barrier', 'nobarrier'],
] as const;

/** An option of mount(8) that the model knows. */
export type MountOption = (typeof MOUNT_OPTIONS)[number][number];

/** One list of mount options, without two of the same kind. Empty means the kernel's defaults (delalloc). */
export const mountSchema = z
  .array(z.enum(MOUNT_OPTIONS.flat() as unknown as [MountOption, ...MountOption[]]))
  .superRefine((options, context) => {
    const complain = (message: string): void => context.addIssue({ code: 'custom', message });
    for (const row of MOUNT_OPTIONS) {
      const chosen = options.filter((option) => (row as readonly string[]).includes(option));
      if (chosen.length > 1) complain(`${chosen.join(' and ')} do not go together`);
    }
    if (options.includes('data=journal') && options.includes('delalloc')) {
      complain('the kernel refuses data=journal with delalloc');
    }
  });

const oneOf = (values: readonly number[]) => z.literal([...values]);

/** Sizes in bytes; `blocks` and `journalBlocks` in blocks. */
export const mkfsSchema = z
  .strictObject({
    blockSize: oneOf([1024, 2048, 4096]).default(4096).describe('Bytes a block.'),
    inodeSize: oneOf([128, 256, 512, 1024, 2048, 4096])
      .default(256)
      .describe('Bytes an inode; decides how much fits inline.'),
    blocks: z.int().min(64).max(4_194_304).default(2048).describe('Blocks of the volume.'),
    inodes: z.int().min(16).max(1_048_576).optional().describe('Inodes of the volume.'),
    features: z
      .array(z.enum(SWITCHES))
      .default([])
      .describe('Added to the defaults, or taken away with ^, as in mke2fs -O.'),
    journalBlocks: z.int().min(1024).max(1_048_576).optional().describe('Blocks of the journal.'),
  })
  .superRefine(({ blockSize, inodeSize, features, journalBlocks }, context) => {
    const complain = (key: string, message: string): void =>
      context.addIssue({ code: 'custom', message, path: [key] });
    if (inodeSize > blockSize)
      complain('inodeSize', `an inode of ${inodeSize} bytes in a block of ${blockSize}`);
    const names = features.map((name) => name.replace('^', ''));
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) complain('features', `${twice} is there twice`);
    if (journalBlocks !== undefined && features.includes('^has_journal')) {
      complain('journalBlocks', 'a journal size without has_journal');
    }
  });

/** A file: relative to the scenario that names it; `.gz` is unpacked. */
export const imageFileSchema = z.strictObject({
  file: z.string().min(1).describe('An image made by mke2fs, relative to this file; .gz is unpacked.'),
});

const imageUnion = z.union([z.strictObject({ mkfs: mkfsSchema }), imageFileSchema]);

/** Typed as `ImageSpec`: zod itself writes `inodes?: number | undefined` where an absent key is meant. */
export const imageSchema = imageUnion as unknown as z.ZodType<ImageSpec, z.input<typeof imageUnion>>;

/** `mkfs` of a scenario file, defaults filled in. What is absent is left to mkfs. */
export interface MkfsSpec {
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly blocks: number;
  readonly inodes?: number;
  readonly features: readonly FeatureSwitch[];
  readonly journalBlocks?: number;
}

export type ImageSpec = { readonly mkfs: MkfsSpec } | { readonly file: string };

/**
 * The volume that a spec asks for.
 * @param file  the scenario, for the message
 * @throws      ScenarioError where the parts of the spec do not fit together
 */
export function makeVolume(spec: MkfsSpec, file?: string): Image {
  try {
    return mkfsImage(spec);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ScenarioError(`image.${error.message}`, { file });
  }
}
