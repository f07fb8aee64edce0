import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { type AnyCommand, type CommandEntry, defineCommand } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { script } from '../../src/cli/completion.ts';
import { describeError, EXIT, shellWord, UsageError } from '../../src/cli/errors.ts';
import { main } from '../../src/cli/main.ts';
import { createProgress, progressText } from '../../src/cli/progress.ts';
import { bundledFiles, loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { createStyle, wantsColour } from '../../src/cli/style.ts';
import { table, wrap } from '../../src/cli/table.ts';
import { scenarioJsonSchema } from '../../src/scenario/schema.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ext4lab-'));
afterAll(() => rmSync(folder, { recursive: true }));

const scenario = (name: string) =>
  JSON.stringify({
    name,
    question: `Is ${name} read?`,
    image: { mkfs: {} },
    tasks: { CPU0: ['sync'], CPU1: ['@flush'] },
  });

const demo = defineCommand({
  about: 'A command for this test.',
  operands: ['SCENARIO', '[OTHER]'],
  options: {
    design: { type: 'text', value: 'D', needed: true, summary: 'see ext4lab designs' },
    strategy: {
      type: 'text',
      value: 'S',
      choices: ['exhaustive', 'pct'],
      default: 'exhaustive',
      summary: 'how',
    },
    only: { type: 'text', value: 'X', many: true, short: 'o', summary: 'which' },
    seed: { type: 'integer', value: 'N', max: 99, default: 1, summary: 'for pct' },
    budget: { type: 'integer', value: 'N', min: 1, summary: 'how many' },
    json: { type: 'flag', summary: 'one object' },
  },
  examples: ['demo x --design d'],
  run(ctx) {
    // The types of the options are those of the table.
    const {
      design,
      strategy,
      only,
      seed,
      budget,
      json,
    }: {
      design: string;
      strategy: 'exhaustive' | 'pct';
      only: readonly string[];
      seed: number;
      budget: number | undefined;
      json: boolean;
    } = ctx.options;
    ctx.say('talk');
    ctx.json({ operands: ctx.operands, design, strategy, only, seed, budget, json });
    return EXIT.differs;
  },
});

const failing = (thrown: unknown) =>
  defineCommand({
    about: 'Fails.',
    operands: ['[WORD…]'],
    options: {},
    run() {
      throw thrown;
    },
  });

const long = defineCommand({
  about: 'Runs until it is interrupted.',
  operands: [],
  options: {},
  async run(ctx) {
    const { signal } = ctx;
    while (!signal.aborted) await ctx.breathe();
    ctx.out('partial');
    return EXIT.ok;
  },
});

const entry = (name: string, command: AnyCommand): CommandEntry => ({
  name,
  summary: `about ${name}`,
  load: () => Promise.resolve({ default: command }),
});

async function run(words: string[], entries: readonly CommandEntry[] = COMMANDS, terminal = false) {
  const text = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (more: string) => void (text[name] += more),
    isTerminal: terminal,
    columns: undefined,
  });
  const code = await main(
    words,
    {
      stdout: sink('stdout'),
      stderr: sink('stderr'),
      env: {},
      onInterrupt: (callback) => setTimeout(callback, 5),
    },
    entries,
  );
  return { code, ...text };
}

describe('What does the command line say back?', () => {
  const entries = [entry('demo', demo), entry('kernel record', long), entry('kernel check', demo)];

  it.each<[string, RegExp]>([
    ['', /usage: ext4lab COMMAND/],
    ['demmo', /^ext4lab: unknown command "demmo" \(did you mean demo\?\)\n$/],
    ['zzzz', /^ext4lab: unknown command "zzzz" \(see ext4lab --help\)\n$/],
    ['--design d', /^ext4lab: unknown option --design \(a command comes first/],
    ['kernel', /^ext4lab: kernel needs one of record, check\n$/],
    ['kernel recrod', /^ext4lab: kernel recrod: not one of record, check \(did you mean record\?\)\n$/],
    ['help nothing', /unknown command "nothing"/],
    ['demo', /^ext4lab: demo needs --design D \(see ext4lab designs\)\n$/],
    ['demo --design d', /^ext4lab: demo needs SCENARIO \(see ext4lab demo --help\)\n$/],
    ['demo a b c --design d', /^ext4lab: demo: unexpected "c"\n$/],
    ['demo a --desing d', /^ext4lab: unknown option --desing for demo \(did you mean --design\?\)\n$/],
    ['demo a --zzzzzz', /^ext4lab: unknown option --zzzzzz for demo \(see ext4lab demo --help\)\n$/],
    ['demo a -z', /^ext4lab: unknown option -z for demo/],
    ['demo a --__proto__', /^ext4lab: unknown option --__proto__ for demo/],
    ['demo a --toString', /^ext4lab: unknown option --toString for demo/],
    ['demo a --design', /^ext4lab: --design needs a value: --design D\n$/],
    ['demo a --design --json', /^ext4lab: --design needs a value: --design D\n$/],
    ['demo a --design d --design e', /^ext4lab: --design is given twice\n$/],
    ['demo a --design d --json=yes', /^ext4lab: --json takes no value\n$/],
    ['demo a --design d --json --json', /^ext4lab: --json is given twice\n$/],
    ['demo a --design d --strategy dfs', /^ext4lab: --strategy dfs: not one of exhaustive, pct\n$/],
    ['demo a --design d --strategy exhaustiv', /\(did you mean exhaustive\?\)\n$/],
    ['demo a --design d --seed 1k', /^ext4lab: --seed 1k: not a whole number\n$/],
    ['demo a --design d --seed 100', /^ext4lab: --seed 100: at most 99\n$/],
    ['demo a --design d --seed -1', /^ext4lab: --seed -1: at least 0\n$/],
    ['demo a --design d --budget 0', /^ext4lab: --budget 0: at least 1\n$/],
    ['demo a --design d --budget 99999999999999999', /not a whole number/],
  ])('ext4lab %s', async (words, message) => {
    const { code, stdout, stderr } = await run(words.split(' ').filter(Boolean), entries);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: EXIT.badInput, stdout: '' });
  });

  it('hands a command its options, with defaults, as numbers, lists and flags', async () => {
    const short = await run(['demo', 'a', '--design', 'd'], entries);
    expect(short.code).toBe(EXIT.differs);
    expect(short.stderr).toBe('talk\n');
    const base = {
      schemaVersion: 1,
      operands: ['a'],
      design: 'd',
      strategy: 'exhaustive',
      only: [],
      seed: 1,
      json: false,
    };
    expect(JSON.parse(short.stdout)).toEqual(base);
    const full = 'demo --design=d a b --strategy pct -o x --only=--y --seed 7 --budget 9 --json'.split(' ');
    expect(JSON.parse((await run(full, entries)).stdout)).toEqual({
      ...base,
      operands: ['a', 'b'],
      strategy: 'pct',
      only: ['x', '--y'],
      seed: 7,
      budget: 9,
      json: true,
    });
    expect(JSON.parse((await run(['demo', '--design', 'd', '--', '--a'], entries)).stdout).operands).toEqual([
      '--a',
    ]);
  });

  it('is quiet where it is asked to be, before or after the command', async () => {
    for (const words of [
      ['demo', 'a', '--design', 'd', '-q'],
      ['--quiet', 'demo', 'a', '--design', 'd'],
    ]) {
      const { stdout, stderr } = await run(words, entries);
      expect(stderr).toBe('');
      expect(stdout).not.toBe('');
    }
  });

  it('prints help for all, and for one, generated from the table', async () => {
    const all = await run(['--help'], entries);
    expect(all.code).toBe(EXIT.ok);
    expect(all.stdout).toContain('  kernel record  about kernel record\n');
    expect(all.stdout).toContain('  130  interrupted');
    const one = await run(['demo', '--help'], entries);
    expect(one.stdout).toBe(
      [
        'usage: ext4lab demo SCENARIO [OTHER] --design D [options]',
        '',
        'A command for this test.',
        '',
        'options',
        '      --design D    see ext4lab designs',
        '      --strategy S  how (exhaustive | pct; default exhaustive)',
        '  -o, --only X      which (may be repeated)',
        '      --seed N      for pct (default 1)',
        '      --budget N    how many',
        '      --json        one object',
        '',
        'options of every command',
        '  -h, --help      this text',
        '  -q, --quiet     no talk on stderr',
        '      --no-color  no colour (so does NO_COLOR=1)',
        '',
        'examples',
        '  ext4lab demo x --design d',
        '',
      ].join('\n'),
    );
    expect((await run(['help', 'demo'], entries)).stdout).toBe(one.stdout);
    expect((await run(['kernel', 'record', '-h'], entries)).stdout).toContain(
      'usage: ext4lab kernel record\n',
    );
  });

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(await run(['--version'])).toEqual({ code: EXIT.ok, stdout: `${version}\n`, stderr: '' });
  });

  it('has help for every command, whose lines fit 80 columns', async () => {
    for (const { name } of COMMANDS) {
      const { code, stdout } = await run([...name.split(' '), '--help']);
      expect(code).toBe(EXIT.ok);
      for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    }
    expect((await run(['--help'])).stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
  });
});

describe('What becomes of an error?', () => {
  const named = (name: string) => Object.assign(new Error('what is wrong'), { name });

  it.each(['UsageError', 'ScenarioError', 'BadImage'])('%s: one message, no stack, exit 2', async (name) => {
    const { code, stderr } = await run(['x'], [entry('x', failing(named(name)))]);
    expect({ code, stderr }).toEqual({ code: EXIT.badInput, stderr: 'ext4lab: what is wrong\n' });
  });

  it('a file that cannot be read: its path and why', async () => {
    expect(await run(['scenarios', 'no/such.json'])).toEqual({
      code: EXIT.badInput,
      stdout: '',
      stderr: 'ext4lab: no/such.json: no such file or directory\n',
    });
  });

  it('a mistake of ours: exit 70, the stack, and what replays it', async () => {
    const { code, stderr } = await run(
      ['x', "it's", '--', 'b'],
      [entry('x', failing(new TypeError('oops')))],
    );
    expect(code).toBe(EXIT.internal);
    expect(stderr).toMatch(
      /^ext4lab: internal error, please report; replay with\n {4}ext4lab x 'it'\\''s' -- b\nTypeError: oops\n {4}at /,
    );
    expect(describeError(Object.assign(new Error('x'), { token: 's/d/01' }), []).text).toContain(
      'ext4lab replay s/d/01\n',
    );
    expect(describeError('a string', ['run'])).toMatchObject({ exit: EXIT.internal });
  });

  it('an interrupt: what there is, and exit 130', async () => {
    expect(await run(['long'], [entry('long', long)])).toEqual({
      code: EXIT.interrupted,
      stdout: 'partial\n',
      stderr: '',
    });
  });

  it('gives a hint in the message', () => expect(new UsageError('a', 'b').message).toBe('a (b)'));

  it('quotes for a shell', () => {
    expect(['a-b/c.json', '', 'a b', "a'b"].map(shellWord)).toEqual([
      'a-b/c.json',
      "''",
      "'a b'",
      "'a'\\''b'",
    ]);
  });
});

describe('Which scenarios are there?', () => {
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, 'deep'));
  write('b-one.json', scenario('b-one'));
  write('a-one.json', scenario('a-one'));
  write('deep/c-one.json', scenario('c-one'));
  write('notes.txt', '');

  it('finds them by name, file and folder, sorted, each once', () => {
    const names = (words: string[]) => loadScenarios(words, folder).map(({ name }) => name);
    expect(names([])).toEqual(['a-one', 'b-one', 'c-one']);
    expect(names(['c-one', 'a-one', 'c-one'])).toEqual(['c-one', 'a-one']);
    expect(names([join(folder, 'deep'), join(folder, 'a-one.json')])).toEqual(['c-one', 'a-one']);
    expect(() => names(['a-oen'])).toThrow('no bundled scenario "a-oen" (did you mean a-one?)');
    expect(() => names(['zzz'])).toThrow('(see ext4lab scenarios)');
    expect(bundledFiles(join(folder, 'nothing'))).toEqual([]);
    write('other.json', scenario('a-one'));
    expect(() => names([])).toThrow(/two scenarios are called a-one: .*a-one\.json and .*other\.json/);
    rmSync(join(folder, 'other.json'));
    mkdirSync(join(folder, 'empty'));
    expect(() => names([join(folder, 'empty')])).toThrow('holds no scenario');
  });

  it('lists them as text, names and JSON', async () => {
    const text = await run(['scenarios', folder]);
    expect(text).toEqual({
      code: EXIT.ok,
      stdout: 'a-one  Is a-one read?\nb-one  Is b-one read?\nc-one  Is c-one read?\n',
      stderr: '',
    });
    expect((await run(['scenarios', folder, '--names'])).stdout).toBe('a-one\nb-one\nc-one\n');
    expect(JSON.parse((await run(['scenarios', join(folder, 'a-one.json'), '--json'])).stdout)).toEqual({
      schemaVersion: 1,
      scenarios: [
        {
          name: 'a-one',
          question: 'Is a-one read?',
          file: join(folder, 'a-one.json'),
          source: [],
          lanes: ['CPU0', 'CPU1'],
          mounts: ['delalloc'],
        },
      ],
    });
  });

  it('says where a bundled one is wrong', async () => {
    write('bad.json', scenario('bad').replace('"sync"', '"snyc"'));
    const { code, stderr } = await run(['scenarios', join(folder, 'bad.json')]);
    expect(code).toBe(EXIT.badInput);
    expect(stderr).toContain(
      'bad.json: lane CPU0, line 1, column 1: unknown verb "snyc" (did you mean sync?)\n',
    );
    rmSync(join(folder, 'bad.json'));
  });

  it('are every one readable, and called like their file', () => {
    for (const { name, file } of loadScenarios([])) expect(file.endsWith(`${name}.json`), file).toBe(true);
  });

  it('prints their schema', async () => {
    expect(JSON.parse((await run(['schema'])).stdout)).toEqual(
      JSON.parse(JSON.stringify(scenarioJsonSchema())),
    );
  });
});

describe('style, table, progress', () => {
  it('colours when the terminal or FORCE_COLOR says so; FORCE_COLOR beats NO_COLOR', () => {
    expect(wantsColour({}, true)).toBe(true);
    expect(wantsColour({}, false)).toBe(false);
    expect(wantsColour({ NO_COLOR: '1' }, true)).toBe(false);
    expect(wantsColour({ NO_COLOR: '' }, true)).toBe(true);
    expect(wantsColour({ TERM: 'dumb' }, true)).toBe(false);
    expect(wantsColour({ FORCE_COLOR: '1', NO_COLOR: '1' }, false)).toBe(true);
    expect(wantsColour({ FORCE_COLOR: '0' }, true)).toBe(false);
    expect(createStyle(false).bad('x')).toBe('x');
    expect(createStyle(true).good('x')).toBe('\u001b[32mx\u001b[39m');
  });

  it('colours help on a terminal, not with --no-color', async () => {
    expect((await run(['--help'], COMMANDS, true)).stdout).toContain('\u001b[1mcommands');
    expect((await run(['--help', '--no-color'], COMMANDS, true)).stdout).not.toContain('\u001b');
  });

  it('aligns columns and folds the last one', () => {
    expect(
      table(
        [
          ['a', '1', 'one two three four'],
          ['bbb', '22', ''],
        ],
        { right: [1], width: 28 },
      ),
    ).toBe('a     1  one two three four\nbbb  22');
    expect(table([['name', 'word '.repeat(8).trim()]], { width: 28, indent: 2 })).toBe(
      '  name  word word word word\n        word word word word',
    );
    expect(table([])).toBe('');
    expect(wrap('a\nb', 10)).toEqual(['a', 'b']);
  });

  it('shows rate and ETA once they mean something, and only to a terminal', () => {
    expect(progressText('race', 120, 400, null)).toBe('race  120/400');
    expect(progressText('race', 1200, 401_200, 1000)).toBe('race  1,200/401,200  1,000/s  ETA 6m40s');
    expect(progressText('race', 5, null, 2.5)).toBe('race  5  2.5/s');
    expect(progressText('race', 1, 3_600_001, 500)).toContain('ETA 2h00m');

    const written: string[] = [];
    let now = 0;
    const target = { write: (text: string) => void written.push(text), columns: 20, now: () => now };
    createProgress({ ...target, isTerminal: false }).update('race', 1, 2);
    expect(written).toEqual([]);
    const progress = createProgress({ ...target, isTerminal: true });
    progress.clear();
    progress.update('race', 0, 10);
    now = 50;
    progress.update('race', 1, 10);
    now = 1000;
    progress.update('race', 5, 10);
    progress.update('race', 10, 10);
    progress.clear();
    progress.clear();
    expect(written.map((text) => text.replace('\r\u001b[2K', '>'))).toEqual([
      '>race  0/10',
      '>race  5/10  5.0/s  ',
      '>race  10/10  10/s',
      '>',
    ]);
  });

  it('takes the progress line away before it prints, and at the end', async () => {
    const busy = defineCommand({
      about: 'Shows progress.',
      operands: [],
      options: {},
      run(ctx) {
        ctx.progress.update('race', 1, 2);
        ctx.out('data');
        ctx.progress.update('other', 1, 2);
        return EXIT.ok;
      },
    });
    const seen = await run(['busy'], [entry('busy', busy)], true);
    expect(seen.stderr.split('\r\u001b[2K')).toEqual(['', 'race  1/2', '', 'other  1/2', '']);
    expect((await run(['busy', '-q'], [entry('busy', busy)], true)).stderr).toBe('');
  });
});

describe('completion', () => {
  const commands = [
    { name: 'race', summary: "it's the job", options: { json: { type: 'flag', summary: 's' } } },
    {
      name: 'explore',
      summary: 's',
      options: { strategy: { type: 'text', value: 'S', choices: ['pct', 'random'], summary: 's' } },
    },
    { name: 'kernel record', summary: 's', options: {} },
    {
      name: 'kernel check',
      summary: 's',
      options: { design: { type: 'text', value: 'D', short: 'd', summary: 's' } },
    },
  ] as const;

  it('completes commands, subcommands, options and choices in bash', () => {
    const complete = (line: string): string[] => {
      const words = line.split(' ');
      const ask = `${script('bash', commands)}\nCOMP_WORDS=(${words.map((w) => `'${w}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _ext4lab; echo "\${COMPREPLY[@]}"`;
      const said = spawnSync('bash', ['--norc', '-c', ask], { encoding: 'utf8' });
      expect(said.stderr).toBe('');
      return said.stdout.trim().split(' ').filter(Boolean);
    };
    expect(complete('ext4lab ')).toEqual(['race', 'explore', 'kernel', '--help', '--version']);
    expect(complete('ext4lab r')).toEqual(['race']);
    expect(complete('ext4lab kernel ')).toEqual(['record', 'check']);
    expect(complete('ext4lab race --')).toEqual(['--json']);
    expect(complete('ext4lab explore --strategy ')).toEqual(['pct', 'random']);
    expect(complete('ext4lab kernel check --d')).toEqual(['--design']);
    expect(complete('ext4lab race x')).toEqual([]);
  });

  it('writes one line a thing for fish, and wraps bash for zsh', () => {
    const fish = script('fish', commands).split('\n');
    expect(fish).toContain(`complete -c ext4lab -n __fish_use_subcommand -f -a race -d 'it\\'s the job'`);
    expect(fish).toContain(
      `complete -c ext4lab -n '__fish_seen_subcommand_from explore' -l strategy -r -f -a 'pct random' -d 's'`,
    );
    expect(script('zsh', commands)).toMatch(/^#compdef ext4lab\n.*bashcompinit/);
  });

  it('is printed for the real table, and for no other shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await run(['completion', shell]);
      expect(code).toBe(EXIT.ok);
      for (const { name } of COMMANDS) expect(stdout).toContain(name.split(' ')[0]);
    }
    expect(await run(['completion', 'csh'])).toMatchObject({
      code: EXIT.badInput,
      stderr: 'ext4lab: no completion for csh (bash, zsh, fish)\n',
    });
  });
});

describe('The process', () => {
  const bin = join(root, 'bin/ext4lab.mjs');

  it('exits with the code, data and talk apart', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'nonsense'], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: EXIT.badInput, stdout: '' });
    expect(stderr).toMatch(/^ext4lab: unknown command "nonsense" \(see ext4lab --help\)\n$/);
  });

  it('does not mind a reader that stops reading', async () => {
    const child = spawn(process.execPath, [bin, 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect({ status, stderr }).toEqual({ status: EXIT.ok, stderr: '' });
  });

  it('ends at ^C when the command does, at the second at once', async () => {
    // A command that prints what it has at the first ^C, and with `stuck` never ends by itself.
    const program = (stuck: boolean) => `
      import { COMMANDS } from './src/cli/commands/index.ts';
      import { runProcess } from './src/cli/main.ts';
      const run = async (ctx) => {
        const { signal } = ctx;
        ctx.say('ready');
        while (!signal.aborted) await ctx.breathe();
        ctx.out('partial');
        while (${stuck}) await ctx.breathe();
        return 0;
      };
      COMMANDS.push({ name: 'long', load: async () => ({ default: { operands: [], options: {}, run } }) });
      process.argv[2] = 'long';
      await runProcess();`;
    const interrupted = (stuck: boolean) => {
      const args = ['--import', 'tsx', '--input-type=module', '-e', program(stuck), 'x'];
      const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
      let stdout = '';
      let stderr = '';
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
        if (stderr.endsWith('ready\n')) child.kill('SIGINT');
      });
      child.stdout.on('data', (chunk) => {
        stdout += chunk;
        if (stuck) child.kill('SIGINT');
      });
      return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })));
    };
    const expected = { status: EXIT.interrupted, stdout: 'partial\n', stderr: 'ready\n' };
    expect(await Promise.all([interrupted(false), interrupted(true)])).toEqual([expected, expected]);
  });
});
