/**
 * The store that an fsync did not save.
 *
 * A byte of a file has up to three copies: in the file's folio, in the block device's buffer, on the medium. The
 * current kernel converts an inline file in the page fault, through a buffer; the store goes to the folio. Both are the
 * same block from then on, and whichever is written last wins. Here it is the buffer, which never saw the store.
 */
import { createLab, type Lab } from '../src/index.ts';

/** Byte 0 of /f in its three places; `-` where there is no copy. */
function copies(lab: Lab): string {
  const { inline, extents, raw, location } = lab.inode('/f');
  const shown = (byte: number | undefined): string =>
    byte === undefined ? '-' : String.fromCharCode(byte).replace('\0', '0');
  const folio = lab.folio('/f').data?.[0];
  const block = extents[0] === undefined ? null : lab.block(extents[0].pblk);
  const inode = lab.block(location.block);
  const buffer = inline === null ? block?.buffer?.[0] : raw[0x28];
  const medium = inline === null ? block?.medium[0] : inode.medium[location.offset + 0x28];
  const place = inline !== null ? 'inode' : block !== null ? 'block' : 'no block yet';
  return `folio ${shown(folio)}  buffer ${shown(buffer)}  medium ${shown(medium)}  (${place})`;
}

for (const design of ['mkwrite-convert', 'defer']) {
  console.log(design);
  const lab = createLab({ design });
  const tell = (step: string): void => console.log(`  ${step.padEnd(26)} ${copies(lab)}`);

  const file = lab.fs.openSync('/f', 'w+');
  file.writeSync('A'.repeat(50));
  tell('write 50 bytes of A');
  file.fsyncSync();
  tell('fsync');
  lab.sync();
  tell('sync');
  const map = file.mmapSync({ length: 4096 });
  map.store(0, new TextEncoder().encode('BBBB'));
  tell('store BBBB in a mapping');
  map.msync();
  tell('msync');
  file.fsyncSync();
  tell('fsync');
  lab.sync();
  tell('sync');
  map.munmap();
  file.closeSync();
  lab.remount();
  const text = lab.fs.readFileSync('/f', 'utf8');
  tell('unmount, mount, read');
  console.log(`  the file: ${text.slice(0, 8)}…`);
  for (const { id, message } of lab.findings()) console.log(`  ${id}: ${message}`);
}
