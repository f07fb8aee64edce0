/** Every design, in the order of the discussion. */
import { defer } from './defer.ts';
import type { Design } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';
import { noConversion } from './no-conversion.ts';

export const DESIGNS: readonly Design[] = [noConversion, mkwriteConvert, defer];

/** The design of that name; undefined for an unknown one. */
export function designById(id: string): Design | undefined {
  return DESIGNS.find((design) => design.id === id);
}

export { type Design, defineDesign } from './design.ts';
export { defer, mkwriteConvert, noConversion };
