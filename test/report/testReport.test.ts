/** KTAP and JUnit: by the grammar of ktap.rst, and by an XML parser. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { renderJunit, renderKtap, type TestSuite } from '../../src/report/testReport.ts';

const SUITES: readonly TestSuite[] = [
  {
    name: 'first <one>',
    cases: [
      { name: 'a delalloc', outcome: 'pass', message: 'holds (exhaustive, 3 states)' },
      { name: 'b # "q" & co', outcome: 'expected', message: 'violates strict (exhaustive, 5 states)' },
      { name: 'c', outcome: 'cut', message: 'inconclusive (cut short)' },
    ],
  },
  {
    name: 'second',
    cases: [
      {
        name: 'd',
        outcome: 'fail',
        message: 'violates a, b (x)',
        detail: 'CPU0  CPU1\n\n  <lock> & "q"\u0007',
      },
    ],
  },
];

interface Result {
  readonly ok: boolean;
  readonly number: number;
  readonly name: string;
  readonly directive: string | undefined;
  readonly subtests: readonly Result[];
}

/** One level of Documentation/dev-tools/ktap.rst, its lines without their indentation. */
function parseKtap(lines: readonly string[]): Result[] {
  expect(lines[0]).toBe('KTAP version 1');
  const results: Result[] = [];
  let nested: string[] = [];
  let plan = -1;
  for (const line of lines.slice(1)) {
    const result = /^(ok|not ok) (\d+)(?: (?:- )?([^#]*?))?(?: # (SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b.*)?$/.exec(
      line,
    );
    if (line.startsWith('  ')) nested.push(line.slice(2));
    else if (/^1\.\.\d+$/.test(line)) plan = Number(line.slice(3));
    else if (result !== null) {
      const subtests = nested.length === 0 ? [] : parseKtap(nested);
      nested = [];
      const [, word, number, name, directive] = result;
      results.push({ ok: word === 'ok', number: Number(number), name: name!, directive, subtests });
    } else expect(line).toMatch(/^# /);
  }
  expect(results.map(({ number }) => number)).toEqual(results.map((_, i) => i + 1));
  expect(plan).toBe(results.length);
  return results;
}

describe('KTAP', () => {
  const text = renderKtap(SUITES);

  it('nests a plan and results per scenario', () => {
    expect(text.endsWith('\n')).toBe(true);
    expect(parseKtap(text.trimEnd().split('\n'))).toEqual([
      {
        ...{ ok: true, number: 1, name: 'first <one>', directive: undefined },
        subtests: [
          { ok: true, number: 1, name: 'a delalloc', directive: undefined, subtests: [] },
          { ok: true, number: 2, name: 'b "q" & co', directive: 'XFAIL', subtests: [] },
          { ok: false, number: 3, name: 'c', directive: 'TIMEOUT', subtests: [] },
        ],
      },
      {
        ...{ ok: false, number: 2, name: 'second', directive: undefined },
        subtests: [{ ok: false, number: 1, name: 'd', directive: undefined, subtests: [] }],
      },
    ]);
  });

  it('has the story of a failure in front of its line', () => {
    expect(text).toContain('  # violates a, b (x)\n  # CPU0  CPU1\n  #   <lock> & "q"');
  });
});

describe('JUnit', () => {
  const text = renderJunit(SUITES);

  it('counts', () => {
    expect(text).toContain('<testsuites name="ext4lab race" tests="4" failures="1" errors="0" skipped="2">');
    expect(text).toContain(
      '<testsuite name="first &lt;one&gt;" tests="3" failures="0" errors="0" skipped="2">',
    );
  });

  it('is an XML document, and says after parsing what was put in', () => {
    const script = [
      'import sys, json, xml.etree.ElementTree as E',
      'r = E.fromstring(sys.stdin.buffer.read())',
      'print(json.dumps([[s.get("name"), [[c.get("name"), [[k.tag, k.get("message"), k.text] for k in c]] for c in s]] for s in r]))',
    ].join('\n');
    const { status, stdout } = spawnSync('python3', ['-c', script], { input: text, encoding: 'utf8' });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      [
        'first <one>',
        [
          ['a delalloc', []],
          ['b # "q" & co', [['skipped', 'violates strict (exhaustive, 5 states)', null]]],
          ['c', [['skipped', 'inconclusive (cut short)', null]]],
        ],
      ],
      ['second', [['d', [['failure', 'violates a, b (x)', 'CPU0  CPU1\n\n  <lock> & "q"']]]]],
    ]);
  });
});
