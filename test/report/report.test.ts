import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collapseRuns, type DiagramRow, renderCpuDiagram } from '../../src/report/cpuDiagram.ts';
import {
  type Matrix,
  type MatrixCell,
  type Reach,
  reachText,
  renderMatrix,
} from '../../src/report/matrix.ts';

const all: Reach = {
  strategy: 'exhaustive',
  preemptions: null,
  schedules: 206,
  states: 1050,
  complete: true,
};
const bounded: Reach = { ...all, preemptions: 2 };
const sampled: Reach = { strategy: 'pct', preemptions: null, schedules: 10_000, states: 0, complete: false };

const holds = (design: string, reach?: Reach): MatrixCell =>
  reach === undefined ? { design, verdict: 'holds' } : { design, verdict: 'holds', reach };
const fails = (design: string, ...violates: string[]): MatrixCell => ({
  design,
  verdict: 'violates',
  violates,
});

const matrix: Matrix = {
  designs: [{ id: 'mkwrite-convert' }, { id: 'page-cache-convert' }, { id: 'defer' }, { id: 'pre-mmap' }],
  rows: [
    {
      scenario: 'mmap-store-then-fsync',
      cells: [
        fails('mkwrite-convert', 'durability'),
        holds('page-cache-convert', all),
        holds('defer', bounded),
        holds('pre-mmap', sampled),
      ],
    },
    {
      scenario: 'enospc-restore-race-with-two-writers',
      cells: [
        { ...fails('mkwrite-convert', 'bug-on', 'no-dirty-folio-strict', 'I16', 'fsck'), asExpected: false },
        { design: 'defer', verdict: 'inconclusive' },
        { design: 'pre-mmap', verdict: 'not-applicable' },
      ],
    },
  ],
};

const lines = (text: string): string[] => text.split('\n');

describe('renderMatrix', () => {
  it('writes words where all designs fit', () => {
    expect(lines(renderMatrix(matrix))).toEqual([
      'scenario              | mkwrite-     | page-cache- | defer    | pre-mmap',
      '                      | convert      | convert     |          |',
      '----------------------+--------------+-------------+----------+---------',
      'mmap-store-then-fsync | FAILS        | holds       | holds ≤2 | none/10k',
      '                      | durability   |             |          |',
      'enospc-restore-race-  | FAILS !      | .           | unsure   | n/a',
      'with-two-writers      | bug-on       |             |          |',
      '                      | no-dirty-    |             |          |',
      '                      | folio-strict |             |          |',
      '                      | +2 more      |             |          |',
      '',
      'holds     in every schedule',
      'holds ≤N  in every schedule of at most N preemptions',
      'none/N    no violation in N schedules, which are not all',
      'FAILS     a schedule breaks the invariants named below the word',
      'unsure    the budget ran out, or a task goes round for ever',
      'n/a       the question cannot be put to this design',
      '.         not run',
      '!         not the verdict that the scenario records',
    ]);
  });

  it('writes letters where they do not', () => {
    expect(lines(renderMatrix(matrix, { width: 60 }))).toEqual([
      'a mkwrite-convert     c defer',
      'b page-cache-convert  d pre-mmap',
      '',
      'scenario                              a  b  c  d',
      'mmap-store-then-fsync                 X  H  h  h',
      '  durability: a',
      'enospc-restore-race-with-two-writers  X! .  ?  -',
      '  bug-on: a; no-dirty-folio-strict: a; I16: a; fsck: a',
      '',
      'H  holds in every schedule',
      'h  no violation in the schedules searched, which are not all',
      'X  FAILS: a schedule breaks the invariants named below the ~',
      '?  the budget ran out, or a task goes round for ever',
      '-  the question cannot be put to this design',
      '.  not run',
      '!  not the verdict that the scenario records',
    ]);
  });

  it('never says a bare holds of a search that was not complete', () => {
    for (const reach of [
      undefined,
      bounded,
      sampled,
      { ...all, complete: false },
      { ...sampled, complete: true },
    ]) {
      const one = { designs: [{ id: 'd' }], rows: [{ scenario: 's', cells: [holds('d', reach)] }] };
      expect(renderMatrix(one)).not.toMatch(/\| holds$/m);
      expect(renderMatrix(one, { layout: 'compact' })).not.toMatch(/^s .* H/m);
    }
  });

  it('paints verdicts without moving a column', () => {
    for (const layout of ['full', 'compact'] as const) {
      const painted = renderMatrix(matrix, { layout, paint: (text, verdict) => `<${verdict}>${text}</>` });
      expect(painted).toContain('<violates>');
      expect(painted.replace(/<[^>]*>/g, '').replace(/ +$/gm, '')).toBe(renderMatrix(matrix, { layout }));
    }
  });

  it('says so when there is nothing', () =>
    expect(renderMatrix({ designs: [], rows: [] })).toBe('nothing to compare'));

  it('fits its width, whatever the names and numbers', () => {
    const name = fc.string({ unit: fc.constantFrom(...'abc-'), minLength: 1, maxLength: 40 });
    const cell = (design: string) =>
      fc.oneof(
        fc.constant(holds(design, all)),
        fc.constant(holds(design, sampled)),
        fc.array(name, { minLength: 1, maxLength: 5 }).map((violates) => fails(design, ...violates)),
      );
    const any = fc.uniqueArray(name, { minLength: 1, maxLength: 40 }).chain((ids) =>
      fc.record({
        designs: fc.constant(ids.map((id) => ({ id }))),
        rows: fc.array(fc.record({ scenario: name, cells: fc.tuple(...ids.map(cell)) }), {
          minLength: 1,
          maxLength: 4,
        }),
      }),
    );
    fc.assert(
      fc.property(
        any,
        fc.constantFrom('auto', 'full', 'compact'),
        fc.constantFrom(60, 80, 132),
        (data, layout, width) => {
          const text = renderMatrix(data as Matrix, { layout, width });
          for (const line of lines(text)) {
            expect(line.length).toBeLessThanOrEqual(width);
            expect(line).toBe(line.trimEnd());
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('tells how far a verdict reaches', () => {
    expect(reachText(all)).toBe('exhaustive, 1,050 states, 206 schedules');
    expect(reachText(bounded)).toBe('≤2 preemptions, 1,050 states, 206 schedules');
    expect(reachText(sampled)).toBe('stopped after 10,000 schedules, pct');
    expect(reachText({ ...all, preemptions: 1, schedules: 1, states: 1 })).toBe(
      '≤1 preemption, 1 state, 1 schedule',
    );
  });
});

const row = (lane: number, depth: number, text: string, mark?: DiagramRow['mark']): DiagramRow =>
  mark === undefined ? { lane, depth, text } : { lane, depth, text, mark };

// The race of Cascardo's mail of May 2025.
const race = {
  lanes: ['CPU0 (mmap store)', 'CPU1 (write)'],
  title: '',
  footer: 'design mkwrite-convert, invariant bug-on\n$ ext4lab replay 00011101',
  rows: [
    row(0, 0, 'ext4_page_mkwrite'),
    row(0, 1, 'down_write(&ei->xattr_sem)', 'lock'),
    row(0, 1, 'ext4_destroy_inline_data'),
    row(1, 0, 'inode_lock(inode)', 'lock'),
    row(1, 0, 'ext4_da_write_begin'),
    row(1, 1, 'extent write'),
    row(0, 1, 'ext4_get_block = -ENOSPC', 'result'),
    row(1, 0, 'ext4_da_write_end'),
    row(1, 1, 'sees inline data again', 'bug'),
  ],
};

describe('renderCpuDiagram', () => {
  it('draws the race of the mail', () => {
    expect(lines(renderCpuDiagram(race))).toEqual([
      'CPU0 (mmap store)                     CPU1 (write)',
      'ext4_page_mkwrite',
      '  down_write(&ei->xattr_sem)',
      '  ext4_destroy_inline_data',
      '                                      inode_lock(inode) ---> LOCK',
      '                                      ext4_da_write_begin',
      '                                        extent write',
      '  ext4_get_block = -ENOSPC',
      '                                      ext4_da_write_end',
      '                                        BUG: sees inline data again',
      '',
      'design mkwrite-convert, invariant bug-on',
      '$ ext4lab replay 00011101',
    ]);
  });

  it('gives three lanes 24 columns each and cuts what is longer', () => {
    const text = renderCpuDiagram({
      lanes: ['CPU0', 'CPU1', 'kworker/u16:2-flush-with-a-long-name'],
      title: 'three',
      footer: '',
      rows: [
        row(0, 0, 'folio_lock(folio)', 'wait'),
        row(2, 0, 'ext4_writepages'),
        row(2, 1, 'ext4_writepages_inline_copy_out'),
      ],
    });
    expect(lines(text)).toEqual([
      'three',
      '',
      'CPU0                     CPU1                     kworker/u16:2-flush-wit~',
      'folio_lock(f~ ---> waits',
      '                                                  ext4_writepages',
      '                                                    ext4_writepages_inlin~',
    ]);
  });

  it('leaves out the middle of a long run, never what is marked', () => {
    const run = Array.from({ length: 12 }, (_, i) => row(0, i === 0 ? 0 : 2, `step ${i}`));
    const rows = [...run, row(0, 1, 'the bug', 'bug'), row(1, 0, 'other')];
    expect(collapseRuns(rows, 6).map(({ text, depth }) => `${depth} ${text}`)).toEqual([
      '0 step 0',
      '2 step 1',
      '2 step 2',
      '2 ...',
      '2 step 10',
      '2 step 11',
      '1 the bug',
      '0 other',
    ]);
    expect(collapseRuns(rows, 12)).toEqual(rows);
    expect(renderCpuDiagram({ ...race, rows: [...run, ...run] }, { longestRun: null })).not.toContain('...');
  });

  it('folds a long command so that it still runs', () => {
    const command = `$ ext4lab replay ${'x'.repeat(40)} --design ${'y'.repeat(30)}`;
    const folded = lines(renderCpuDiagram({ ...race, footer: command })).slice(-2);
    expect(folded[0]!.endsWith(' \\')).toBe(true);
    expect(folded.join('\n').replace(/ \\\n +/g, ' ')).toBe(command);
  });

  it('keeps to 75 columns of plain blanks, whatever it is given', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab_(&)-> \t\n'), maxLength: 60 });
    const laneCount = 4;
    const any = fc.record({
      lanes: fc.array(text, { minLength: laneCount, maxLength: laneCount }),
      title: text,
      footer: fc.constant('a footer'),
      rows: fc.array(
        fc.record({
          lane: fc.nat(laneCount - 1),
          depth: fc.nat(20),
          text,
          mark: fc.constantFrom('bug' as const, 'lock' as const, 'wait' as const),
        }),
      ),
    });
    fc.assert(
      fc.property(any, (diagram) => {
        for (const line of lines(renderCpuDiagram(diagram))) {
          expect(line.length).toBeLessThanOrEqual(75);
          expect(line).not.toMatch(/\t| $/);
        }
      }),
    );
  });

  it('refuses a row of a lane that is not there', () => {
    expect(() => renderCpuDiagram({ ...race, rows: [row(2, 0, 'x')] })).toThrow('lane 2 of 2');
  });
});
