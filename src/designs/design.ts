/**
 * What a design is: a value that declares hooks and says where it comes from. Shared code calls the hooks where the
 * kernel calls them and never asks a design its name.
 */
import type { Hooks } from '../hooks.ts';
import type { LockId } from '../locks/lock.ts';

/** A design: what it is called and promises, and its hooks over those of another one. */
export interface Design {
  /** `mkwrite-convert`: what tables, tokens and fixtures call it. */
  readonly id: string;
  /** One line for the listing. */
  readonly summary: string;
  /** Mail or commit, with its date. */
  readonly source: string;
  /** What it is supposed to keep. */
  readonly promises: readonly string[];
  /** Locks its hooks take beyond those of the current kernel. */
  readonly locks: readonly LockId[];
  /** What of the proposal is not in the model. */
  readonly unmodelled: readonly string[];
  /** Complete: what a design does not give is inherited from the one it lies over. */
  readonly hooks: Hooks;
}

/** A design over another: hooks that are not given are the base's. */
export function defineDesign(
  base: Design | null,
  spec: Omit<Design, 'hooks'> & { readonly hooks: Partial<Hooks> },
): Design {
  if (base === null) return Object.freeze({ ...spec, hooks: spec.hooks as Hooks });
  return Object.freeze({ ...spec, hooks: Object.freeze({ ...base.hooks, ...spec.hooks }) });
}
