/**
 * The inline-data volumes of e2fsprogs' own tests, most of them broken on purpose: nothing crashes, what e2fsck objects
 * to check objects to, and what debugfs reads we read.
 *
 * They are not part of this repository: EXT4LAB_E2FSPROGS_TESTS names the folder (`tests` of the e2fsprogs sources).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { judge } from '../../scripts/images/judge.ts';
import { isErr } from '../../src/errno.ts';
import { checkImage } from '../../src/volume/check.ts';
import { nameText } from '../../src/volume/dirent.ts';
import { listDir, readFile } from '../../src/volume/file.ts';
import { Image } from '../../src/volume/image.ts';
import { fileKind } from '../../src/volume/rawInode.ts';
import { debugfs, e2fsck, refereed } from '../support/referee.ts';

const folder = process.env.EXT4LAB_E2FSPROGS_TESTS;
const NAMES: readonly string[] = [
  ...[
    'd_inline_dump',
    'f_bad_disconnected_inode',
    'f_badsymlinks2',
    'f_ea_inode_self_ref',
    'f_ea_value_crash',
  ],
  ...['f_idata_and_extents', 'f_inlinedata_dirblocks', 'f_inlinedata_flags', 'f_inlinedata_repair'],
  ...[
    'f_inlinedir_bad_symlink',
    'f_inlinedir_detector',
    'f_trunc_dirent_header',
    'f_write_ea_no_extra_isize',
  ],
  ...['f_write_ea_toobig_extra_isize', 'f_write_ea_toosmall_extra_isize', 'r_inline_xattr'],
];

if (folder === undefined) {
  test.skip('the volumes of e2fsprogs (EXT4LAB_E2FSPROGS_TESTS is not set)', () => {});
} else {
  describe.each(NAMES.filter((name) => existsSync(join(folder, name, 'image.gz'))))('%s', (name) => {
    const file = new Uint8Array(gunzipSync(readFileSync(join(folder, name, 'image.gz'))));

    test('crashes nothing', () => {
      expect(judge(file.slice(), { exec: true, stage() {} })).toMatch(/refused|errors|notes|clean/);
    });

    refereed('what e2fsck objects to, check objects to', ['e2fsck'], () => {
      const ours = checkImage(file.slice()).filter(({ severity }) => severity === 'error');
      if (e2fsck(file).code !== 0) expect(ours.length).toBeGreaterThan(0);
    });

    refereed('what debugfs reads, we read', ['debugfs'], () => {
      const image = Image.load(file.slice());
      const broken = new Set(
        checkImage(image).flatMap(({ severity, ino }) => (severity === 'error' ? [ino] : [])),
      );
      const seen = new Set<number>();
      const queue = [2];
      let files = 0;
      for (let dir = queue.pop(); dir !== undefined; dir = queue.pop()) {
        if (seen.has(dir)) continue;
        seen.add(dir);
        const ours = listDir(image, dir);
        const known = isErr(ours) ? [] : ours.map((entry) => `${entry.ino} ${nameText(entry.name)}`);
        for (const line of debugfs(file, `ls -p <${dir}>`).split('\n')) {
          const [, ino = '', mode = '', , , entry = ''] = line.split('/');
          if (entry === '' || !/^\d+$/.test(ino) || Number(ino) === 0) continue;
          // A broken record ends our listing as it ends the kernel's; debugfs goes on.
          if (!isErr(ours)) expect(known).toContain(`${ino} ${entry}`);
          const kind = fileKind(Number.parseInt(mode, 8));
          if (kind === 'directory' && entry !== '.' && entry !== '..') queue.push(Number(ino));
          if (kind !== 'file' || seen.has(Number(ino))) continue;
          seen.add(Number(ino));
          const content = readFile(image, Number(ino));
          if (broken.has(Number(ino)) || isErr(content) || content.length > 1 << 20) continue;
          files++;
          expect(debugfs(file, `cat <${ino}>`).slice(0, content.length), `inode ${ino}`).toBe(
            content.toText(),
          );
        }
      }
      expect(seen.size + files).toBeGreaterThan(0);
    });
  });
}
