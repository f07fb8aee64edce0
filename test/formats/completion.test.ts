/** Completion in a real bash, with the names that the commands take. */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundledFiles } from '../../src/cli/scenarioFiles.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { ext4lab } from '../support/command.ts';

let script = '';
beforeAll(async () => {
  script = (await ext4lab('completion', 'bash')).out;
});

/** What a tab at the end of the line offers. */
function complete(line: string): string[] {
  const words = line.split(' ');
  const ask = `${script}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _ext4lab; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', ask], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

describe('bash completes', () => {
  it('scenarios, wherever a command takes one', () => {
    expect(complete('ext4lab race ').length).toBe(bundledFiles().length);
    for (const command of ['race', 'run', 'explore', 'crash', 'lockdep', 'export'])
      expect(complete(`ext4lab ${command} mmap-store-then`)).toEqual(['mmap-store-then-fsync']);
    expect(complete('ext4lab run mmap-store-then-fsync --design defer two-app')).toEqual(['two-appends']);
  });

  it('designs, and the last of a list of them', () => {
    expect(complete('ext4lab run x --design decision')).toEqual(['decision-pinning']);
    expect(complete('ext4lab race --designs ')).toEqual(['all', ...DESIGNS.map(({ id }) => id)]);
    expect(complete('ext4lab race --designs defer,decision')).toEqual(['defer,decision-pinning']);
  });

  it('mounts, formats, shells, schemas, claims and short options', () => {
    expect(complete('ext4lab run x --mount nodel')).toEqual(['nodelalloc']);
    expect(complete('ext4lab race --format ')).toEqual(['text', 'ktap', 'junit', 'chrome']);
    expect(complete('ext4lab import --as ')).toEqual(['xfs_io', 'fsx', 'syz', 'inode']);
    expect(complete('ext4lab completion ')).toEqual(['bash', 'zsh', 'fish']);
    expect(complete('ext4lab schema inspect-')).toEqual(['inspect-image', 'inspect-inode']);
    expect(complete('ext4lab claims ').length).toBeGreaterThan(5);
    expect(complete('ext4lab inspect --ma')).toEqual(['--map']);
  });

  it('nothing of its own where a file is meant', () => {
    expect(complete('ext4lab import ')).toEqual([]);
    expect(complete('ext4lab import --name ')).toEqual([]);
    expect(complete('ext4lab race ./my')).toEqual([]);
  });
});

describe('the scripts of the other shells', () => {
  it('have the same names', async () => {
    const fish = (await ext4lab('completion', 'fish')).out;
    expect(fish).toContain('mmap-store-then-fsync');
    expect(fish).toMatch(/seen_subcommand_from run' -l design -r -f -a '[^']*decision-pinning/);
    const zsh = (await ext4lab('completion', 'zsh')).out;
    expect(zsh).toContain(script.trim());
  });

  it.skipIf(spawnSync('zsh', ['--version']).status !== 0)('zsh reads its script', async () => {
    const { out } = await ext4lab('completion', 'zsh');
    expect(
      spawnSync('zsh', ['-fc', `autoload -Uz compinit && compinit -D -u\n${out}`], { encoding: 'utf8' })
        .stderr,
    ).toBe('');
  });

  it.skipIf(spawnSync('fish', ['--version']).status !== 0)('fish reads its script', async () => {
    const { out } = await ext4lab('completion', 'fish');
    expect(spawnSync('fish', ['--no-config', '-c', out], { encoding: 'utf8' }).stderr).toBe('');
  });
});
