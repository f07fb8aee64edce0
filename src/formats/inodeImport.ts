/**
 * One raw inode as a scenario: a fresh volume whose /f has these bytes. Only for an inline file, since nothing outside
 * the inode came with it; number, link count and checksum are made to fit the volume.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { mkwriteConvert } from '../designs/mkwrite-convert.ts';
import { isErr } from '../errno.ts';
import { sealInode } from '../inode/checksum.ts';
import { ScenarioError } from '../scenario/error.ts';
import type { ImageSpec } from '../scenario/image.ts';
import { makeVolume } from '../scenario/image.ts';
import { parseLane } from '../scenario/lane.ts';
import { runSession } from '../scenario/run.ts';
import { saveImage } from '../scenario/save.ts';
import { startSession } from '../scenario/session.ts';
import { checkImage } from '../volume/check.ts';
import { describeInode, resolve } from '../volume/describe.ts';
import { Image } from '../volume/image.ts';
import { fileKind, INODE_FLAGS, rawInodeLayout } from '../volume/rawInode.ts';
import { type Draft, stepAt } from './draft.ts';
import { readInodeBlob } from './inodeBlob.ts';
import { Source } from './source.ts';

const PATH = '/f';
const BLOCK_SIZE = 4096;

/** @throws ScenarioError where the inode cannot stand in a volume by itself */
export function readInode(
  bytes: Uint8Array,
  file: string,
): { draft: Draft; source: Source; image: Uint8Array } {
  const raw = readInodeBlob(bytes, file);
  const { mode, flags, fileAclLo, linksCount } = rawInodeLayout.decode(raw);
  const fail = (problem: string, hint?: string): never => {
    throw new ScenarioError(problem, { file }, hint);
  };
  if (fileKind(mode) !== 'file')
    fail(`a ${fileKind(mode) ?? 'free inode'}, not a file`, 'ext4lab inspect --inode shows it');
  if ((flags & INODE_FLAGS.INLINE_DATA) === 0)
    fail('its data is in blocks, which did not come with it', 'only inline files');
  if (fileAclLo !== 0) fail(`its xattr block ${fileAclLo} did not come with it`);
  const notes = [`a fresh volume, inodes of ${raw.length} bytes, whose ${PATH} has these bytes`];
  if (linksCount !== 1) notes.push(`its link count of ${linksCount} is 1 here`);
  const image = placed(raw, file);
  const wrong = checkImage(image).filter(({ severity }) => severity === 'error');
  if (wrong.length > 0)
    fail(`in a volume it is not consistent: ${wrong[0]!.message}`, 'ext4lab inspect --inode shows it');
  return {
    draft: {
      setup: [],
      lanes: [
        { name: 'CPU0', steps: [stepAt(0, `open ${PATH}`), stepAt(0, 'pread 0 64k'), stepAt(0, 'close')] },
      ],
      after: [],
      paths: [PATH],
      notes,
    },
    source: new Source('', file),
    image: image.toUint8Array(),
  };
}

/** A volume in which `/f` is this inode. */
function placed(raw: Bytes, file: string): Image {
  const spec: ImageSpec = {
    mkfs: { blockSize: BLOCK_SIZE, inodeSize: raw.length as 256, blocks: 2048, features: ['has_journal'] },
  };
  const lines = parseLane([`open -f ${PATH}`], { lane: 'CPU0' });
  const input = { file, setup: [], lanes: [{ name: 'CPU0', lines }], after: [], freeBlocks: null };
  const session = startSession(input, makeVolume(spec.mkfs, file), mkwriteConvert, ['delalloc']);
  const made = saveImage(session, runSession(session).trace.end);
  const ino = resolve(made, PATH);
  if (isErr(ino)) throw new Error(`${PATH} was not made`);
  const bytes = made.toUint8Array();
  const links = rawInodeLayout.fields.linksCount.at;
  const own = raw.edit((u8) => {
    u8[links] = 1;
    u8[links + 1] = 0;
  });
  const sealed = made.geometry.metadataCsum ? sealInode(own, ino, made.geometry.csumSeed) : own;
  sealed.copyTo(bytes, describeInode(made, ino).offset);
  return Image.load(bytes);
}
