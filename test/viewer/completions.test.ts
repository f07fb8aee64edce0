/** What may be typed next, at a `|` in a text. */
import { describe, expect, it } from 'vitest';
import { completionsAt } from '../../src/viewer/completions.ts';

function at(marked: string): { labels: string[]; apply(label: string): string } {
  const pos = marked.indexOf('|');
  const text = marked.replace('|', '');
  const found = completionsAt(text, pos);
  return {
    labels: found?.options.map(({ label }) => label) ?? [],
    apply(label) {
      const option = found!.options.find((each) => each.label === label)!;
      const insert = option.insert ?? option.label;
      const cursor = option.cursor ?? insert.length;
      const marks = `${insert.slice(0, cursor)}|${insert.slice(cursor)}`;
      return `${text.slice(0, found!.from)}${marks}${text.slice(found!.to)}`;
    },
  };
}

describe('completion', () => {
  it('of keys leaves out those that are there and brings an empty value', () => {
    const { labels, apply } = at('{ "name": "x", "ta|" }');
    expect(labels).toContain('tasks');
    expect(labels).not.toContain('name');
    expect(apply('tasks')).toBe('{ "name": "x", "tasks": {|} }');
    expect(at('{ "se|": ["sync"] }').apply('setup')).toBe('{ "setup"|: ["sync"] }');
    expect(at('{ "image": { "mkfs": { "|').labels).toContain('blockSize');
  });

  it('of values comes from the schema, also inside a list', () => {
    expect(at('{ "mounts": [["no|"]] }').labels).toContain('nodelalloc');
    expect(at('{ "image": { "mkfs": { "features": ["ha|').labels).toContain('has_journal');
    expect(at('{ "image": { "mkfs": { "blockSize": | } } }').labels).toEqual(['1024', '2048', '4096']);
  });

  it('of lines is verbs, then their options and the paths of the text', () => {
    expect(at('{ "tasks": { "CPU0": ["op|"] } }').labels).toContain('open');
    expect(at('{ "setup": ["|').labels).toContain('@writepages');
    const { labels, apply } = at('{ "setup": ["open -f /dir/f"], "tasks": { "CPU0": ["open |"] } }');
    expect(labels).toEqual(expect.arrayContaining(['-f', '-t', '/dir/f']));
    expect(apply('/dir/f')).toContain('"CPU0": ["open /dir/f|"]');
    expect(at('{ "setup": ["opne |"] }').labels).toEqual([]);
  });

  it('of threads is the lanes', () => {
    expect(at('{ "threads": [["|"]], "tasks": { "CPU0": ["sync"] } }').labels).toEqual(['CPU0']);
  });

  it('is nothing where nothing can stand', () => {
    for (const text of ['|', '{ "name" |', '{ "name": "x" |}', '{}|', '{ "question": "|"'])
      expect(at(text).labels).toEqual([]);
  });
});
