/** The page's script in a worker: searches what it is sent. The clock here says when to report and when to give up. */
import { runSearch, type SearchAnswer, type SearchJob } from '../search.ts';

const PROGRESS_MS = 100;

export function serveSearches(): void {
  self.addEventListener('message', ({ data }: MessageEvent<SearchJob>) => postMessage(answer(data)));
}

function answer(job: SearchJob): SearchAnswer {
  const { id } = job;
  const until = job.seconds === null ? Number.POSITIVE_INFINITY : performance.now() + job.seconds * 1000;
  let told = performance.now();
  try {
    const result = runSearch(job, (states) => {
      const now = performance.now();
      if (now - told > PROGRESS_MS) {
        told = now;
        postMessage({ id, states } satisfies SearchAnswer);
      }
      return now > until || (job.stop !== null && Atomics.load(job.stop, 0) !== 0);
    });
    return { id, result };
  } catch (thrown) {
    const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
    return { id, error: { name, message } };
  }
}
