import { setHandOver } from '../bytes/bytes.ts';
import type { Op } from '../task.ts';

export function runDirect<T>(op: Op<T>): T {
  const before = setHandOver(true);
  const { done, value } = op.next();
  setHandOver(before);
  if (!done) throw new Error('an op of a direct kernel was handed out');
  return value as T;
}
