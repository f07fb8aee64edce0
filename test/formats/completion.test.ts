/** Completion in a real bash, zsh and fish, with the names that the commands take. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundledFiles } from '../../src/cli/scenarioFiles.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { ext4lab } from '../support/command.ts';
import { refereed } from '../support/referee.ts';

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

  refereed('zsh completes, from its startup file and from fpath', ['zsh'], async () => {
    const { out } = await ext4lab('completion', 'zsh');
    const dir = mkdtempSync(join(tmpdir(), 'ext4lab-'));
    try {
      writeFileSync(join(dir, '_ext4lab'), `${out}\n`);
      for (const load of [
        `autoload -Uz compinit; compinit -D -u; source ${dir}/_ext4lab`,
        `fpath=(${dir} $fpath); autoload -Uz compinit; compinit -D -u`,
      ])
        expect(
          zsh(load, ['ext4lab race mmap-store', 'ext4lab race --designs defer,deci', 'ext4lab kern']),
        ).toEqual([
          'ext4lab race mmap-store-then-fsync ',
          'ext4lab race --designs defer,decision-pinning ',
          'ext4lab kernel ',
        ]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  refereed('fish completes', ['fish'], async () => {
    const { out } = await ext4lab('completion', 'fish');
    const offered = (line: string): string[] => {
      const ask = `${out}\ncomplete -C '${line}'`;
      const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', ask], { encoding: 'utf8' });
      expect(stderr).toBe('');
      return stdout.split('\n').flatMap((row) => (row === '' ? [] : [row.split('\t')[0]!]));
    };
    expect(offered('ext4lab race mmap-store')).toEqual(['mmap-store-then-fsync']);
    expect(offered('ext4lab race --designs defer,deci')).toEqual(['defer,decision-pinning']);
    expect(offered('ext4lab run x --design deci')).toEqual(['decision-pinning']);
    expect(offered('ext4lab kernel ')).toEqual(['check', 'record']);
    expect(offered('ext4lab completion ')).toEqual(['bash', 'fish', 'zsh']);
    expect(offered('ext4lab import READ')).toEqual(['README.md']);
    expect(offered('ext4lab import --fr')).toEqual(['--fresh']);
  });
});

/** What the lines are after a tab, in a zsh with a terminal of its own. */
function zsh(load: string, lines: readonly string[]): string[] {
  const ask = [
    'zmodload zsh/zpty',
    'zpty t zsh -f -i',
    `zpty -w t ${JSON.stringify(`${load}; show() { print -r -- "GOT<$BUFFER>"; BUFFER=; }; zle -N show; bindkey '^X' show; stty cols 200; print RE''ADY`).replaceAll('$', '\\$')}`,
    "zpty -r -m t out '*READY*'",
    ...lines.flatMap((line) => [
      `zpty -w -n t '${line}'$'\\t\\x18'`,
      "zpty -r -m t out '*GOT<*>*'",
      'print -r -- "$out"',
    ]),
  ].join('\n');
  const { stdout } = spawnSync('zsh', ['-f', '-c', ask], { encoding: 'utf8', timeout: 20_000 });
  return [...stdout.matchAll(/GOT<([^>]*)>/g)].map((match) => match[1]!);
}
