import { writeFileSync } from 'node:fs';
import { mkfs } from '../../volume/mkfs.ts';
import { defineCommand } from '../command.ts';
import { EXIT, UsageError } from '../errors.ts';

export default defineCommand({
  about:
    'Makes a volume with inline data, the same bytes every time. e2fsck passes it and Linux mounts it. Features are ' +
    'those of mke2fs: -O flex_bg,resize_inode adds two, -O ^has_journal takes the journal away.',
  operands: ['OUT'],
  options: {
    'block-size': {
      type: 'integer',
      short: 'b',
      value: 'BYTES',
      default: 4096,
      summary: '1024, 2048 or 4096',
    },
    'inode-size': {
      type: 'integer',
      short: 'I',
      value: 'BYTES',
      default: 256,
      summary: '128 up to the block size',
    },
    blocks: { type: 'integer', value: 'N', min: 64, default: 2048, summary: 'blocks of the volume' },
    inodes: { type: 'integer', short: 'N', value: 'N', min: 16, summary: 'inodes of the volume' },
    features: {
      type: 'text',
      short: 'O',
      value: 'F,…',
      default: '',
      summary: 'added to the defaults, or taken away with ^',
    },
    'journal-blocks': { type: 'integer', value: 'N', min: 0, summary: 'blocks of the journal, 0 for none' },
    label: { type: 'text', short: 'L', value: 'TEXT', summary: 'at most 16 bytes' },
    uuid: { type: 'text', short: 'U', value: 'UUID', summary: '32 hex digits, dashes allowed' },
    'hash-seed': { type: 'text', value: 'UUID', summary: '32 hex digits, dashes allowed' },
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: ['mkfs fs.img', 'mkfs fs.img -b 1024 -I 512 --blocks 8192 -O ^has_journal'],
  run(ctx) {
    const { options } = ctx;
    const out = ctx.operands[0]!;
    const journalBlocks = options['journal-blocks'];
    let bytes: Uint8Array;
    try {
      bytes = mkfs({
        blockSize: options['block-size'],
        inodeSize: options['inode-size'],
        blocks: options.blocks,
        features: [
          'has_journal',
          ...options.features.split(',').filter((name) => name !== ''),
          ...(journalBlocks === 0 ? ['^has_journal'] : []),
        ],
        ...(options.inodes === undefined ? {} : { inodes: options.inodes }),
        ...(journalBlocks === undefined || journalBlocks === 0 ? {} : { journalBlocks }),
        ...(options.label === undefined ? {} : { label: options.label }),
        ...(options.uuid === undefined ? {} : { uuid: options.uuid }),
        ...(options['hash-seed'] === undefined ? {} : { hashSeed: options['hash-seed'] }),
      });
    } catch (error) {
      if (error instanceof RangeError) throw new UsageError(error.message);
      throw error;
    }
    writeFileSync(out, bytes);
    if (options.json) ctx.json({ schemaVersion: 1, file: out, bytes: bytes.length });
    else ctx.say(`${out}: ${bytes.length} bytes`);
    return EXIT.ok;
  },
});
