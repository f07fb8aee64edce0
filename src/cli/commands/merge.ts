/** The parts of a race or of a search, joined. */
import { readFileSync } from 'node:fs';
import { defineCommand } from '../command.ts';
import { UsageError } from '../errors.ts';
import { exitOfSearch, isSearchShard, mergeSearch, readSearchShard } from '../searchShard.ts';
import { exitOf, mergeShards, readShard } from '../shard.ts';

export default defineCommand({
  about:
    'Joins the parts that race, explore or crash --shard I/N --json printed. Of a race: what one race --json prints, the same ' +
    'cells in the same order, and one order of locks per design. Of a search: the verdict, stories and end states of one ' +
    'search; states are summed over the parts (reach.parts). Every part must be there.',
  operands: ['FILE…'],
  options: {},
  examples: ['merge part-1.json part-2.json'],
  async run(ctx) {
    const files = ctx.operands.map((file) => ({ file, text: readFileSync(file, 'utf8') }));
    const searches = files.filter(({ file, text }) => isSearchShard(text, file));
    if (searches.length === 0) {
      const merged = mergeShards(files.map(({ file, text }) => ({ file, part: readShard(text, file) })));
      ctx.json({ ...merged });
      return exitOf(merged.cells);
    }
    const race = files.find((each) => !searches.includes(each));
    if (race !== undefined)
      throw new UsageError(`${race.file}: no part of a search, as ${searches[0]!.file} is`);
    const merged = mergeSearch(
      searches.map(({ file, text }) => ({ file, part: readSearchShard(text, file) })),
    );
    ctx.json({ ...merged });
    return exitOfSearch(merged, merged.lockdep ?? []);
  },
});
