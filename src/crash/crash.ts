/**
 * Power failure at any step: three invariants that try every medium a state may leave, recover it, and compare it with
 * what the programs were promised. As invariants they are searched like all others: over every schedule, with the
 * shortest story.
 *
 * They are functions of the medium, the log and the plain model alone, so a state that differs in nothing of that is not
 * looked at again.
 */
import type { Invariant } from '../invariants/invariant.ts';
import type { Kernel } from '../kernel.ts';
import type { Session } from '../scenario/session.ts';
import { FlatWorld } from '../state/flat.ts';
import { type TableName, tableIndex } from '../state/tables.ts';
import { DEFAULT_MEDIA, type MediaOptions, type Medium, media } from './media.ts';
import { type Recovered, Recoverer } from './recover.ts';
import { type Broken, compareRecovered } from './verdict.ts';

export type CrashInvariantId = 'promise' | 'foreign-bytes' | 'recovery';

/** What a power failure at one state may break, and the first medium that does. */
export interface Failure {
  readonly message: string;
  readonly medium: Medium;
}

export type Examined = Readonly<Record<CrashInvariantId, Failure | null>>;

const READ: readonly TableName[] = ['medium', 'journal', 'ghost', 'ghostPage', 'ghostDir'];
const IDS = ['promise', 'foreign-bytes', 'recovery'] as const;
const NOTHING: Broken = { promise: null, foreign: null };
const HOLDS: Examined = { promise: null, 'foreign-bytes': null, recovery: null };

export interface CrashOptions extends Partial<MediaOptions> {
  /** Told of every medium that is recovered, each once: `crashImage` makes a file of it. */
  readonly onMedium?: ((k: Kernel, medium: Medium, recovered: Recovered) => void) | undefined;
}

export class Crasher {
  readonly #recoverer: Recoverer;
  readonly #options: MediaOptions;
  readonly #onMedium: CrashOptions['onMedium'];
  readonly #known = new Map<string, Examined>();
  readonly #compared = new WeakMap<Recovered, Map<string, Broken>>();
  /** Power failures that were tried. */
  states = 0;
  /** In every one of them, all choices of whole blocks. */
  all = true;

  constructor(session: Pick<Session, 'image' | 'mount' | 'design'>, options: CrashOptions = {}) {
    const { onMedium, ...rest } = options;
    this.#recoverer = new Recoverer(session);
    this.#options = { ...DEFAULT_MEDIA, ...rest };
    this.#onMedium = onMedium;
  }

  /** Media that were recovered, each once. */
  get media(): number {
    return this.#recoverer.distinct;
  }

  /** Reads only. */
  examine(k: Kernel): Examined {
    // Read even where the answer is known: an answer depends on these.
    for (const table of READ) k.world.firstKeys(table);
    if (k.journal.log === null && k.world.firstKeys('medium').length === 0) return HOLDS;
    const { world } = k;
    const key = world instanceof FlatWorld ? keyOf(world, READ) : null;
    const known = key === null ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const answer = this.#try(k);
    if (key !== null) this.#known.set(key, answer);
    return answer;
  }

  /** What one power failure leaves, and what is broken then. */
  outcome(k: Kernel, medium: Medium): Recovered & { broken: Record<CrashInvariantId, string | null> } {
    const before = this.media;
    const recovered = this.#recoverer.recover(k, medium);
    if (this.media > before) this.#onMedium?.(k, medium, recovered);
    const { image, complaint } = recovered;
    const { promise, foreign } = image === null ? NOTHING : this.#compare(k, recovered);
    return { image, complaint, broken: { promise, 'foreign-bytes': foreign, recovery: complaint } };
  }

  #try(k: Kernel): Examined {
    const found: Record<CrashInvariantId, Failure | null> = { ...HOLDS };
    const { media: list, all } = media(k, this.#options);
    this.all &&= all;
    for (const medium of list) {
      this.states++;
      const { broken } = this.outcome(k, medium);
      for (const id of IDS) {
        const message = broken[id];
        if (message !== null) found[id] ??= { message, medium };
      }
    }
    return found;
  }

  #compare(k: Kernel, recovered: Recovered): Broken {
    const { world } = k;
    if (!(world instanceof FlatWorld)) return compareRecovered(k, recovered.image!);
    let known = this.#compared.get(recovered);
    if (known === undefined) this.#compared.set(recovered, (known = new Map()));
    const key = keyOf(world, ['ghost', 'ghostPage', 'ghostDir']);
    let answer = known.get(key);
    if (answer === undefined) known.set(key, (answer = compareRecovered(k, recovered.image!)));
    return answer;
  }

  get invariants(): readonly Invariant[] {
    return CRASH_INVARIANTS.map(({ id, summary, why }) => ({
      id,
      summary,
      why,
      when: 'always',
      check: (k) => this.examine(k)[id]?.message ?? null,
    }));
  }
}

/** What must hold of what a power failure leaves. */
export const CRASH_INVARIANTS: readonly {
  readonly id: CrashInvariantId;
  readonly summary: string;
  readonly why: string;
}[] = [
  {
    id: 'promise',
    summary:
      'after a power failure files and names are as when they were promised, or as they were made since',
    why: 'POSIX: what fsync, fdatasync, msync, sync, O_SYNC returned for is on the medium',
  },
  {
    id: 'foreign-bytes',
    summary: 'after a power failure no file has bytes that it never had',
    why: 'data=ordered: a block is not a file’s before its data is on the medium',
  },
  {
    id: 'recovery',
    summary: 'after a power failure the journal brings back a volume that passes our check',
    why: 'that is what the journal is for',
  },
];

function keyOf(world: FlatWorld, tables: readonly TableName[]): string {
  return tables.map((name) => `${world.t1[tableIndex[name]]},${world.t2[tableIndex[name]]}`).join(' ');
}
