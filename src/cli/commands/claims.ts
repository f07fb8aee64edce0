/**
 * What was claimed on the list, and whether it is so.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import {
  answerAsRecorded,
  answerClaim,
  type Claim,
  type Outcome,
  type Prediction,
} from '../../compare/claim.ts';
import { CLAIM_SOURCES, loadClaims } from '../claimFiles.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';

export default defineCommand({
  about:
    'Every claim made on the list: who made it and when, what it predicts for scenarios under designs, and the answer, ' +
    'computed: confirmed when every prediction comes true, refuted when none does, else depends.',
  operands: ['[CLAIM…]'],
  options: {
    update: { type: 'flag', summary: 'write the answers into the claim files, to be reviewed' },
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: ['claims', 'claims mprotect-bypasses-vm-write --json'],
  async run(ctx) {
    const claims = loadClaims(ctx.operands);
    const answered = [];
    for (const claim of claims) {
      if (ctx.signal.aborted) break;
      ctx.progress.update(`claims ${claim.name}`, answered.length, claims.length);
      const answer = answerClaim(claim, CLAIM_SOURCES, () => ctx.signal.aborted);
      answered.push({ claim, answer, asRecorded: answerAsRecorded(claim, answer) });
      await ctx.breathe();
    }
    ctx.progress.clear();
    if (ctx.options.update) for (const { claim, answer } of answered) write(claim, answer);
    if (ctx.options.json) {
      ctx.json({
        schemaVersion: 1,
        claims: answered.map(({ claim, answer, asRecorded }) => {
          const { name, by, date, where, quotation, note, predicts } = claim;
          const said = { name, claim: claim.claim, by, date, where, quotation, note, predicts };
          return { ...said, answer, asRecorded };
        }),
      });
    } else {
      for (const { claim, answer, asRecorded } of answered) {
        const { verdict } = answer;
        const paint =
          verdict === 'confirmed' ? ctx.style.good : verdict === 'refuted' ? ctx.style.bad : ctx.style.unsure;
        ctx.out(`${ctx.style.bold(claim.name)}: ${paint(verdict)}`);
        ctx.out(`  ${claim.claim}\n  ${claim.by}, ${claim.where}, ${claim.date}`);
        claim.predicts.forEach((prediction, index) => {
          ctx.out(predictionLine(prediction, answer.outcomes[index]!));
        });
        if (asRecorded === false && !ctx.options.update) ctx.out(ctx.style.bad('  not as recorded'));
      }
    }
    const differs = answered.some(({ asRecorded }) => asRecorded === false) && !ctx.options.update;
    return differs ? EXIT.differs : EXIT.ok;
  },
});

function predictionLine({ scenario, design, mount }: Prediction, outcome: Outcome): string {
  const at = mount === undefined ? design : `${design}@${mount}`;
  return `  ${outcome.true ? 'yes' : 'no '} ${scenario} ${at}: ${outcome.saw}`;
}

/** The file with its answer; the rest of it stays as it was written. */
function write({ path }: Claim, answer: unknown): void {
  const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, `${JSON.stringify({ ...json, answer }, null, 2)}\n`);
}
