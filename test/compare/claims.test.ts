/** fixtures/claims: every recorded answer is computed again; bad files are refused with their place. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLAIM_SOURCES, loadClaims } from '../../src/cli/claimFiles.ts';
import { answerAsRecorded, answerClaim, claimJsonSchema, readClaim } from '../../src/compare/claim.ts';
import { CLAIM_DESIGNS } from '../../src/designs/drawn.ts';
import { designById } from '../../src/designs/index.ts';
import { ext4lab } from '../support/command.ts';

const CLAIMS = loadClaims([]);

describe('recorded answers', () => {
  it('there are claims of each answer', () => {
    expect(CLAIMS.length).toBeGreaterThanOrEqual(18);
    expect(new Set(CLAIMS.map(({ answer }) => answer?.verdict))).toEqual(
      new Set(['confirmed', 'refuted', 'depends']),
    );
  });

  it.each(CLAIMS.map((claim) => [claim.name, claim] as const))('%s', (_, claim) => {
    const answer = answerClaim(claim, CLAIM_SOURCES);
    expect(answerAsRecorded(claim, answer), JSON.stringify(answer)).toBe(true);
  });

  it('the ABBA of the drawing is there as drawn, and not with the lock scopes of the kernel', () => {
    const verdict = (name: string) => CLAIMS.find((claim) => claim.name === name)!.answer!.verdict;
    expect(verdict('abba-as-drawn')).toBe('confirmed');
    expect(verdict('abba-with-the-kernels-scopes')).toBe('refuted');
  });

  it('designs that only claims use are not raced', () => {
    for (const { id } of CLAIM_DESIGNS) expect(designById(id)).toBeUndefined();
  });
});

describe('a claim file', () => {
  const good = {
    name: 'x',
    claim: 'Nothing is lost.',
    by: 'somebody',
    date: '2023-06-05',
    where: 'linux-ext4',
    predicts: [{ scenario: 'mmap-store-then-fsync', design: 'mkwrite-convert', keeps: ['durability'] }],
  };
  const read = (change: object) => readClaim(JSON.stringify({ ...good, ...change }), 'x.json');
  const answer = (...predicts: object[]) => answerClaim(read({ predicts }), CLAIM_SOURCES);

  it('is confirmed, refuted, or depends, by what its predictions come to', () => {
    const breaks = {
      scenario: 'mmap-store-then-fsync',
      design: 'mkwrite-convert',
      breaks: ['durability', 'model'],
    };
    const [keeps] = good.predicts;
    expect(answer(breaks).verdict).toBe('confirmed');
    expect(answer(keeps!).verdict).toBe('refuted');
    expect(answer(keeps!, breaks).verdict).toBe('depends');
    expect(answer(keeps!).outcomes[0]!.token).toMatch(/^mmap-store-then-fsync:mkwrite-convert@delalloc:A/);
  });

  it('asks one run for answers and files', () => {
    const at = { scenario: 'evict-inline-on-mmap-write', mount: 'nodelalloc' };
    const line = 'CPU0: mwrite -S 0x58 0 1';
    const { outcomes } = answer(
      { ...at, design: 'no-conversion', line, answers: 'SIGBUS' },
      { ...at, design: 'no-conversion', file: '/f', inline: true },
      { ...at, design: 'mkwrite-convert', file: '/f', inline: true },
    );
    expect(outcomes.map((outcome) => outcome.true)).toEqual([true, true, false]);
    expect(outcomes[0]!.saw).toBe(`${line} = SIGBUS`);
  });

  it.each([
    [{ date: 'yesterday' }, /^x\.json:1:\d+: date: YYYY-MM-DD or YYYY-MM$/],
    [{ verdict: 'confirmed' }, /^x\.json:1:\d+: Unrecognized key: "verdict"$/],
    [{ predicts: [] }, /^x\.json:1:\d+: predicts: /],
  ])('%j is refused with its place', (change, message) => {
    expect(() => read(change)).toThrow(message);
  });

  it.each([
    [{ scenario: 'nowhere' }, /^x\.json: predicts\[0\]: no scenario nowhere$/],
    [{ design: 'nobody' }, /^x\.json: predicts\[0\]: no design nobody$/],
    [{ mount: 'delaloc' }, /no mount delaloc \(did you mean "?delalloc"?\?\); it has delalloc, nodelalloc/],
  ])('%j names nothing', (change, message) => {
    expect(() => answer({ ...good.predicts[0], ...change })).toThrow(message);
  });
});

describe('schema/claim-1.json', () => {
  it('is what scripts/generate-schema.ts writes', () => {
    const written = readFileSync(new URL('../../schema/claim-1.json', import.meta.url), 'utf8');
    expect(written, 'run: npx tsx scripts/generate-schema.ts').toBe(
      `${JSON.stringify(claimJsonSchema(), null, 2)}\n`,
    );
  });
});

describe('ext4lab claims', () => {
  it('prints a claim and what each prediction came to', async () => {
    const { code, out } = await ext4lab('claims', 'mprotect-bypasses-vm-write');
    expect(code).toBe(0);
    expect(out).toMatch(/^mprotect-bypasses-vm-write: confirmed\n {2}A test of VM_WRITE/);
    expect(out).toContain(
      'yes mprotect-after-readonly-mapping mmap-convert-write@delalloc: breaks settled, bug-on',
    );
  });

  it('--json is one object', async () => {
    const { out } = await ext4lab('claims', 'just-remove-the-conversion', '--json');
    const { schemaVersion, claims } = JSON.parse(out);
    expect(schemaVersion).toBe(1);
    expect(claims[0]).toMatchObject({ name: 'just-remove-the-conversion', asRecorded: true });
    expect(claims[0].answer.verdict).toBe('refuted');
  });

  it('an unknown name is bad usage', async () => {
    const { code, err } = await ext4lab('claims', 'mprotect-bypasses');
    expect(code).toBe(2);
    expect(err).toMatch(/no bundled claim "mprotect-bypasses"/);
  });
});
