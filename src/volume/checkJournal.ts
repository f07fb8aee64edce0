/**
 * The journal: its inode and its superblock.
 *
 * Verified: that has_journal and the fields that say where the journal is agree; a regular file without holes, long
 * enough; every field of the journal superblock that bounds the log, its features and its checksum.
 * Not verified: the log itself (a volume that needs recovery is checked as it is, with a note).
 */
import { hex } from './badImage.ts';
import { blockPlace, type CheckContext, inodePlace } from './checkContext.ts';
import { superPlace } from './checkSuper.ts';
import {
  JOURNAL_MAGIC,
  JOURNAL_SUPERBLOCK_V2,
  journalSuperblockChecksum,
  journalSuperblockLayout,
  MIN_JOURNAL_BLOCKS,
} from './journalSuper.ts';
import { hasFeature, superblockLayout } from './superblock.ts';

/** @source fs/jbd2/journal.c journal_check_superblock; e2fsprogs e2fsck/journal.c e2fsck_get_journal */
export function checkJournal(ctx: CheckContext): void {
  const { geo, image, complaints } = ctx;
  const sb = superblockLayout.decode(image.superblock);
  if (!geo.hasJournal) {
    const wrong = (field: 'journalInum' | 'journalDev' | 'journalUuid', isSet: boolean) => {
      if (isSet) complaints.error('journal-inode', superPlace(field), `${field} without has_journal`);
    };
    wrong('journalInum', sb.journalInum !== 0);
    wrong('journalDev', sb.journalDev !== 0);
    wrong('journalUuid', !sb.journalUuid.isZero());
    return;
  }
  if (geo.journalInum === 0 && sb.journalDev === 0 && sb.journalUuid.isZero()) {
    complaints.error('journal-inode', superPlace('journalInum'), 'has_journal, and no journal is named');
    return;
  }
  if (geo.journalInum === 0) {
    complaints.note('not-checked', superPlace('journalInum'), 'the journal is on another device');
    return;
  }
  if (!sb.journalUuid.isZero()) {
    complaints.error(
      'journal-inode',
      superPlace('journalUuid'),
      'an external journal beside that in an inode',
    );
  }
  const journal = ctx.used.get(geo.journalInum);
  const place = inodePlace(geo, geo.journalInum);
  if (journal?.kind !== 'file') {
    complaints.error('journal-inode', place, 'the journal inode is not a regular file');
    return;
  }
  const blocks = Math.floor(journal.inode.size / geo.blockSize);
  if (journal.inode.size % geo.blockSize !== 0)
    complaints.error(
      'journal-inode',
      place,
      'i_size is not a whole number of blocks',
      undefined,
      journal.inode.size,
    );
  if (blocks < MIN_JOURNAL_BLOCKS) {
    complaints.error(
      'journal-inode',
      place,
      'the journal is too short',
      `${MIN_JOURNAL_BLOCKS} blocks or more`,
      blocks,
    );
    return;
  }
  const held = journal.map.extents.filter((e) => !e.unwritten).reduce((sum, e) => sum + e.length, 0);
  if (held < blocks)
    complaints.error('journal-inode', place, 'the journal has holes', `${blocks} blocks`, held);
  const first = journal.map.extents[0];
  if (first === undefined || first.lblk !== 0 || first.pblk >= geo.blocksCount) return;
  checkJournalSuperblock(ctx, first.pblk, blocks);
  const backup = superblockLayout.get(image.superblock, 'jnlBlocks');
  if (
    superblockLayout.get(image.superblock, 'jnlBackupType') === 1 &&
    !backup.slice(0, 60).equals(journal.inode.iBlock)
  ) {
    complaints.note('journal-backup', superPlace('jnlBlocks'), 'the copy of the journal inode is stale');
  }
}

/** Journal incompat features a kernel knows. @source include/linux/jbd2.h JBD2_KNOWN_INCOMPAT_FEATURES */
const KNOWN_JOURNAL_INCOMPAT = 0x3f;
const JOURNAL_CSUM = 0x18;

function checkJournalSuperblock(ctx: CheckContext, nr: number, blocks: number): void {
  const { geo, image, complaints } = ctx;
  const block = image.block(nr);
  const jsb = journalSuperblockLayout.decode(block);
  const wrong = (
    field: keyof typeof journalSuperblockLayout.fields,
    problem: string,
    expected: unknown,
    found: unknown,
  ) =>
    complaints.error(
      'journal-superblock',
      blockPlace(geo, 'journal superblock in block', nr, journalSuperblockLayout.fields[field].at),
      problem,
      expected,
      found,
    );
  if (jsb.magic !== JOURNAL_MAGIC) return wrong('magic', 'wrong magic', hex(JOURNAL_MAGIC), hex(jsb.magic));
  if (jsb.blocktype !== JOURNAL_SUPERBLOCK_V2 && jsb.blocktype !== JOURNAL_SUPERBLOCK_V2 - 1) {
    return wrong('blocktype', 'not a journal superblock', '3 or 4', jsb.blocktype);
  }
  if (jsb.blocksize !== geo.blockSize) wrong('blocksize', 'wrong block size', geo.blockSize, jsb.blocksize);
  if (jsb.maxlen > blocks) wrong('maxlen', 'longer than its file', `${blocks} or less`, jsb.maxlen);
  if (jsb.first === 0 || jsb.first >= jsb.maxlen)
    wrong('first', 'the log starts outside', `1..${jsb.maxlen - 1}`, jsb.first);
  if (jsb.start >= jsb.maxlen) wrong('start', 'the log starts outside', `0..${jsb.maxlen - 1}`, jsb.start);
  if (jsb.errno !== 0) wrong('errno', 'the journal was aborted', 0, jsb.errno | 0);
  const unknown = jsb.featureIncompat & ~KNOWN_JOURNAL_INCOMPAT;
  if (unknown !== 0) wrong('featureIncompat', 'unknown journal features', 0, hex(unknown >>> 0));
  if (jsb.featureRoCompat !== 0)
    wrong('featureRoCompat', 'unknown journal features', 0, hex(jsb.featureRoCompat));
  if (jsb.blocktype === JOURNAL_SUPERBLOCK_V2 && jsb.nrUsers > 1)
    wrong('nrUsers', 'the journal of one volume has more users', '0 or 1', jsb.nrUsers);
  if (jsb.featureIncompat & JOURNAL_CSUM) {
    const computed = journalSuperblockChecksum(block);
    if (jsb.checksum !== computed)
      wrong('checksum', 'wrong checksum', hex(computed, 8), hex(jsb.checksum, 8));
  }
  const flagged = hasFeature(geo.features, 'needs_recovery');
  if (jsb.start !== 0 && flagged) {
    const place = superPlace('featureIncompat');
    complaints.note(
      'needs-recovery',
      place,
      'the journal has to be replayed first: this is the state before',
    );
  } else if (jsb.start !== 0)
    wrong('start', 'the journal has data, and needs_recovery is not set', 0, jsb.start);
  return undefined;
}
