/** explore and crash as KTAP and JUnit: a test per invariant. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { INVARIANTS } from '../../src/invariants/index.ts';
import { ext4lab } from '../support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'ext4lab-ktap-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** The scenario without its verdicts: nothing is known of it. */
function unknown(name: string): string {
  const json = JSON.parse(readFileSync(`fixtures/scenarios/${name}.json`, 'utf8')) as Record<string, unknown>;
  delete json.expect;
  delete json.crash;
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...json, image: { mkfs: { features: ['has_journal'] } } }));
  return file;
}

describe('explore --format ktap', () => {
  it('has a test per invariant, with what is known to fail expected to', async () => {
    const { out } = await ext4lab(
      'explore',
      'small-write-beside-store',
      '--design',
      'mkwrite-convert',
      '--format',
      'ktap',
    );
    expect(out).toMatch(/^KTAP version 1\n1\.\.1\n {2}KTAP version 1\n/);
    expect(out).toContain(`  1..${INVARIANTS.length + 1}\n`);
    expect(out).toMatch(/^ {2}(not )?ok \d+ bug-on # XFAIL/m);
    expect(out).toMatch(/^ {2}ok \d+ disksize$/m);
    expect(out).toMatch(/^ok 1 small-write-beside-store mkwrite-convert delalloc$/m);
  });

  it('fails with the story where nothing is known', async () => {
    const { out, code } = await ext4lab(
      'explore',
      unknown('small-write-beside-store'),
      '--design',
      'mkwrite-convert',
      '--format',
      'ktap',
    );
    expect(code).toBe(1);
    expect(out).toMatch(/^ {2}not ok \d+ bug-on$/m);
    expect(out).toMatch(/^ {2}# CPU0 +CPU1$/m);
    expect(out).toMatch(/^not ok 1 /m);
  });
});

describe('crash --format junit', () => {
  it('has a test per promise', async () => {
    const { out } = await ext4lab(
      'crash',
      unknown('crash-pending-beside-fsync'),
      '--design',
      'mkwrite-convert',
      '--format',
      'junit',
    );
    expect(out).toMatch(/^<\?xml/);
    for (const id of ['promise', 'foreign-bytes', 'recovery']) expect(out).toContain(`name="${id}"`);
    expect(out.match(/<failure/g)).toHaveLength(1);
    expect(out.match(/<testcase/g)!.length).toBeGreaterThanOrEqual(3);
  });
});
