import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import {
  compareWithRecording,
  formatDifference,
  type Recording,
  readRecording,
  writeRecording,
} from '../../compare/recording.ts';
import { mountLabel, readScenario } from '../../scenario/schema.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';
import { ImageStore } from '../kernel/images.ts';
import { recordScript, type Script, scriptOfRecording, scriptOfScenario } from '../kernel/record.ts';
import { recordingFiles } from '../kernel/recordingFiles.ts';
import { Referee, Refusal } from '../kernel/referee.ts';
import { bundledFiles, scenarioFiles, shownPath } from '../scenarioFiles.ts';

/** A script, and the recording it would replace. */
interface Work {
  readonly script: Script;
  readonly old: Recording | undefined;
  /** Where the new one goes. */
  readonly target: string;
}

export default defineCommand({
  about:
    "Runs scenarios, or the lines of old recordings, on this machine's own kernel: root, loop devices and " +
    'e2fsprogs are needed. Everything is run twice; what two runs do not agree on is not recorded. Without ' +
    'operands every bundled recording is made anew.',
  operands: ['[SCENARIO|RECORDING…]'],
  options: {
    out: { type: 'text', value: 'FOLDER', summary: 'where recordings go (old ones: where they are)' },
    verify: { type: 'flag', summary: 'write nothing; compare with the old recordings' },
    objections: {
      type: 'flag',
      summary:
        'of a scenario: e2fsck objects to what is left; record what it says, and do not mount that again',
    },
    runs: { type: 'integer', value: 'N', min: 2, max: 100, default: 2, summary: 'runs that must agree' },
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: [
    'kernel record my-scenario.json --out recordings',
    'kernel record --verify',
    'kernel record mmap-store-then-fsync',
  ],
  async run(ctx) {
    const work = worksOf(ctx.operands, ctx.options.out);
    if (ctx.options.verify) {
      const without = work.find(({ old }) => old === undefined);
      if (without !== undefined) {
        throw new Refusal(`${without.script.file} is a scenario: --verify takes recordings`, null);
      }
    }
    const [referee, images] = [new Referee(), new ImageStore()];
    const rows: { name: string; file: string; outcome: string; difference?: string }[] = [];
    let differing = 0;
    try {
      for (const [index, { script, old, target }] of work.entries()) {
        if (ctx.signal.aborted) break;
        ctx.progress.update('record', index, work.length);
        const asked = ctx.options.objections && old === undefined ? { ...script, objections: true } : script;
        const recording = await recordScript(asked, referee, images, { runs: ctx.options.runs });
        const difference = old === undefined ? undefined : compareWithRecording(old, recording)[0];
        if (difference !== undefined) differing++;
        const outcome = old === undefined ? 'new' : difference === undefined ? 'same' : 'changed';
        if (!ctx.options.verify) {
          mkdirSync(dirname(target), { recursive: true });
          writeFileSync(target, writeRecording(recording));
        }
        const told = difference === undefined ? {} : { difference: formatDifference(difference) };
        rows.push({ name: script.name, file: shownPath(target), outcome, ...told });
        if (!ctx.options.json) {
          ctx.out(
            `${outcome.padEnd(8)}${script.name}${'difference' in told ? `\n        ${told.difference}` : ''}`,
          );
        }
      }
    } finally {
      await referee.close();
      images.close();
    }
    if (ctx.options.json) ctx.json({ recordings: rows });
    return ctx.options.verify && differing > 0 ? EXIT.differs : EXIT.ok;
  },
});

/** Words name recordings first, then scenarios; a file says itself which it is. */
function worksOf(words: readonly string[], out: string | undefined): Work[] {
  if (words.length === 0) return recordingFiles([]).flatMap((file) => worksOfFile(file, out));
  return words
    .flatMap((word) => (isBundledScenario(word) ? scenarioFiles([word]) : recordingFiles([word])))
    .flatMap((file) => worksOfFile(file, out));
}

function isBundledScenario(word: string): boolean {
  return bundledFiles().some((file) => file.endsWith(`/${word}.json`));
}

function worksOfFile(file: string, out: string | undefined): Work[] {
  const text = readFileSync(file, 'utf8');
  if (/"recordingVersion"/.test(text)) {
    const old = readRecording(text, shownPath(file));
    const script = scriptOfRecording(old, file);
    const target = out === undefined ? file : join(out, `${old.name}.json`);
    return [{ script: moved(script, target), old, target }];
  }
  const scenario = readScenario(text, shownPath(file));
  if (out === undefined) {
    throw new Refusal(`${shownPath(file)}: where does the recording of a scenario go? (--out FOLDER)`, null);
  }
  return scenario.mounts.map((mount, index) => {
    const script = scriptOfScenario(scenario, index);
    const suffix = scenario.mounts.length === 1 ? '' : `-${mountLabel(mount).replaceAll(/[=,_]/g, '-')}`;
    const name = `${script.name}${suffix}`;
    const target = join(out, `${name}.json`);
    return { script: moved({ ...script, file, name }, target), old: undefined, target };
  });
}

/** The script with its image named from where the recording will be. */
function moved(script: Script, target: string): Script {
  if (!('file' in script.image)) return script;
  const image = resolve(dirname(script.file), script.image.file);
  return { ...script, file: target, image: { file: relative(dirname(resolve(target)), image) } };
}
