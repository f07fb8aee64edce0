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

const UUID = '00112233-4455-6677-8899-aabbccddeeff';
/** Seconds since 1970: when every image was made. */
const MADE_AT = 1_700_000_000;

/** The images under fixtures/images, by file name without `.img.gz`. */
export const FIXTURE_IMAGES: Readonly<Record<string, MkfsSpec>> = {
  '4k-256-journal': { blockSize: 4096, inodeSize: 256, blocks: 2048, inodes: 128, features: [] },
  '4k-256-nojournal': {
    blockSize: 4096,
    inodeSize: 256,
    blocks: 2048,
    inodes: 128,
    features: ['^has_journal'],
  },
  '1k-256-journal': { blockSize: 1024, inodeSize: 256, blocks: 4096, inodes: 128, features: [] },
  '1k-256-nojournal': {
    blockSize: 1024,
    inodeSize: 256,
    blocks: 4096,
    inodes: 128,
    features: ['^has_journal'],
  },
  '4k-512-journal': { blockSize: 4096, inodeSize: 512, blocks: 2048, inodes: 128, features: [] },
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
export function makeImage(spec: MkfsSpec, file: string): void {
  const args = [
    ...['-q', '-t', 'ext4', '-b', `${spec.blockSize}`, '-I', `${spec.inodeSize}`],
    ...['-O', ['inline_data', ...spec.features].join(','), '-U', UUID],
    ...['-E', `hash_seed=${UUID},lazy_itable_init=0,lazy_journal_init=0`],
    ...(spec.inodes === undefined ? [] : ['-N', `${spec.inodes}`]),
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
  } finally {
    rmSync(config);
  }
}

/** Image files for specs: a file of a recording is found beside it, others are made once and thrown away at `close`. */
export class ImageStore {
  readonly #made = new Map<string, string>();
  #folder: string | undefined;

  /** @param besides  the scenario or recording that names the image */
  path(spec: ImageSpec, besides: string): string {
    if ('file' in spec) {
      const file = resolve(dirname(besides), spec.file);
      if (!existsSync(file)) throw new Error(`${besides}: no image ${file}`);
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
