/** A worker thread of `cells.ts`: searches one cell after another, as they are handed to it. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CellAnswer, type CellJob, type Shared, STOP, searchCell } from './cells.ts';
import { designOf } from './designOption.ts';

const { shared, number } = workerData as { readonly shared: Shared; readonly number: number };

parentPort!.on('message', async (job: CellJob) => {
  parentPort!.postMessage(await answerTo(job));
  Atomics.store(shared, number, 0);
});

async function answerTo({ index, scenario, design, mount, how }: CellJob): Promise<CellAnswer> {
  try {
    const searched = searchCell({ scenario, design: await designOf(design), mount }, how, (states) => {
      Atomics.store(shared, number, states);
      return Atomics.load(shared, STOP) !== 0;
    });
    return { index, searched };
  } catch (thrown) {
    const { name, message, stack = '' } = thrown instanceof Error ? thrown : new Error(String(thrown));
    return { index, error: { name, message, stack } };
  }
}
