/** The parts of a race, joined. */
import { readFileSync } from 'node:fs';
import { defineCommand } from '../command.ts';
import { exitOf, mergeShards, readShard } from '../shard.ts';

export default defineCommand({
  about:
    'Joins the parts that race --shard I/N --json printed to what one race --json prints: the same cells in the same ' +
    'order, and one order of locks per design. Every part must be there.',
  operands: ['FILE…'],
  options: {},
  examples: ['merge part-1.json part-2.json'],
  async run(ctx) {
    const parts = ctx.operands.map((file) => ({ file, part: readShard(readFileSync(file, 'utf8'), file) }));
    const merged = mergeShards(parts);
    ctx.json({ ...merged });
    return exitOf(merged.cells);
  },
});
