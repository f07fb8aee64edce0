/**
 * Hex text with its repetitions written short: `41*50 0a0d 00*4046` is 50 times 41, 0a, 0d, 4046 times 00.
 * What recordings hold on disk, so that a person can read a page of zeros.
 */

/** A run shorter than this stays plain. */
const SHORTEST_RUN = 8;

export function packHex(hex: string): string {
  const parts: string[] = [];
  let plain = 0;
  for (let at = 0; at < hex.length; ) {
    const high = hex.charCodeAt(at);
    const low = hex.charCodeAt(at + 1);
    let end = at + 2;
    while (end < hex.length && hex.charCodeAt(end) === high && hex.charCodeAt(end + 1) === low) end += 2;
    const count = (end - at) / 2;
    if (count >= SHORTEST_RUN) {
      if (plain < at) parts.push(hex.slice(plain, at));
      parts.push(`${hex.slice(at, at + 2)}*${count}`);
      plain = end;
    }
    at = end;
  }
  if (plain < hex.length) parts.push(hex.slice(plain));
  return parts.join(' ');
}

/** What `packHex` writes. */
export const PACKED_HEX = /^(?:(?:[0-9a-f]{2})+(?:\*[1-9][0-9]*)?(?: (?!$)|$))*$/;

/** @throws RangeError for text that `packHex` does not write */
export function unpackHex(packed: string): string {
  if (!PACKED_HEX.test(packed)) throw new RangeError(`not packed hex: ${packed.slice(0, 60)}`);
  if (packed === '') return '';
  return packed
    .split(' ')
    .map((part) => {
      const [bytes, count] = part.split('*');
      return count === undefined ? bytes! : bytes!.repeat(Number(count));
    })
    .join('');
}
