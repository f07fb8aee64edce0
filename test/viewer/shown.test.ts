/** What is shown of a step: cells, locks, chips, bytes, copies, fields, the graph of locks. */
import { describe, expect, it } from 'vitest';
import { inodeLayout } from '../../src/inode/layout.ts';
import { lockOrderOfTrace } from '../../src/trace/lockOrder.ts';
import { byteFields, byteHistory, fieldValue, legendOf, rawAt, rawWrites } from '../../src/viewer/byteMap.ts';
import { changeTexts } from '../../src/viewer/changes.ts';
import { chipsOf, filesOf } from '../../src/viewer/chips.ts';
import type { DesignRun } from '../../src/viewer/comparison.ts';
import { copiesOf } from '../../src/viewer/copies.ts';
import { heldSince, holdersOf, lockColumns } from '../../src/viewer/held.ts';
import { lockGraph } from '../../src/viewer/lockGraph.ts';
import { itemsOf, linesOf, tellRun } from '../../src/viewer/rows.ts';
import { bug, compared } from './compared.ts';

const stepOf = ({ steps }: DesignRun, label: string | RegExp): number =>
  steps.findIndex((step) => (typeof label === 'string' ? step.label === label : label.test(step.label)));

describe('rows', () => {
  const told = () => bug().runs.map(tellRun);

  it('unfolded are all there; folded hide only what is quiet in every design', () => {
    const all = itemsOf(bug(), told(), false);
    expect(all.length).toBe(bug().rows.length);
    const folded = itemsOf(bug(), told(), true);
    expect(folded.length).toBeLessThan(all.length / 2);
    const covered = folded.flatMap((item) =>
      item.kind === 'row'
        ? [item.row]
        : Array.from({ length: item.to - item.from + 1 }, (_, at) => item.from + at),
    );
    expect(covered).toEqual(bug().rows.map((_, row) => row));
    const shown = new Set(folded.flatMap((item) => (item.kind === 'row' ? [item.row] : [])));
    for (const row of bug().markedRows) expect(shown).toContain(row);
    told().forEach((run, at) => {
      run.forEach(({ quiet }, step) => {
        if (!quiet) expect(shown).toContain(bug().runs[at]!.rowOf[step]);
      });
    });
  });

  it('say the line once, the functions where they are entered, what the step changed, what it broke', () => {
    const items = itemsOf(bug(), told(), false);
    const cells = items.flatMap((item) => (item.kind === 'row' ? [item.cells[0]] : []));
    expect(cells.filter((cell) => cell?.line === 'pwrite -S 0x43 0 1')).toHaveLength(1);
    const destroy = cells.find((cell) => cell?.label === 'ext4_destroy_inline_data');
    expect(destroy).toMatchObject({ facts: ['INLINE_DATA=0', 'MAY_INLINE=0'], marks: [] });
    const last = cells.find((cell) => cell?.step === 63);
    expect(last?.marks.map(({ id }) => id)).toEqual(['write-end-not-inline', 'bug-on']);
    const item = items.find((each) => each.kind === 'row' && each.cells[0]?.step === 63)!;
    expect(linesOf(item)).toBe(3);
    const back = cells.find((cell) => cell?.label.startsWith('return to user space'));
    expect(back?.label).toBe('return to user space = 0');
  });
});

describe('locks', () => {
  it('are held from the step that takes them to the one that gives them back', () => {
    const [run] = bug().runs;
    const xattr = lockColumns(run!).find(({ id }) => id === 'xattr_sem')!;
    const holds = run!.steps.map(({ after }) =>
      holdersOf(after, xattr)
        .map(({ task, how }) => `${task}${how}`)
        .join(),
    );
    const taken = run!.steps.flatMap(({ step, label }) =>
      label === 'down_write(&ei->xattr_sem)' ? [step] : [],
    );
    expect(holds[taken[0]!]).toBe('1exclusive');
    expect(holds[taken[0]! + 2]).toBe('');
    expect(holds[taken[1]!]).toBe('0exclusive');
    // The write is stopped by the BUG with the lock held.
    expect(holds.at(-1)).toBe('1exclusive');
  });

  it('are known with the step that took them', () => {
    const [run] = bug().runs;
    const columns = lockColumns(run!);
    const folio = columns.find(({ id }) => id === 'folio')!;
    const end = run!.steps.length - 1;
    const [holder] = holdersOf(run!.steps[end]!.after, folio);
    const since = heldSince(run!, folio, end, holder!)!;
    expect(run!.steps[since]).toMatchObject({ label: 'folio_lock(12:0)', lane: 'CPU1' });
    expect(holdersOf(run!.steps[since]!.before, folio)).toEqual([]);
  });

  it('agree with what the steps said of them', () => {
    for (const run of bug().runs) {
      const columns = lockColumns(run);
      const names = columns.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const column of columns) {
        if (column.id === 'jbd2_handle') continue;
        const held = new Set<string>();
        for (const { task, effects, after } of run.steps) {
          for (const effect of effects) {
            if (!('lock' in effect) || effect.lock !== column.id) continue;
            if (!column.title.endsWith(effect.instance) && column.name.includes(' ')) continue;
            const who = `${task}${effect.mode}`;
            if (effect.type === 'acquire') held.add(who);
            if (effect.type === 'release') {
              held.delete(`${task}exclusive`);
              held.delete(`${task}shared`);
            }
          }
          if (column.name.includes(' ')) continue;
          const now = holdersOf(after, column).filter(({ how }) => how !== 'queued');
          expect(now.map(({ task: t, how }) => `${t}${how}`).sort()).toEqual([...held].sort());
        }
      }
    }
  });
});

describe('folio chips', () => {
  it('follow the folio', () => {
    const defer = bug().runs[1]!;
    const [file] = filesOf(bug());
    expect(file).toMatchObject({ ino: 12, path: '/f', folios: [0] });
    const dirtied = stepOf(defer, 'folio_mark_dirty');
    const letters = (step: number) =>
      chipsOf(defer.steps[step]!.after, 12, 0)!
        .map((on, at) => (on ? 'UDWLMT'[at] : '.'))
        .join('');
    expect(letters(dirtied)).toBe('UD.L.T');
    expect(letters(dirtied - 1)).toBe('U..L..');
    expect(chipsOf(defer.result.trace.start, 12, 7)).toBeNull();
  });
});

describe('bytes of the inode', () => {
  const [run] = bug().runs as [DesignRun];
  const raw = rawAt(run.at, run.result.trace.start, 12);

  it('have the fields of the layout table, with a letter of their own each', () => {
    const fields = byteFields(raw);
    expect(fields.length).toBe(256);
    const letters = new Map<string, string>();
    for (const [name, { at, size }] of Object.entries(inodeLayout.fields)) {
      if (name === 'iBlock') continue;
      for (let byte = at; byte < at + size; byte++) expect(fields[byte]!.label).toBe(name);
      expect(letters.has(fields[at]!.letter), `${name} ${fields[at]!.letter}`).toBe(false);
      letters.set(fields[at]!.letter, name);
    }
    expect(fields[0x28]).toMatchObject({ letter: 'B', label: 'inline bytes' });
    expect(fields[0xa0]).toMatchObject({ letter: 'X' });
    expect(fields[0xa4]).toMatchObject({ letter: 'N', label: '7:data.nameLen' });
    expect(fields[0xff]).toMatchObject({ letter: '·' });
    expect(legendOf([raw]).map(({ letter }) => letter)).toEqual([
      ...new Set(fields.map(({ letter }) => letter)),
    ]);
  });

  it('have a value where they are part of a number', () => {
    expect(fieldValue(raw, 0x04)).toBe('0x00000032 (50)');
    expect(fieldValue(raw, 0x23)).toBe('0x10000000 (inlineData)');
    expect(fieldValue(raw, 0x28)).toBe('0x41');
    expect(fieldValue(raw, 0xa4)).toBe('0x04 (4)');
  });

  it('know the steps that wrote them', () => {
    const writes = rawWrites(run, 12);
    expect(byteHistory(writes, 0x28)).toEqual([
      { step: stepOf(run, 'ext4_destroy_inline_data'), before: 0x41, after: 0x0a },
    ]);
    expect(byteHistory(writes, 0xff)).toEqual([]);
    for (const { before, after } of writes) expect(before.equals(after)).toBe(false);
  });
});

describe('copies of a byte', () => {
  const at = (run: DesignRun, step: number) => {
    const copies = copiesOf(run.at(run.steps[step]!.after), 12, 0, 4);
    return Object.fromEntries(
      copies.map(({ name, bytes, where }) => [name, `${bytes?.toHex() ?? '-'} ${where}`]),
    );
  };

  it('part when a conversion copies the old bytes', () => {
    const [run] = bug().runs as [DesignRun];
    const copied = stepOf(run, 'copy_folio_from_iter_atomic');
    expect(at(run, copied)).toMatchObject({
      model: expect.stringMatching(/^43414141/),
      'folio 0': expect.stringMatching(/^43414141 uptodate/),
      'bdev cache': '41414141 inode 12: i_block',
    });
    expect(at(run, stepOf(run, 'sb_getblk; memcpy'))).toMatchObject({
      'bdev cache': '41414141 block 1536',
      medium: '00000000 block 1536',
    });
  });

  it('say so when there is none', () => {
    const [run] = bug().runs as [DesignRun];
    const copies = copiesOf(run.at(run.result.trace.start), 12, 4096, 16);
    expect(copies.find(({ name }) => name === 'folio 1')).toMatchObject({
      where: 'not in the page cache',
      bytes: null,
    });
    expect(copies.find(({ name }) => name === 'bdev cache')).toMatchObject({
      where: 'behind the inline bytes',
    });
    expect(copiesOf(run.at(run.result.trace.start), 77, 0, 16).every(({ bytes }) => bytes === null)).toBe(
      true,
    );
  });

  it('of block-mapped files, delayed blocks and inodes of other sizes can be shown at every step', () => {
    for (const scenario of [
      'pending-truncate-to-zero',
      'growing-write-then-writeback',
      'store-in-second-page',
    ]) {
      for (const run of compared({ scenario, designs: ['mkwrite-convert', 'no-conversion'] }).runs) {
        for (const { after } of run.steps) {
          for (const { bytes } of copiesOf(run.at(after), 12, 4096 - 8, 16))
            expect(bytes === null || bytes.length <= 16).toBe(true);
          byteFields(rawAt(run.at, after, 12));
        }
      }
    }
  });
});

describe('fields that changed', () => {
  it('are named as the tables name them, flags by their bits', () => {
    const [run] = bug().runs as [DesignRun];
    const destroy = run.steps[stepOf(run, 'ext4_destroy_inline_data')]!;
    const texts = changeTexts(destroy.changes).map(
      ({ record, field, before, after }) => `${record} ${field}: ${before} > ${after}`,
    );
    expect(texts).toContain('inode 12 flags: 0x10000000 (inlineData) > 0x80000 (extents)');
    expect(texts).toContain('inode 12 mayInline: 1 > 0');
    expect(texts.findLastIndex((text) => text.startsWith('inode'))).toBeLessThan(
      texts.findIndex((text) => text.startsWith('raw inode 12')),
    );
  });
});

describe('the graph of locks', () => {
  it('has every class below those that it is taken under', () => {
    for (const { result } of bug().runs) {
      const { nodes, edges, cycles } = lockGraph(lockOrderOfTrace(result.trace));
      const layer = new Map(nodes.map((node) => [node.key, node.layer]));
      for (const { from, to, bad } of edges) {
        expect(bad).toBe(false);
        expect(layer.get(to)!).toBeGreaterThan(layer.get(from)!);
      }
      expect(cycles).toEqual([]);
      // What is left without the implied edges orders the same pairs.
      const reach = (of: typeof edges) => {
        const pairs = new Set<string>();
        const walk = (from: string, at: string): void => {
          for (const edge of of) {
            if (edge.from !== at || pairs.has(`${from} ${edge.to}`)) continue;
            pairs.add(`${from} ${edge.to}`);
            walk(from, edge.to);
          }
        };
        for (const { key } of nodes) walk(key, key);
        return [...pairs].sort();
      };
      expect(reach(edges.filter(({ implied }) => !implied))).toEqual(reach(edges));
      expect(edges.some(({ implied }) => implied)).toBe(true);
      const places = nodes.map((node) => `${node.layer} ${node.place}`);
      expect(new Set(places).size).toBe(nodes.length);
    }
  });

  it('marks the edges of a cycle, and the one that closes it', () => {
    // Conversion in ->mmap takes i_rwsem under mmap_lock, a fault inside write(2) the other way round.
    const hold = (lock: string, under: string) => ({ lock, key: lock, under });
    const chain = [hold('i_rwsem', 'mmap_lock'), hold('mmap_lock', 'i_rwsem')];
    const site = { task: 'CPU0', pid: 1, stack: ['line', 'f'] };
    const made = (lock: string) => ({ ...site, lock, key: lock, instance: '1', read: 0, trylock: false });
    const order = {
      edges: chain.map(({ lock, under }) => ({
        from: under,
        to: lock,
        dep: 8,
        held: [made(under)],
        next: made(lock),
      })),
      events: [],
      classes: ['i_rwsem', 'mmap_lock'].map((lock) => ({ key: lock, lock, modes: 1 })),
    } as unknown as Parameters<typeof lockGraph>[0];
    const graph = lockGraph(order);
    expect(graph.edges.map(({ from, to, bad, closes }) => [from, to, bad, closes])).toEqual([
      ['mmap_lock', 'i_rwsem', true, true],
      ['i_rwsem', 'mmap_lock', true, false],
    ]);
    expect(graph.nodes.every(({ bad }) => bad)).toBe(true);
    expect(graph.cycles).toEqual(['mmap_lock → i_rwsem → mmap_lock']);
  });
});
