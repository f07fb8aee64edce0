/** Crash states of the bundled scenarios as images, each with what our own recovery makes of it. */
import { startCrashSession } from '../../src/compare/crash.ts';
import { Crasher } from '../../src/crash/crash.ts';
import { crashImage } from '../../src/crash/image.ts';
import { isErr } from '../../src/errno.ts';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { listDir, readFile } from '../../src/volume/file.ts';
import { Image } from '../../src/volume/image.ts';
import { fileKind } from '../../src/volume/rawInode.ts';
import { CASES, OTHER_CASES } from './scenarios.ts';

export interface CrashState {
  readonly label: string;
  /** The medium with its log, unrecovered. */
  readonly image: Uint8Array;
  readonly recovered: Image;
}

/**
 * Visits so many crash states of volumes with a journal, spread over all scenarios, designs and mounts; only those whose recovery
 * our check passes, because nobody else's answer to a broken volume is worth comparing.
 * @returns how many there were
 */
export function eachCrashState(count: number, visit: (state: CrashState) => void): number {
  const cases = [...CASES, ...OTHER_CASES].filter(({ image }) => image.geometry.hasJournal);
  let total = 0;
  const each = Math.ceil(count / cases.length) * 2;
  // A stride that is prime to the number of cases: a small sample is spread as a large one.
  for (let i = 0; i < cases.length && total < count; i++) {
    const { label, scenario, image, design, mount } = cases[(i * 37) % cases.length]!;
    const session = startCrashSession(scenario, image, design, mount);
    let taken = 0;
    const crasher = new Crasher(session, {
      onMedium(k, medium, recovered) {
        if (recovered.complaint !== null || taken >= each || total >= count) return;
        taken++;
        total++;
        const file = crashImage(k, session.image, medium).toUint8Array();
        visit({ label: `${label} #${taken}`, image: file, recovered: recovered.image! });
      },
    });
    const { k, world, specs } = session;
    exhaustive(
      { k, world, specs, invariants: crasher.invariants },
      { budget: 50_000, graph: false, stop: () => taken >= each },
    );
  }
  return total;
}

/** Every file of a volume as one text: path, kind, mode, links, size, content; what recoveries must agree on. */
export function treeText(input: Image | Uint8Array): string {
  const image = input instanceof Image ? input : Image.load(input.slice());
  const lines: string[] = [];
  const walk = (ino: number, path: string): void => {
    const { mode, linksCount, size } = image.inode(ino);
    const kind = fileKind(mode);
    const content = kind === 'file' || kind === 'symlink' ? readFile(image, ino) : null;
    const bytes = content === null ? '' : isErr(content) ? content.errno : content.digest();
    const shown = kind === 'directory' ? '' : `${size}`;
    lines.push(`${path} ${ino} ${kind} ${mode.toString(8)} ${linksCount} ${shown} ${bytes}`);
    if (kind !== 'directory') return;
    const names = listDir(image, ino);
    if (isErr(names)) {
      lines.push(`${path}: ${names.errno}`);
      return;
    }
    for (const { name, ino: child } of names) {
      const text = name.toText();
      if (text !== '.' && text !== '..') walk(child, path === '/' ? `/${text}` : `${path}/${text}`);
    }
  };
  walk(2, '/');
  return lines.sort().join('\n');
}
