/**
 * A race as tests, for machines that collect them: a suite per scenario, a test per design and mount. What is broken as
 * recorded is expected to fail; what differs from the record, or is broken with nothing recorded, fails.
 *
 *   KTAP 1   Documentation/dev-tools/ktap.rst: nested results, `# XFAIL` and `# TIMEOUT` as directives
 *   JUnit    the XML that CI systems read: testsuites ▸ testsuite ▸ testcase ▸ failure | skipped
 *
 * Neither has a time or a host name: the same race gives the same text.
 */
export interface TestCase {
  readonly name: string;
  /** `expected`: it fails, as is known. `cut`: the search was cut short and found nothing. */
  readonly outcome: 'pass' | 'fail' | 'expected' | 'cut';
  /** One line: the verdict, and how far it reaches. */
  readonly message: string;
  /** For a failure: its story. */
  readonly detail?: string;
}

export interface TestSuite {
  readonly name: string;
  readonly cases: readonly TestCase[];
}

const failed = (cases: readonly TestCase[]): boolean => cases.some(({ outcome }) => outcome === 'fail');

/** @returns lines, the last one ended too */
export function renderKtap(suites: readonly TestSuite[]): string {
  const lines = ['KTAP version 1', `1..${suites.length}`];
  suites.forEach(({ name, cases }, suite) => {
    lines.push('  KTAP version 1', `  # Subtest: ${ktapText(name)}`, `  1..${cases.length}`);
    cases.forEach((test, i) => {
      for (const line of [test.message, ...(test.detail ?? '').split('\n')]) {
        if (line.trim() !== '') lines.push(`  # ${line}`);
      }
      lines.push(`  ${ktapResult(test.outcome, i + 1, test.name, firstOf(test.message))}`);
    });
    lines.push(ktapResult(failed(cases) ? 'fail' : 'pass', suite + 1, name, ''));
  });
  return `${lines.join('\n')}\n`;
}

const firstOf = (message: string): string => message.replace(/ \(.*$/, '');

function ktapResult(outcome: TestCase['outcome'], number: number, name: string, why: string): string {
  const line = `${outcome === 'fail' || outcome === 'cut' ? 'not ok' : 'ok'} ${number} ${ktapText(name)}`;
  if (outcome === 'expected') return `${line} # XFAIL ${ktapText(why)}`;
  return outcome === 'cut' ? `${line} # TIMEOUT ${ktapText(why)}` : line;
}

/** A description may not have a `#`, which begins the directive. */
const ktapText = (text: string): string => text.replaceAll('#', '').replace(/\s+/g, ' ').trim();

/** @returns an XML document, the last line ended */
export function renderJunit(suites: readonly TestSuite[]): string {
  const all = suites.flatMap(({ cases }) => cases);
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', `<testsuites name="ext4lab race" ${counts(all)}>`];
  for (const { name, cases } of suites) {
    lines.push(`  <testsuite name="${xml(name)}" ${counts(cases)}>`);
    for (const test of cases) {
      const open = `    <testcase classname="${xml(name)}" name="${xml(test.name)}"`;
      const message = `message="${xml(test.message)}"`;
      if (test.outcome === 'pass') lines.push(`${open}/>`);
      else if (test.outcome === 'fail') {
        lines.push(
          `${open}>`,
          `      <failure ${message}>${xml(test.detail ?? '')}</failure>`,
          '    </testcase>',
        );
      } else lines.push(`${open}>`, `      <skipped ${message}/>`, '    </testcase>');
    }
    lines.push('  </testsuite>');
  }
  lines.push('</testsuites>');
  return `${lines.join('\n')}\n`;
}

function counts(cases: readonly TestCase[]): string {
  const count = (...outcomes: TestCase['outcome'][]): number =>
    cases.filter(({ outcome }) => outcomes.includes(outcome)).length;
  return `tests="${cases.length}" failures="${count('fail')}" errors="0" skipped="${count('expected', 'cut')}"`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Without the characters that no XML document may have. */
const xml = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replace(/[&<>"]/g, (character) => ENTITIES[character]!);
