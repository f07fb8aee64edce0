/**
 * Typed effects: what a step did, in words a reader follows, beside the field changes that the recording world
 * finds by itself. Emitted only when somebody listens; never part of the state.
 */
import type { Bytes } from '../bytes/bytes.ts';
import type { FindingId } from './findings.ts';

/** What happens to a lock, or to something that is waited for like one. */
export interface LockEffect {
  readonly type: 'acquire' | 'release' | 'queue';
  /** `LockClass.id`, and lockdep's class: `i_rwsem`, `&type->i_mutex_dir_key/1`. */
  readonly lock: string;
  readonly key: string;
  readonly mode: string;
  readonly instance: string;
  /** It was tried and would not have waited. */
  readonly trylock?: true;
  /** Kernel functions below the step's own, outermost first. */
  readonly frames?: readonly string[];
}

export type Effect =
  | LockEffect
  | { readonly type: 'finding'; readonly id: FindingId; readonly message: string }
  | { readonly type: 'result'; readonly line: number; readonly text: string; readonly result: LineOutcome }
  | { readonly type: 'reach'; readonly name: string }
  | { readonly type: 'submit'; readonly block: number; readonly data: Bytes; readonly why: string }
  | { readonly type: 'flush' }
  | { readonly type: 'commit' | 'checkpoint' | 'replay'; readonly blocks: readonly number[] }
  | { readonly type: 'note'; readonly text: string };

/** What a scenario line answered; the fields of `LineResult` without the text. */
export interface LineOutcome {
  readonly ret?: number;
  readonly errno?: string;
  readonly data?: string;
  readonly stat?: {
    readonly size: number;
    readonly blocks: number;
    readonly nlink: number;
    readonly mode: number;
  };
  readonly extents?: readonly { readonly logical: number; readonly length: number; readonly flags: number }[];
  readonly names?: readonly string[];
}
