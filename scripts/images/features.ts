/** Volumes of mke2fs, one for each feature that ext4lab writes, reads or refuses. */

export interface FeatureVolume {
  readonly name: string;
  /** Arguments of mke2fs; the size comes last. */
  readonly args: readonly string[];
}

const ext4 = (name: string, features: string, size = '24M', ...more: string[]): FeatureVolume => ({
  name,
  args: [
    '-t',
    'ext4',
    '-b',
    '1024',
    '-O',
    features === '' ? 'inline_data' : `inline_data,${features}`,
    ...more,
    size,
  ],
});

/** Written: a script runs on them. */
export const WRITTEN: readonly FeatureVolume[] = [
  ext4('defaults of 1k', ''),
  { name: 'defaults of 4k', args: ['-t', 'ext4', '-b', '4096', '-O', 'inline_data', '16M'] },
  ext4('inodes of 512', '', '24M', '-I', '512'),
  ext4('sparse_super2', 'sparse_super2,^resize_inode', '40M'),
  ext4('copies everywhere', '^sparse_super,^resize_inode', '40M'),
  ext4('meta_bg', 'meta_bg,^resize_inode', '72M'),
  ext4('descriptors of 32', '^64bit'),
  ext4('no flex_bg', '^flex_bg', '40M'),
  ext4('uninit_bg', '^metadata_csum,uninit_bg', '40M'),
  ext4('no checksums', '^metadata_csum,^uninit_bg', '40M'),
  ext4('metadata_csum_seed', 'metadata_csum_seed'),
  ext4('no journal', '^has_journal'),
  ext4('orphan_file', 'orphan_file'),
  ext4('large_dir', 'large_dir'),
  ext4('stable_inodes', 'stable_inodes'),
  ext4('verity', 'verity'),
  ext4('no dir_index', '^dir_index'),
  ext4('no filetype', '^filetype'),
  ext4('no huge_file', '^huge_file,^dir_nlink,^large_file'),
  ext4('many uninitialised groups', '', '60M', '-E', 'lazy_itable_init=1', '-g', '2048'),
  { name: 'inodes of 128', args: ['-t', 'ext4', '-b', '1024', '-I', '128', '16M'] },
];

/** Read only: what is missing is said. */
export const READ: readonly (FeatureVolume & { readonly reason: string })[] = [
  { ...ext4('no extent', '^extent,^64bit'), reason: 'no extent feature' },
  { name: 'ext3', args: ['-t', 'ext3', '-b', '1024', '16M'], reason: 'no extent feature' },
  { name: 'ext2', args: ['-t', 'ext2', '-b', '1024', '16M'], reason: 'no extent feature' },
  { ...ext4('ea_inode', 'ea_inode'), reason: 'ea_inode' },
  { ...ext4('mmp', 'mmp'), reason: 'mmp' },
  { ...ext4('casefold', 'casefold'), reason: 'casefold' },
  { ...ext4('encrypt', 'encrypt'), reason: 'encrypt' },
  { ...ext4('quota', 'quota'), reason: 'quota' },
  { ...ext4('project', 'quota,project'), reason: 'quota project' },
  { ...ext4('fast_commit', 'fast_commit'), reason: 'fast_commit' },
  {
    name: 'bigalloc',
    args: ['-t', 'ext4', '-b', '1024', '-O', 'inline_data,bigalloc', '64M'],
    reason: 'bigalloc',
  },
];
