import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { dirHash, HASH_VERSION } from '../../src/volume/dirHash.ts';
import { debugfs, refereed } from '../support/referee.ts';

const SEED = { hashSeed: '00112233445566778899aabbccddee00', hashUnsigned: false };

const hashes = (name: string, seed = SEED): string[] =>
  [HASH_VERSION.legacy, HASH_VERSION.halfMd4, HASH_VERSION.tea].map((version) => {
    const { hash, minorHash } = dirHash(Bytes.fromText(name), version, seed)!;
    return `${hash.toString(16)} ${minorHash.toString(16)}`;
  });

describe('dirHash', () => {
  test('Are the hashes the ones debugfs computed?', () => {
    expect(hashes('a')).toEqual(['e74b53e2 0', 'fe4b3a76 2d4ec7dc', 'f9b90e84 211795e4']);
    expect(hashes('lost+found')).toEqual(['5e2aba24 0', '1c7e7274 b4000ef4', 'd06209f0 605a7d48']);
    expect(hashes('q'.repeat(100))).toEqual(['7f637644 0', '3fb4f882 26f1d37c', '22ee60ac 6550f35c']);
  });

  test('Does a zero seed mean the default one, and signedness matter above ASCII only?', () => {
    const zero = { ...SEED, hashSeed: '0'.repeat(32) };
    expect(hashes('żółw', zero)[1]).toBe('47e81960 63647495');
    const unsigned = { ...SEED, hashUnsigned: true };
    expect(hashes('żółw', unsigned)).not.toEqual(hashes('żółw'));
    expect(hashes('plain', unsigned)).toEqual(hashes('plain'));
  });

  test('Is the lowest bit always free, and an unknown version unknown?', () => {
    for (let i = 0; i < 500; i++) expect(dirHash(Bytes.fromText(`n${i}`), 1, SEED)!.hash & 1).toBe(0);
    expect(dirHash(Bytes.fromText('n'), 6, SEED)).toBeUndefined();
  });

  refereed('Does debugfs agree on names of every length?', ['debugfs'], () => {
    const dashed = '00112233-4455-6677-8899-aabbccddee00';
    for (const length of [2, 15, 16, 17, 31, 32, 33, 64, 200]) {
      const name = Array.from({ length }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');
      const theirs = ['legacy', 'half_md4', 'tea'].map((version) => {
        const said = debugfs(Bytes.zero(0).toUint8Array(), `dx_hash -h ${version} -s ${dashed} ${name}`);
        const [, hash, minor] = /is 0x([0-9a-f]+) \(minor 0x([0-9a-f]+)\)/.exec(said)!;
        return `${hash} ${minor}`;
      });
      expect(hashes(name)).toEqual(theirs);
    }
  });
});
