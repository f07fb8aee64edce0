import { readFileSync } from 'node:fs';
import { Bytes } from '../../bytes/bytes.ts';
import { hexdump } from '../../bytes/hexdump.ts';
import { isErr } from '../../errno.ts';
import { blobLabel, describeInodeBlob, readInodeBlob, seedOfUuid } from '../../formats/inodeBlob.ts';
import {
  describeImage,
  describeInode,
  type ImageDescription,
  type InodeDescription,
  paths,
  resolve,
} from '../../volume/describe.ts';
import { nameText } from '../../volume/dirent.ts';
import { iBlockLabel } from '../../volume/iBlockLabel.ts';
import { inodeByteLabel } from '../../xattr/ibody.ts';
import { byteMap } from '../byteMap.ts';
import { type Context, defineCommand } from '../command.ts';
import { EXIT, type ExitCode, UsageError } from '../errors.ts';
import { readImageFile } from '../images.ts';

export default defineCommand({
  about:
    'What is on a volume: the superblock, groups and files; or one inode with every field, its xattrs, inline bytes, ' +
    'extents, names, and a hexdump in which every byte has its name. With --inode the inode is a file of its own: raw ' +
    'bytes, hex digits, or what debugfs inode_dump, xxd, hexdump or od -t x1 print. Reads only.',
  operands: ['[IMAGE]', '[PATH|<INO>]'],
  options: {
    inode: { type: 'text', value: 'FILE', summary: 'one raw inode instead of an image; - is stdin' },
    ino: { type: 'integer', value: 'N', min: 1, summary: 'with --inode: its number, to check its checksum' },
    uuid: {
      type: 'text',
      value: 'UUID',
      summary: 'with --inode and --ino: of the volume, or its s_checksum_seed as 0x…',
    },
    map: { type: 'flag', summary: 'sixteen bytes a row, each with the letter of its field' },
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: ['inspect fs.img', 'inspect fs.img /f', "inspect fs.img '<12>' --map", 'inspect --inode raw.bin'],
  run(ctx) {
    const [file, word] = ctx.operands;
    if (ctx.options.inode !== undefined) return inspectBlob(ctx, ctx.options.inode);
    if (file === undefined)
      throw new UsageError('inspect needs IMAGE, or --inode FILE', 'see ext4lab inspect --help');
    const image = readImageFile(file!);
    if (word === undefined) {
      const description = describeImage(image);
      const names = paths(image).map(([path, ino]) => ({ path, ino }));
      if (ctx.options.json) ctx.json({ schemaVersion: 1, ...description, paths: names });
      else ctx.out(imageText(description, names).join('\n'));
      return EXIT.ok;
    }
    const { inodesCount } = image.geometry;
    const number = /^<(\d+)>$/.exec(word);
    let ino: number;
    if (number !== null) {
      ino = Number(number[1]);
      if (ino < 1 || ino > inodesCount) throw new UsageError(`inode ${ino} is outside 1..${inodesCount}`);
    } else {
      if (!word.startsWith('/'))
        throw new UsageError(`${word}: a path begins with /, an inode is written <12>`);
      const found = resolve(image, word);
      if (isErr(found)) throw new UsageError(`${file}: ${word}: ${found.errno}`);
      ino = found;
    }
    const description = describeInode(image, ino);
    if (ctx.options.json) ctx.json({ schemaVersion: 1, ...description });
    else if (ctx.options.map) ctx.out(byteMapOf(ctx, image.rawInode(ino)));
    else ctx.out(inodeText(description).join('\n'));
    return EXIT.ok;
  },
});

type Print = Pick<Context, 'out' | 'style' | 'columns' | 'json'>;

/** An inode that came as a file. */
function inspectBlob(
  ctx: Print & {
    readonly operands: readonly string[];
    readonly options: {
      readonly ino?: number | undefined;
      readonly uuid?: string | undefined;
      readonly map: boolean;
      readonly json: boolean;
    };
  },
  file: string,
): ExitCode {
  const { ino, uuid, map, json } = ctx.options;
  if (ctx.operands.length > 0) throw new UsageError('either an image or --inode');
  if (uuid !== undefined && !/^(0x[0-9a-f]{1,8}|[0-9a-f-]{32,36})$/i.test(uuid))
    throw new UsageError(`--uuid ${uuid}: 32 hex digits, or a seed as in 0x1a2b3c4d`);
  if ((ino === undefined) !== (uuid === undefined)) throw new UsageError('--ino and --uuid go together');
  const raw = readInodeBlob(readFileSync(file === '-' ? 0 : file), file === '-' ? 'stdin' : file);
  const seed = uuid === undefined ? 0 : uuid.startsWith('0x') ? Number(uuid) : seedOfUuid(uuid);
  const lines = describeInodeBlob(raw, ino === undefined ? undefined : { ino, seed });
  if (json) ctx.json({ schemaVersion: 1, raw: raw.toHex(), text: lines.slice(0, lines.indexOf('')) });
  else if (map) ctx.out(byteMap(raw, blobLabel(raw), ctx.style.coloured, ctx.columns).join('\n'));
  else ctx.out(lines.join('\n'));
  return EXIT.ok;
}

const byteMapOf = (ctx: Print, raw: Bytes): string =>
  byteMap(raw, blobLabel(raw), ctx.style.coloured, ctx.columns).join('\n');

const row = (name: string, value: unknown): string => `${name.padEnd(18)} ${value}`;
const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;

function checksumText(sum: { stored: number; computed: number } | undefined): string {
  if (sum === undefined) return 'none (no metadata_csum)';
  return sum.stored === sum.computed
    ? hex(sum.stored, 8)
    : `${hex(sum.stored, 8)} WRONG, should be ${hex(sum.computed, 8)}`;
}

/** Text fields as text, flags and checksums in hex, the rest as numbers. */
function fieldText(name: string, value: number | string): string {
  if (/^(volumeName|lastMounted|mountOpts|\w+ErrorFunc)$/.test(name))
    return JSON.stringify(nameText(Bytes.fromHex(String(value))).replace(/(\\x00)+$/, ''));
  if (typeof value === 'string') return value;
  return /^(magic|feature|checksum|flags|defaultMountOpts|state)/.test(name) ? hex(value, 2) : String(value);
}

function imageText(
  { superblock: sb, journal, groups }: ImageDescription,
  names: readonly { path: string; ino: number }[],
): string[] {
  return [
    row('uuid', sb.uuid),
    row('features', sb.features.join(' ')),
    row('state', sb.state.join(' ')),
    row('label', sb.label === '' ? 'none' : sb.label),
    row('blocks', `${sb.blocksCount} of ${sb.blockSize} bytes, ${sb.freeBlocksCount} free`),
    row('inodes', `${sb.inodesCount} of ${sb.inodeSize} bytes, ${sb.freeInodesCount} free`),
    row('checksum', checksumText(sb.checksum)),
    ...(sb.readOnlyReason === undefined ? [] : [row('read only', sb.readOnlyReason)]),
    row(
      'journal',
      journal === undefined
        ? 'none'
        : `inode ${journal.ino}, ${journal.blocks} blocks${journal.needsRecovery ? ', needs recovery' : ''}`,
    ),
    ...groups.map((group) =>
      row(
        `group ${group.group}`,
        `blocks ${group.firstBlock}..${group.firstBlock + group.blocks - 1}, bitmaps ${group.blockBitmap} ${group.inodeBitmap}, ` +
          `table ${group.inodeTable}, free ${group.freeBlocks} blocks ${group.freeInodes} inodes, ` +
          `${group.usedDirs} directories, ${group.itableUnused} inodes never used` +
          `${group.hasSuperblock ? ', superblock' : ''}${group.flags.length > 0 ? `, ${group.flags.join(' ')}` : ''}`,
      ),
    ),
    '',
    ...Object.entries(sb.fields)
      .filter(([, value]) => value !== 0 && !/^0*$/.test(String(value)))
      .map(([name, value]) => row(`s_${name}`, fieldText(name, value))),
    '',
    ...names.map(({ path, ino }) => row(`<${ino}>`, path)),
  ];
}

/** A value that fits a line; --json has all of it. */
function shortened(value: string | undefined): string {
  if (value === undefined) return 'cannot be read';
  return value.length > 96 ? `${value.slice(0, 96)}…` : value;
}

function inodeText(inode: InodeDescription): string[] {
  const raw = Bytes.fromHex(inode.raw);
  const lines = [
    row('inode', `${inode.ino} at byte ${inode.offset}`),
    row('type, mode', `${inode.kind ?? 'none'} ${inode.mode}`),
    row('size', `${inode.size} bytes`),
    row('owner', `${inode.uid}:${inode.gid}`),
    row('links', inode.links),
    row('blocks', inode.blocks),
    row('flags', `${hex(inode.flags.value, 8)} ${inode.flags.names.join(' ')}`),
    row('generation', inode.generation),
    row('extra isize', inode.extraIsize),
    row('checksum', checksumText(inode.checksum)),
    ...Object.entries(inode.times).map(([name, time]) => row(name, time)),
    ...(inode.dtime === 0 ? [] : [row('dtime', inode.dtime)]),
  ];
  for (const { name, offset, valueSize, valueInum, value } of inode.ibodyXattrs) {
    const where = valueInum === undefined ? `entry at ${hex(offset, 2)}` : `in inode ${valueInum}`;
    lines.push(row('xattr', `${name} (${where}, ${valueSize} bytes) ${shortened(value)}`));
  }
  if (inode.xattrBlock !== undefined) {
    lines.push(row('xattr block', `${inode.xattrBlock.block}, ${inode.xattrBlock.refcount} references`));
    for (const { name, valueSize, valueInum, value } of inode.xattrBlock.xattrs) {
      const where = valueInum === undefined ? '' : `in inode ${valueInum}, `;
      lines.push(row('  xattr', `${name} (${where}${valueSize} bytes) ${shortened(value)}`));
    }
  }
  if (inode.inline !== undefined)
    lines.push(row('inline bytes', `${inode.inline.length / 2}: ${inode.inline}`));
  for (const block of inode.treeBlocks) lines.push(row('tree block', block));
  for (const { lblk, pblk, length, unwritten } of inode.extents) {
    lines.push(row('extent', `${lblk}+${length} at block ${pblk}${unwritten ? ', unwritten' : ''}`));
  }
  if (inode.target !== undefined) lines.push(row('target', inode.target));
  if (typeof inode.entries === 'string') lines.push(row('names', inode.entries));
  else for (const { name, ino } of inode.entries ?? []) lines.push(row('name', `${name} <${ino}>`));
  if (inode.htree !== undefined) {
    const { hashVersion, nodes, leaves } = inode.htree;
    lines.push(row('htree', `hash version ${hashVersion}, nodes in blocks ${nodes.join(' ')}`));
    for (const { lblk, min, max } of leaves)
      lines.push(row('htree leaf', `block ${lblk}: hashes ${hex(min, 8)}..${hex(max, 8)}`));
  }
  lines.push('', hexdump(raw, { label: (at) => iBlockLabel(raw, at) ?? inodeByteLabel(raw, at) }));
  return lines;
}
