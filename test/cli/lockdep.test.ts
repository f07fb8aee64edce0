/** lockdep, deadlocks and machine formats, as the commands print them. */
import { describe, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { mkwriteInodeLock } from '../../src/designs/mkwrite-inode-lock.ts';
import { explore } from '../../src/explore/explore.ts';
import { formatSchedule } from '../../src/explore/schedule.ts';
import { startSession } from '../../src/scenario/session.ts';
import { ext4lab } from '../support/command.ts';
import { SCENARIOS } from '../support/scenarios.ts';

describe('lockdep', () => {
  it('prints the report of a design and exits 1', async () => {
    const { code, out } = await ext4lab('lockdep', 'small-write-beside-store', '--designs', 'mmap-convert');
    expect(code).toBe(1);
    expect(out).toContain('WARNING: possible circular locking dependency detected\nEMULATED: ext4lab');
    expect(out).toContain(
      'mmap-convert: possible circular locking dependency: &mm->mmap_lock -> &sb->s_type->i_mutex_key -> &mm->mmap_lock',
    );
  });

  it('is silent about a design without one, and gives the graph when asked', async () => {
    const quiet = await ext4lab(
      'lockdep',
      'small-write-beside-store',
      '--designs',
      'decision-pinning',
      '--edges',
    );
    expect(quiet.code).toBe(0);
    expect(quiet.out).toContain('decision-pinning: no complaint');
    expect(quiet.out).toMatch(/^jbd2_handle -> &ei->xattr_sem\n {4}\S.* > ext4_\w+$/m);
  });

  it('as JSON', async () => {
    const { out } = await ext4lab(
      'lockdep',
      'small-write-beside-store',
      '--designs',
      'mmap-convert',
      '--json',
    );
    const json = JSON.parse(out);
    expect(json).toMatchObject({ schemaVersion: 1, incomplete: 0 });
    expect(json.designs[0].splats[0]).toMatchObject({
      kind: 'circular',
      classes: ['&mm->mmap_lock', '&sb->s_type->i_mutex_key', '&mm->mmap_lock'],
    });
  });

  it('stands in what explore and race say', async () => {
    const options = ['--designs', 'mmap-convert', '--stories', 'none', '--no-crash'];
    const raced = await ext4lab('race', 'small-write-beside-store', ...options);
    expect(raced.out).toContain('  mmap-convert: possible circular locking dependency');
    const explored = await ext4lab(
      'explore',
      'small-write-beside-store',
      '--design',
      'mmap-convert',
      '--json',
    );
    expect(JSON.parse(explored.out).lockdep).toHaveLength(1);
  });
});

describe('a deadlock', () => {
  it('is replayed with the cycle of who waits for whom, and where', async () => {
    const scenario = SCENARIOS.find(({ name }) => name === 'store-beside-truncate-down')!;
    const { k, world, specs } = startSession(
      scenario,
      imageOf(scenario),
      mkwriteInodeLock,
      scenario.mounts[0]!,
    );
    const { violations } = explore({ k, world, specs, invariants: [] });
    expect(violations.map(({ invariant }) => invariant)).toEqual(['no-deadlock']);
    const token = `${scenario.name}:mkwrite-inode-lock@delalloc:${formatSchedule(violations[0]!.schedule)}`;
    const { code, out } = await ext4lab('replay', token);
    expect(code).toBe(1);
    expect(out).toMatch(/ ---> waits/);
    expect(out).toContain(
      'no-deadlock: deadlock: CPU0 waits for inode_lock(&sb->s_type->i_mutex_key) of 12 in ext4_page_mkwrite, ' +
        'held by CPU1; CPU1 waits for filemap_invalidate_lock(mapping.invalidate_lock) of 12 in ext4_setattr, ' +
        'held shared by CPU0',
    );
    const trace = await ext4lab('replay', token, '--trace');
    expect(trace.out).toMatch(
      /^ *\d+ CPU1 +ftruncate {2}inode_lock\(&sb->s_type->i_mutex_key\) {2}\| \+&sb/m,
    );
    expect(trace.out).toContain('-- deadlock: CPU0 waits for');
  });
});

describe('race --format', () => {
  it('ktap and junit know what is expected', async () => {
    const run = (format: string) =>
      ext4lab(
        'race',
        'mmap-store-then-fsync',
        '--designs',
        'mkwrite-convert',
        '--no-crash',
        '--format',
        format,
      );
    const ktap = await run('ktap');
    expect(ktap.code).toBe(0);
    expect(ktap.out).toMatch(/^KTAP version 1\n1\.\.1\n/);
    expect(ktap.out).toContain('ok 1 mkwrite-convert delalloc # XFAIL violates model, durability, alias\n');
    const junit = await run('junit');
    expect(junit.out).toMatch(/<testsuite name="mmap-store-then-fsync" tests="\d+" failures="0"/);
  });
});
