/**
 * Another kernel as referee: Debian's user-mode-linux (6.1) as a process, with the host's files as its root, mounts images
 * as they are, log and orphans and all, and tells what is in them. It needs neither root nor loop devices, and a BUG there is
 * the end of a process. Boots in two seconds, and has an image in a tenth of one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Found } from '../walk.ts';

const MODULES = '/usr/lib/uml/modules';
const SECONDS = 90;

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * What a process of it keeps in wide registers is lost now and then: `uml.py` has it save the narrow ones only. glibc, the
 * one user in a walk, is asked to leave them alone.
 */
const NARROW = `GLIBC_TUNABLES=glibc.cpu.hwcaps=${['AVX', 'AVX2', 'AVX512F', 'AVX512VL', 'AVX512BW', 'AVX_Fast_Unaligned_Load', 'XSAVEC', 'XSAVE'].map((each) => `-${each}`).join()}`;

/** What user-mode-linux finds on each image after it mounted it for writing, or why it could not mount it. */
export function walkInUml(images: readonly Uint8Array[]): ({ found: Found } | { error: string })[] {
  const folder = mkdtempSync(join(tmpdir(), 'ext4lab-uml-'));
  try {
    images.forEach((image, i) => {
      writeFileSync(join(folder, `${i}.img`), image);
    });
    writeFileSync(join(folder, 'images'), images.map((_, i) => `${i}.img\n`).join(''));
    const words = [
      here('./uml.py'),
      ...['mem=256M', 'rootfstype=hostfs', 'root=/dev/root', 'ro', 'quiet', 'con=null', 'con0=null,fd:1'],
      ...[`init=${here('./umlInit.py')}`, `folder=${folder}`, `module=${loopModule()}`],
      `script=${here('../images/walk.py')}`,
      NARROW,
    ];
    const { error, stdout } = spawnSync('python3', words, {
      encoding: 'utf8',
      timeout: SECONDS * 1000,
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const read = (name: string): string =>
      existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '';
    const answers = read('answers').split('\n').slice(0, -1);
    if (answers.length !== images.length)
      throw new Error(`linux.uml: ${error?.message ?? ''}${read('failed')}${stdout.slice(-2000)}`);
    return answers.map((line) => JSON.parse(line));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The loop driver is the one thing that is not built in. */
function loopModule(): string {
  for (const release of existsSync(MODULES) ? readdirSync(MODULES) : []) {
    const file = join(MODULES, release, 'kernel/drivers/block/loop.ko');
    if (existsSync(file)) return file;
  }
  throw new Error(`no loop.ko under ${MODULES}`);
}
