/** One question in a process of its own: `answer.ts WMP` prints how many states the combination has. */
import { ALL, COMBINATIONS, explored } from './mirror.ts';

const each = [...COMBINATIONS, ALL].find(({ name }) => name === process.argv[2]);
if (each === undefined) throw new Error(`no combination ${process.argv[2]}`);
process.stdout.write(`${explored(each).states}\n`);
