/**
 * How much fits into an inode? A file grows byte by byte until its data leaves the inode, for three inode sizes.
 *
 * Without delayed allocation the write that no longer fits moves the data to a block at once. With it the inode keeps
 * its old bytes, and the whole file waits in a dirty folio until writeback: the pending state.
 */
import { createLab } from '../src/index.ts';

for (const inodeSize of [256, 512, 1024]) {
  for (const mount of ['nodelalloc', 'delalloc'] as const) {
    const lab = createLab({ mkfs: { inodeSize }, mount: [mount] });
    const file = lab.fs.openSync('/f', 'w+');
    let size = 0;
    while (lab.inode(file.ino).core!.mayInline) file.writeSync(Uint8Array.of(0x61), 0, 1, size++);

    const { inline, fields } = lab.inode('/f');
    const left = inline === null ? 'the inode is empty' : `the inode still holds ${inline.size} bytes`;
    console.log(`inodes of ${inodeSize} bytes, ${mount}: ${size - 1} bytes fit; after byte ${size} ${left}`);
    console.log(`  on disk i_size ${fields.sizeLo}, folio 0 ${lab.folio('/f').dirty ? 'dirty' : 'clean'}`);

    file.fsyncSync();
    const after = lab.inode('/f');
    const extents = after.extents.map((extent) => `${extent.length} block at ${extent.lblk}`).join(', ');
    console.log(`  after fsync i_size ${after.fields.sizeLo}, ${after.inline === null ? extents : 'inline'}`);
  }
}
