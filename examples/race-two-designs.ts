/**
 * Two tasks on one inline file: a store through a mapping, and writeback of the same file. Every schedule of the two is
 * tried, under the kernel as it was before 2017 and as it is now.
 */
import { createLab } from '../src/index.ts';

const lab = createLab();
lab.fs.writeFileSync('/f', 'A'.repeat(50));
lab.sync();

const { cells } = lab.race(
  {
    CPU0: ['open /f', 'mmap -rw 0 4k', 'mwrite -S 0x42 0 4'],
    CPU1: ['@writepages /f'],
  },
  { designs: ['no-conversion', 'mkwrite-convert'] },
);

for (const { design, verdict, violations, reach } of cells) {
  console.log(`${design}: ${verdict}${reach.complete ? ', every schedule was seen' : ', cut short'}`);
  for (const { invariant, message, preemptions } of violations) {
    const place = message.replace(/block \d+/, 'a block');
    console.log(`  ${invariant}, ${preemptions} preemption${preemptions === 1 ? '' : 's'}: ${place}`);
  }
}
