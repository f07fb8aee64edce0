/**
 * What the medium may hold when power fails at a state: every block that was written since the last flush has one of
 * the contents it was given since, or still its old one, whatever the others have.
 *
 *   whole      every choice of a content per block, as long as these are at most `limit`; past it: all old, all new, and
 *              each content of each block alone against all old and against all new
 *   torn       sectors of 512 bytes of one block, each alone old in the new and new in the old content, the other
 *              blocks all new
 *   nobarrier  the log without its last transactions, as far back as no flush has followed; each with every choice above
 *
 * Blocks that a replay writes over have no choice. Nothing here knows what the blocks mean.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { blocksToReplay } from '../device/journal.ts';
import type { Kernel } from '../kernel.ts';
import type { LoggedTransaction } from '../state/tables.ts';

export const SECTOR = 512;

/** One block whose content is not the newest. */
export interface Loss {
  readonly block: number;
  /** What it holds; null is the image's. */
  readonly data: Bytes | null;
  /** Sector that is alone in being old, or alone in being new; null for a whole block. */
  readonly torn: { readonly sector: number; readonly is: 'old' | 'new' } | null;
  /** How many writes of the block since the flush are lost, and how many there were. */
  readonly lost: number;
  readonly of: number;
}

/** One medium: the newest contents but for `losses`, and the log without its last `transactions`. */
export interface Medium {
  /** Its number among those of its state. */
  readonly number: number;
  readonly losses: readonly Loss[];
  readonly log: readonly LoggedTransaction[];
  readonly transactions: number;
}

export interface MediaOptions {
  /** Most combinations of whole blocks per state and log; default 1,024. */
  readonly limit: number;
  /** Torn sectors too. */
  readonly torn: boolean;
}

export const DEFAULT_MEDIA: MediaOptions = { limit: 1024, torn: true };

/** A block in doubt: what it may hold, oldest first, the last what it holds now. */
interface Doubt {
  readonly block: number;
  readonly versions: readonly (Bytes | null)[];
}

function doubts(k: Kernel, replayed: ReadonlySet<number>): Doubt[] {
  return k.world.firstKeys('medium').flatMap((block) => {
    const { unflushed, data } = k.medium(block);
    return unflushed === null || replayed.has(block) ? [] : [{ block, versions: [...unflushed, data] }];
  });
}

/** The loss of everything after version `at`; nothing when that is the newest. */
function loss({ block, versions }: Doubt, at: number): Loss[] {
  const of = versions.length - 1;
  return at === of ? [] : [{ block, data: versions[at]!, torn: null, lost: of - at, of }];
}

/** Index of a version per doubt. */
type Choice = readonly number[];

function choices(all: readonly Doubt[], limit: number): { readonly list: Choice[]; readonly all: boolean } {
  const newest = all.map(({ versions }) => versions.length - 1);
  const total = all.reduce((product, { versions }) => product * versions.length, 1);
  if (total <= limit) {
    let list: Choice[] = [[]];
    for (const { versions } of all) list = list.flatMap((head) => versions.map((_, at) => [...head, at]));
    return { list: list.reverse(), all: true };
  }
  const oldest = all.map(() => 0);
  const alone = (base: readonly number[]): Choice[] =>
    all.flatMap(({ versions }, i) => versions.map((_, at) => base.with(i, at)));
  return { list: [newest, oldest, ...alone(newest), ...alone(oldest)], all: false };
}

/** Sectors of the newest content alone in the one before, and the other way round. */
function tears(k: Kernel, { block, versions }: Doubt): Loss[] {
  const of = versions.length - 1;
  const base = (data: Bytes | null): Bytes => data ?? k.baseBlock(block);
  const now = base(versions[of]!);
  const then = base(versions[of - 1]!);
  const differing = Array.from({ length: k.blockSize / SECTOR }, (_, sector) => sector).filter(
    (sector) => !now.rangeEquals(sector * SECTOR, then, sector * SECTOR, (sector + 1) * SECTOR),
  );
  if (differing.length < 2) return [];
  return differing.flatMap((sector): Loss[] => {
    const at = sector * SECTOR;
    const piece = (of_: Bytes) => of_.slice(at, at + SECTOR);
    return [
      { block, data: now.splice(at, piece(then)), torn: { sector, is: 'old' }, lost: 1, of },
      { block, data: then.splice(at, piece(now)), torn: { sector, is: 'new' }, lost: 1, of },
    ];
  });
}

/**
 * The media that a power failure now may leave. The first is the newest of everything.
 * @returns `all`: every choice of whole blocks is among them
 */
export function media(k: Kernel, { limit, torn }: MediaOptions): { media: Medium[]; all: boolean } {
  const log = k.journal.log ?? [];
  const out: Medium[] = [];
  let complete = true;
  for (let transactions = 0; transactions <= k.journal.unflushed; transactions++) {
    const kept = log.slice(0, log.length - transactions);
    const found = doubts(k, new Set(blocksToReplay(kept).map(([block]) => block)));
    const { list, all } = choices(found, limit);
    complete &&= all;
    for (const choice of list) {
      const losses = choice.flatMap((at, i) => loss(found[i]!, at));
      out.push({ number: out.length, losses, log: kept, transactions });
    }
    if (!torn) continue;
    for (const doubt of found)
      for (const tear of tears(k, doubt))
        out.push({ number: out.length, losses: [tear], log: kept, transactions });
  }
  return { media: out, all: complete };
}
