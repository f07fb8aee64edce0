/**
 * Random programs on one file, held against the plain array of bytes that it is. The current kernel loses a store; a
 * conversion through the page cache does not. Outside this repository the import reads `from 'ext4lab/fast-check'`.
 */
import fc from 'fast-check';
import { fileCommands, fileSetup } from '../src/fastCheck.ts';

for (const design of ['mkwrite-convert', 'page-cache-convert']) {
  const answer = fc.check(
    fc.property(
      fc.commands(fileCommands({ maxBytes: 200 }), {
        maxCommands: 20,
        size: 'large',
        disableReplayLog: true,
      }),
      (commands) => {
        fc.modelRun(() => fileSetup({ design }), commands);
      },
    ),
    { seed: 4, numRuns: 100 },
  );
  const { failed, numRuns, counterexample, errorInstance } = answer;
  console.log(`${design}: ${failed ? 'loses bytes' : `${numRuns} random programs agree`}`);
  if (failed) {
    console.log(`  ${String(counterexample![0]).replaceAll(',', '; ')}`);
    console.log(`  ${(errorInstance as Error).message}`);
  }
}
