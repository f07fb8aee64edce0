/** What the readers of compressed things are handed here; in a browser it is DecompressionStream. */
import { inflateSync } from 'node:zlib';

/** Larger than any image the emulator takes. */
const MAX_BYTES = 256 << 20;

/** A zlib stream. @throws the error of zlib */
export function inflate(packed: Uint8Array): Uint8Array {
  return new Uint8Array(inflateSync(packed, { maxOutputLength: MAX_BYTES }));
}
