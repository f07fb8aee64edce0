/**
 * Images for recordings, made by mke2fs so that both machines start from the same bytes. Everything that mke2fs would
 * draw or look up (uuid, hash seed, time) is fixed: the same spec gives the same image.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ImageSpec, MkfsSpec } from '../../scenario/image.ts';
import { UsageError } from '../errors.ts';

const UUID = '00112233-4455-6677-8899-aabbccddeeff';
/** Seconds since 1970: when every image was made. */
const MADE_AT = 1_700_000_000;

/** A volume as mke2fs makes it: any feature it knows, whether our own mkfs can make it or not. */
export interface Mke2fsSpec extends Omit<MkfsSpec, 'features'> {
  readonly features: readonly string[];
  /** Left out: as many as a bitmap block has bits. */
  readonly blocksPerGroup?: number;
}

const image = (blockSize: number, inodeSize: number, ...features: string[]): Mke2fsSpec => ({
  blockSize,
  inodeSize,
  blocks: blockSize === 4096 ? 2048 : 4096,
  inodes: 128,
  features,
});
/** Small groups, so that a volume has several. */
const grouped = (blocksPerGroup: number, spec: Mke2fsSpec): Mke2fsSpec => ({ ...spec, blocksPerGroup });

/** The images under fixtures/images, by file name without `.img.gz`. */
export const FIXTURE_IMAGES: Readonly<Record<string, Mke2fsSpec>> = {
  '4k-256-journal': image(4096, 256),
  '4k-256-nojournal': image(4096, 256, '^has_journal'),
  '1k-256-journal': image(1024, 256),
  '1k-256-nojournal': image(1024, 256, '^has_journal'),
  '4k-512-journal': image(4096, 512),
  // Sizes of inode and block.
  '4k-128-journal': image(4096, 128, '^extra_isize'),
  '1k-128-nojournal': image(1024, 128, '^has_journal'),
  '1k-512-nojournal': image(1024, 512, '^has_journal'),
  '1k-1024-journal': image(1024, 1024),
  '2k-256-journal': image(2048, 256),
  '2k-2048-nojournal': image(2048, 2048, '^has_journal'),
  '4k-1024-journal': image(4096, 1024),
  '4k-4096-nojournal': image(4096, 4096, '^has_journal'),
  // Features: checksums none, of the group descriptors only, seeded by a field; groups loose, in flex groups, uneven.
  '4k-256-plain': image(4096, 256, '^metadata_csum', '^64bit', '^flex_bg', '^resize_inode'),
  '1k-256-gdt-csum': grouped(1024, image(1024, 256, '^metadata_csum', 'uninit_bg', '^64bit')),
  '4k-256-csum-seed': image(4096, 256, 'metadata_csum_seed', 'sparse_super2', '^resize_inode'),
  '1k-256-groups': grouped(512, image(1024, 256, '^flex_bg')),
  '1k-512-flex-groups': grouped(512, image(1024, 512, '^has_journal', '^resize_inode')),
  // What old volumes lack.
  '1k-256-old': image(1024, 256, '^extra_isize', '^huge_file', '^dir_nlink', '^large_file', '^dir_index'),
  '4k-512-no-filetype': image(4096, 512, '^filetype', '^metadata_csum', '^has_journal'),
};

/** What Debian's and upstream's mke2fs.conf say, so that a machine's own does not matter. */
const MKE2FS_CONF = `[defaults]
base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
default_mntopts = acl,user_xattr
enable_periodic_fsck = 0
blocksize = 4096
inode_size = 256
inode_ratio = 16384
[fs_types]
ext4 = {
  features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
}
`;

/** Runs mke2fs with our fixed options; the file must not exist. */
export function makeImage(spec: Mke2fsSpec, file: string): void {
  // mke2fs says that inline data has no room in 128 bytes; the kernel and e2fsck take it, for 60 bytes and less.
  const late = spec.inodeSize === 128;
  const args = [
    ...['-q', '-t', 'ext4', '-b', `${spec.blockSize}`, '-I', `${spec.inodeSize}`],
    ...['-O', [...(late ? [] : ['inline_data']), ...spec.features].join(','), '-U', UUID],
    ...['-E', `hash_seed=${UUID},lazy_itable_init=0,lazy_journal_init=0`],
    ...(spec.inodes === undefined ? [] : ['-N', `${spec.inodes}`]),
    ...(spec.blocksPerGroup === undefined ? [] : ['-g', `${spec.blocksPerGroup}`]),
    // mke2fs takes a journal size in MiB only.
    ...(spec.journalBlocks === undefined
      ? []
      : ['-J', `size=${Math.ceil((spec.journalBlocks * spec.blockSize) / 2 ** 20)}`]),
    ...[file, `${spec.blocks}`],
  ];
  const config = `${file}.conf`;
  writeFileSync(config, MKE2FS_CONF);
  try {
    const env = { ...process.env, E2FSPROGS_FAKE_TIME: `${MADE_AT}`, MKE2FS_CONFIG: config };
    execFileSync('mke2fs', args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    if (late) execFileSync('debugfs', ['-w', '-R', 'feature inline_data', file], { env, stdio: 'pipe' });
  } finally {
    rmSync(config);
  }
}

/** Image files for specs: a file of a recording is found beside it, others are made once and thrown away at `close`. */
export class ImageStore {
  readonly #made = new Map<string, string>();
  #folder: string | undefined;

  /**
   * @param besides  the scenario or recording that names the image
   * @throws UsageError when it names a file that is not there
   */
  path(spec: ImageSpec, besides: string): string {
    if ('file' in spec) {
      const file = resolve(dirname(besides), spec.file);
      if (!existsSync(file)) throw new UsageError(`${besides}: no image ${file}`);
      return file;
    }
    const key = JSON.stringify(spec.mkfs);
    let file = this.#made.get(key);
    if (file === undefined) {
      this.#folder ??= mkdtempSync(join(tmpdir(), 'ext4lab-images-'));
      file = join(this.#folder, `${this.#made.size}.img`);
      makeImage(spec.mkfs, file);
      this.#made.set(key, file);
    }
    return file;
  }

  close(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
    this.#made.clear();
  }
}

/** (Re)writes the fixture images. Returns their sizes in bytes, by file name. */
export function writeFixtureImages(folder: string): Record<string, number> {
  const sizes: Record<string, number> = {};
  const scratch = mkdtempSync(join(tmpdir(), 'ext4lab-images-'));
  try {
    for (const [name, spec] of Object.entries(FIXTURE_IMAGES)) {
      const plain = join(scratch, name);
      makeImage(spec, plain);
      const packed = gzipSync(readFileSync(plain), { level: 9 });
      writeFileSync(join(folder, `${name}.img.gz`), packed);
      sizes[`${name}.img.gz`] = packed.length;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return sizes;
}
