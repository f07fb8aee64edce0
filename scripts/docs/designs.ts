/**
 * The generated parts of docs/designs.md: what each design is, from its value and its file, and what it breaks, from the
 * verdicts that the scenario files record.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { tokenOf } from '../../src/compare/race.ts';
import { DESIGNS, type Design, mkwriteConvert } from '../../src/designs/index.ts';
import { INVARIANTS } from '../../src/invariants/index.ts';
import { type Expectation, expectationOf, mountLabel, type Scenario } from '../../src/scenario/schema.ts';
import type { Block } from './markers.ts';
import { ROOT } from './source.ts';

const ORDER: readonly string[] = [...INVARIANTS.map(({ id }) => id), 'no-deadlock'];
const IDS = new Set(ORDER);

interface Cell {
  readonly scenario: Scenario;
  readonly mount: string;
  readonly expected: Expectation;
}

let scenarios: readonly Scenario[] | undefined;
const cellsOf = ({ id }: Design, part: 'expect' | 'crash' = 'expect'): Cell[] =>
  (scenarios ??= loadScenarios([])).flatMap((scenario) =>
    scenario.mounts.flatMap((mount) => {
      const expected = expectationOf(scenario, id, mount, part);
      return expected === null ? [] : [{ scenario, mount: mountLabel(mount), expected }];
    }),
  );

const violatesOf = ({ expected }: Cell): readonly string[] =>
  'violates' in expected ? expected.violates : [];

/** Broken by nothing but the pending state. */
const pendingOnly = (cell: Cell): boolean => {
  const broken = violatesOf(cell);
  return broken.includes('strict') && !broken.includes('settled') && !broken.includes('pending');
};

/** Invariant → scenarios that break it, each once; `strict*` apart. */
function convictions(design: Design): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const cell of cellsOf(design)) {
    for (const id of violatesOf(cell)) {
      const key = id === 'strict' && pendingOnly(cell) ? 'strict*' : id;
      const names = found.get(key) ?? [];
      if (!names.includes(cell.scenario.name)) names.push(cell.scenario.name);
      found.set(key, names);
    }
  }
  const rank = (id: string): number => ORDER.indexOf(id.replace('*', ''));
  return new Map([...found].sort(([a], [b]) => rank(a) - rank(b)));
}

/** Hooks that are not the current kernel's. */
const ownHooks = ({ hooks }: Design): string[] =>
  Object.keys(hooks).filter(
    (name) => hooks[name as keyof typeof hooks] !== mkwriteConvert.hooks[name as keyof typeof hooks],
  );

/** `src/designs/NAME.ts` of a design; two of them share a file. */
const fileOf = ({ id }: Design): string =>
  `src/designs/${id === 'mmap-convert-write' ? 'mmap-convert' : id}.ts`;

/** The comment at the head of its file, as markdown. */
function headOf(design: Design): string {
  const text = readFileSync(join(ROOT, fileOf(design)), 'utf8');
  const [, body] = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(text)!;
  return body!.replaceAll(/^ \* ?/gm, '').trim();
}

const mark = (holds: boolean): string => (holds ? 'yes' : 'no');

/** A row for each design. */
const designTable: Block = () => {
  const rows = DESIGNS.map((design) => {
    const cells = cellsOf(design);
    const broken = convictions(design);
    const has = (...ids: string[]): boolean => ids.some((id) => broken.has(id));
    const held = (all: readonly Cell[]): string =>
      `${all.filter(({ expected }) => 'holds' in expected).length} of ${all.length}`;
    const kept = design.promises.filter((id) => IDS.has(id));
    const lost = kept.filter((id) => broken.has(id));
    return [
      `[\`${design.id}\`](#${design.id})`,
      has('strict') ? 'no' : has('strict*') ? 'but pending' : 'yes',
      mark(!has('settled')),
      mark(!has('model', 'durability', 'coherence', 'alias', 'fsck', 'reservation')),
      mark(!has('bug-on', 'handle-balance', 'no-deadlock', 'warn-on', 'fs-error')),
      kept.length === 0 ? '–' : lost.length === 0 ? 'kept' : `breaks ${lost.join(', ')}`,
      design.locks.length === 0 ? '–' : design.locks.join(', '),
      `${ownHooks(design).length}`,
      held(cells),
      held(cellsOf(design, 'crash')),
    ];
  });
  const head = [
    'design',
    'strict',
    'settled',
    'bytes',
    'BUGs, locks',
    'its promises',
    'more locks',
    'hooks',
    'holds',
    'power fails',
  ];
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
};

const SHOWN = 6;

/** What there is to say of one design. */
const design: Block = (id) => {
  const found = DESIGNS.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no design ${id}`);
  const broken = convictions(found);
  const lines = [headOf(found).replaceAll(/^( {2,})/gm, '$1'), '', `\`${fileOf(found)}\``, ''];
  const hooks = ownHooks(found);
  lines.push(
    `- Its own: ${hooks.length === 0 ? 'nothing' : hooks.map((name) => `\`${name}\``).join(', ')}.`,
    ...(found.unmodelled.length === 0 ? [] : [`- Not modelled: ${found.unmodelled.join('; ')}.`]),
  );
  if (broken.size === 0) lines.push('- No scenario breaks anything under it.');
  for (const [invariant, names] of broken) {
    const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
    const shown = names.slice(0, SHOWN).map((name) => `\`${name}\``);
    lines.push(`- \`${invariant}\` is broken by ${shown.join(', ')}${more}.`);
  }
  const lost = [
    ...new Set(
      cellsOf(found, 'crash').flatMap((cell) => (violatesOf(cell).length > 0 ? [cell.scenario.name] : [])),
    ),
  ];
  if (lost.length > 0) {
    const more = lost.length > SHOWN ? ` and ${lost.length - SHOWN} more` : '';
    const shown = lost.slice(0, SHOWN).map((name) => `\`${name}\``);
    lines.push(`- When power fails, something promised is lost in ${shown.join(', ')}${more}.`);
  }
  const shortest = cellsOf(found)
    .flatMap(({ scenario, mount, expected }) =>
      'violates' in expected && expected.violates.includes('strict') && expected.schedule !== undefined
        ? [{ scenario, token: tokenOf(scenario.name, found.id, mount, expected.schedule) }]
        : [],
    )
    .filter(({ scenario }) => scenario.setup.at(-1)?.text.startsWith('pwrite') !== true)
    .sort((a, b) => a.token.length - b.token.length)[0];
  if (shortest !== undefined) {
    lines.push(
      '- A dirty folio on an inline inode:',
      '',
      '  ```sh',
      `  npm run ext4lab -- replay '${shortest.token}'`,
      '  ```',
    );
  }
  return lines.join('\n');
};

export const DESIGN_BLOCKS: Readonly<Record<string, Block>> = { 'design-table': designTable, design };
