import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FEATURES, makeVolume } from '../../src/scenario/image.ts';
import { readJson } from '../../src/scenario/json.ts';
import { ScenarioError } from '../../src/scenario/parse.ts';
import {
  expectationOf,
  mountLabel,
  readScenario,
  type ScenarioFile,
  scenarioJsonSchema,
} from '../../src/scenario/schema.ts';

const design8: ScenarioFile = {
  $schema: '../../schema/scenario-1.json',
  name: 'mmap-store-then-fsync',
  question: 'Does an mmap store on an inline file survive msync, fsync and a remount?',
  source: ['7b4cc9787fe3'],
  image: { mkfs: { blockSize: 4096, inodeSize: 256, blocks: 2048, features: ['has_journal'] } },
  mount: ['delalloc'],
  setup: ['open -f /f', 'pwrite -S 0x41 0 50', 'fsync'],
  tasks: { CPU0: ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4', 'msync -s', 'fsync'] },
  after: ['@remount', 'open /f', 'pread 0 50'],
  explore: { preemptions: 2 },
  reaches: ['ext4_page_mkwrite'],
  expect: { 'mkwrite-convert': { violates: ['durability'] }, 'page-cache-convert': { holds: 'exhaustive' } },
};

const least: ScenarioFile = {
  name: 'least',
  question: 'Is this enough?',
  image: { mkfs: {} },
  tasks: { CPU0: ['sync'] },
};

const read = (value: unknown) => readScenario(JSON.stringify(value, null, 2), 'fixtures/x.json');
const messageOf = (value: unknown): string => messageOfText(JSON.stringify(value, null, 2));

function messageOfText(text: string): string {
  try {
    readScenario(text, 'fixtures/x.json');
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError);
    return (error as ScenarioError).message;
  }
  throw new Error('nothing was thrown');
}

describe('readScenario', () => {
  it('reads the scenario of the design document', () => {
    const scenario = read(design8);
    expect(scenario).toMatchObject({
      file: 'fixtures/x.json',
      name: 'mmap-store-then-fsync',
      image: { mkfs: { blockSize: 4096, inodeSize: 256, blocks: 2048, features: ['has_journal'] } },
      mounts: [['delalloc']],
      freeBlocks: null,
      schedule: null,
      explore: { strategy: 'exhaustive', preemptions: 2, budget: null, seed: 1 },
      expect: { 'mkwrite-convert': { violates: ['durability'] } },
    });
    expect(scenario.setup.map((line) => line.command.verb)).toEqual(['open', 'pwrite', 'fsync']);
    expect(scenario.lanes.map(({ name, lines }) => [name, lines.length])).toEqual([['CPU0', 5]]);
    expect(scenario.after[0]).toEqual({
      lane: 'after',
      line: 1,
      text: '@remount',
      command: { verb: '@remount' },
    });
  });

  it('fills in what may be left out', () => {
    expect(read(least)).toEqual({
      file: 'fixtures/x.json',
      name: 'least',
      question: 'Is this enough?',
      source: [],
      image: { mkfs: { blockSize: 4096, inodeSize: 256, blocks: 2048, features: [] } },
      mounts: [['delalloc']],
      freeBlocks: null,
      dirtyLimit: null,
      setup: [],
      lanes: [{ name: 'CPU0', lines: [{ lane: 'CPU0', line: 1, text: 'sync', command: { verb: 'sync' } }] }],
      after: [],
      schedule: null,
      explore: { strategy: 'exhaustive', preemptions: null, budget: null, seed: 1 },
      reaches: [],
      expect: {},
      crash: {},
    });
  });

  it('keeps lanes in the order of the file', () => {
    const tasks = { z: ['sync'], a: ['sync'], kworker: ['@flush'] };
    expect(read({ ...least, tasks }).lanes.map(({ name }) => name)).toEqual(['z', 'a', 'kworker']);
  });

  it('expects per design, and per mount where that is written', () => {
    const scenario = read({
      ...least,
      mounts: [['delalloc'], ['nodelalloc', 'data=ordered'], []],
      expect: {
        'drop-bug-on': { holds: 'exhaustive' },
        'drop-bug-on@nodelalloc,data=ordered': { violates: ['I2'] },
      },
    });
    expect(scenario.mounts.map(mountLabel)).toEqual(['delalloc', 'nodelalloc,data=ordered', 'defaults']);
    expect(expectationOf(scenario, 'drop-bug-on', ['delalloc'])).toEqual({ holds: 'exhaustive' });
    expect(expectationOf(scenario, 'drop-bug-on', ['nodelalloc', 'data=ordered'])).toEqual({
      violates: ['I2'],
    });
    expect(expectationOf(scenario, 'toString', ['delalloc'])).toBeNull();
  });
});

describe('What does a scenario that cannot be read say?', () => {
  it.each<[string, object, string]>([
    ['unknown key', { setpu: [] }, 'setpu: unknown key "setpu" (did you mean "setup"?)'],
    [
      'unknown inner key',
      { image: { mkfs: { blocksize: 1024 } } },
      'unknown key "blocksize" (did you mean "blockSize"?)',
    ],
    ['unknown explore key', { explore: { preemption: 1 } }, 'did you mean "preemptions"?'],
    ['far key', { qqqqqq: 1 }, 'unknown key "qqqqqq"'],
    ['missing key', { name: undefined }, 'missing key "name"'],
    ['wrong type', { setup: 'open /f' }, 'setup: expected a list, not a string'],
    ['wrong inner type', { setup: ['sync', 7] }, 'setup[1]: expected a string, not a number'],
    ['a bad name', { name: 'Big Name' }, '"Big Name": lower-case letters, digits and -'],
    ['no question', { question: 'It holds.' }, 'a question ends with ?'],
    [
      'an odd block size',
      { image: { mkfs: { blockSize: 512 } } },
      'image.mkfs.blockSize: 512 is none of 1024, 2048, 4096',
    ],
    [
      'an inode over its block',
      { image: { mkfs: { blockSize: 1024, inodeSize: 4096 } } },
      'an inode of 4096 bytes in a block of 1024',
    ],
    ['a feature', { image: { mkfs: { features: ['inline-data'] } } }, '(did you mean "inline_data"?)'],
    ['a feature twice', { image: { mkfs: { features: ['verity', '^verity'] } } }, 'verity is there twice'],
    [
      'no journal, sized',
      { image: { mkfs: { features: ['^has_journal'], journalBlocks: 1024 } } },
      'without has_journal',
    ],
    ['half an image', { image: {} }, 'image: one of "mkfs", "file" is needed'],
    ['two images', { image: { mkfs: {}, file: 'a.img' } }, 'is needed, not several'],
    ['an image misspelt', { image: { mkf: {} } }, 'did you mean "mkfs"?'],
    ['an image that is a name', { image: 'a.img' }, 'image: expected an object, not a string'],
    ['a mount option', { mount: ['nodelaloc'] }, '(did you mean "nodelalloc"?)'],
    ['contrary options', { mount: ['delalloc', 'nodelalloc'] }, 'delalloc and nodelalloc do not go together'],
    [
      'refused options',
      { mount: ['data=journal', 'delalloc'] },
      'the kernel refuses data=journal with delalloc',
    ],
    ['mount and mounts', { mount: [], mounts: [[]] }, 'either mount or mounts'],
    ['a mount twice', { mounts: [['delalloc'], ['delalloc']] }, '"delalloc" is there twice'],
    ['no lane', { tasks: {} }, 'tasks: no lane'],
    ['an empty lane', { tasks: { A: [] } }, 'tasks.A: a list of 0 is less than 1'],
    ['a numbered lane', { tasks: { 0: ['sync'] } }, 'key "0": a lane name begins with a letter'],
    ['a reserved lane', { tasks: { setup: ['sync'] } }, '"setup" is not a lane name'],
    [
      'many lanes',
      { tasks: Object.fromEntries([...'abcdefghi'].map((n) => [n, ['sync']])) },
      '9 lanes, at most 8',
    ],
    ['many lines', { setup: Array(201).fill('sync') }, 'setup: a list of 201 is more than 200'],
    ['a half preemption', { explore: { preemptions: 0.5 } }, 'explore.preemptions: expected an integer'],
    ['a strategy', { explore: { strategy: 'dfs' } }, '"dfs" is none of "exhaustive", "pct", "random"'],
    [
      'an empty verdict',
      { expect: { a: {} } },
      'one of "holds", "violates", "inconclusive", "notApplicable" is needed',
    ],
    ['two verdicts', { expect: { a: { holds: 'x', violates: ['y'] } } }, 'not several'],
    ['a verdict misspelt', { expect: { a: { hold: 'x' } } }, 'did you mean "holds"?'],
    [
      'a verdict of the wrong type',
      { expect: { a: { holds: true } } },
      'expect.a.holds: expected a string, not a boolean',
    ],
    [
      'a mount that is not run',
      { expect: { 'a@nodelalloc': { holds: 'x' } } },
      'no mount "nodelalloc" in this scenario (it has "delalloc")',
    ],
    ['a schedule of two words', { schedule: '0 1' }, 'a schedule is one word'],
    ['negative space', { freeBlocks: -1 }, 'freeBlocks: -1 is less than 0'],
  ])('%s', (_, change, part) => {
    const message = messageOf({ ...least, ...change });
    expect(message).toContain(part);
    expect(message).toMatch(/^fixtures\/x\.json:\d+:\d+: /);
  });

  it('points at the place, and says everything that is wrong, in the order of the file', () => {
    const text =
      '{\n  "name": "n",\n  "question": "q?",\n  "image": { "mkfs": { "blocks": 1 } },\n  "taks": {}\n}';
    expect(messageOfText(text).split('\n')).toEqual([
      'fixtures/x.json:1:1: missing key "tasks"',
      'fixtures/x.json:4:34: image.mkfs.blocks: 1 is less than 64',
      'fixtures/x.json:5:3: taks: unknown key "taks" (did you mean "tasks"?)',
    ]);
  });

  it('counts what it does not list', () => {
    const message = messageOf({ ...least, setup: Array(20).fill(0) });
    expect(message.split('\n')).toHaveLength(9);
    expect(message).toMatch(/and 12 more$/);
  });

  it('names lane, line and column of a bad line', () => {
    const tasks = { CPU0: ['open /f', 'sync', 'pwrite -s 1 0 5'] };
    expect(messageOf({ ...least, tasks })).toMatch(
      /^fixtures\/x\.json: lane CPU0, line 3, column 8: pwrite -s is not supported \(a seed is -S/,
    );
    expect(messageOf({ ...least, after: ['fsync'] })).toMatch(
      /^fixtures\/x\.json: after, line 1, column 1: fsync needs/,
    );
  });

  it.each<[string, string]>([
    ['', '1:1: not JSON: the text ends where a value should be'],
    ['[', '1:2: not JSON: the text ends where a value should be'],
    ['{', '1:2: not JSON: the text ends where a key in double quotes should be; { is open since line 1'],
    ['{\n "a": 1', '2:8: not JSON: the text ends where , or } should be; { is open since line 1'],
    ['{"a" 1}', '1:6: not JSON: unexpected "1" after key "a", where : should be'],
    ["{'a': 1}", `1:2: not JSON: unexpected "'" where a key in double quotes should be`],
    ['{"a": 1,}', '1:8: not JSON: a comma before }'],
    ['[1,\n]', '1:3: not JSON: a comma before ]'],
    ['{"a": 1 "b": 2}', '1:9: not JSON: unexpected "\\"" where , or } should be'],
    ['{"a": 1, "a": 2}', '1:10: not JSON: key "a" is there twice'],
    ['{"a":\n01}', '2:2: not JSON: unexpected "1" where , or } should be'],
    ['{"a": truth}', '1:7: not JSON: unexpected "t" where a value should be'],
    ['{"a": "x\n"}', '1:7: not JSON: string is not closed'],
    ['{"a": "\\x"}', '1:8: not JSON: unknown escape in a string'],
    ['{"a": "\t"}', '1:8: not JSON: control character in a string'],
    ['{} // end', '1:4: not JSON: JSON has no comments'],
    ['{} {}', '1:4: not JSON: unexpected "{" after the end of the JSON value'],
    ['{"__proto__": 1}', '1:2: not JSON: a key may not be "__proto__"'],
    ['['.repeat(100_000), '1:34: not JSON: nested too deeply'],
    ['null', '1:1: expected an object, not null'],
    ['[]', '1:1: expected an object, not a list'],
  ])('%j', (text, message) => expect(messageOfText(text)).toContain(`fixtures/x.json:${message}`));

  it('throws nothing but ScenarioError, whatever is written', () => {
    const survives = (text: string): void => {
      try {
        readScenario(text, 'f');
      } catch (error) {
        if (!(error instanceof ScenarioError)) throw error;
      }
    };
    fc.assert(fc.property(fc.string({ unit: 'binary' }), survives), { numRuns: 500 });
    fc.assert(fc.property(fc.json(), survives), { numRuns: 300 });
    // A good scenario with one value replaced or one character changed.
    const good = JSON.stringify(design8);
    const keys = Object.keys(design8);
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) =>
        survives(JSON.stringify({ ...design8, [key]: value })),
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, insert) =>
        survives(good.slice(0, at) + insert + good.slice(at + 1)),
      ),
      { numRuns: 500 },
    );
  });
});

describe('makeVolume', () => {
  const mkfs = (text: object) => {
    const { image } = read({ ...least, image: { mkfs: text } });
    return 'mkfs' in image ? image.mkfs : expect.unreachable();
  };

  it('makes what a scenario asks for; every feature that may be named can be made', () => {
    for (const feature of FEATURES) makeVolume(mkfs({ blocks: 4096, features: [feature] }));
  });

  it('says what does not fit together as the scenario’s fault', () => {
    const spec = mkfs({ inodeSize: 128, features: ['inline_data'] });
    expect(() => makeVolume(spec, 'x.json')).toThrow(
      new ScenarioError('image.mkfs: inline_data needs inodes larger than 128 bytes', { file: 'x.json' }),
    );
    expect(() => makeVolume(mkfs({ blocks: 64, inodes: 1024 }), 'x.json')).toThrow(
      /^x\.json: image\.mkfs: blocks 64/,
    );
  });
});

describe('readJson', () => {
  it('agrees with JSON.parse on every JSON text', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        if (text.includes('"__proto__"')) return;
        expect(readJson(text).value).toEqual(JSON.parse(text));
      }),
    );
  });

  it('takes nothing that JSON.parse refuses', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '1',
      '-',
      '0',
      '.5',
      'e1',
      'true',
      ' ',
      '\n',
      '"',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('');
        let value: unknown;
        try {
          value = readJson(text).value;
        } catch {
          return;
        }
        expect(value).toEqual(JSON.parse(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('schema/scenario-1.json', () => {
  it('is what scripts/generate-schema.ts writes', () => {
    const written = readFileSync(new URL('../../schema/scenario-1.json', import.meta.url), 'utf8');
    expect(written, 'run: npx tsx scripts/generate-schema.ts').toBe(
      `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`,
    );
  });

  it('is strict, and knows every key', () => {
    const schema = scenarioJsonSchema() as {
      additionalProperties: unknown;
      required: string[];
      properties: object;
    };
    expect(schema.additionalProperties).toBe(false);
    expect(schema.required).toEqual(['name', 'question', 'image', 'tasks']);
    expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(Object.keys(design8)));
  });
});
