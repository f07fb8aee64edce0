import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FORMATS, importFile } from '../../formats/read.ts';
import { defineCommand } from '../command.ts';
import { EXIT, UsageError } from '../errors.ts';
import { inflate } from '../inflate.ts';
import { shownPath } from '../scenarioFiles.ts';

export default defineCommand({
  about:
    'Makes a scenario, which race and run take, of what others exchange: shell lines with xfs_io or its commands alone, ' +
    'the operations that fsx saves (.fsxops), a syzkaller program, one raw inode of an inline file. What cannot be emulated is refused with its line and ' +
    'column; what is taken differently is said on stderr and in the scenario. FILE - is stdin.',
  operands: ['FILE'],
  options: {
    as: {
      type: 'text',
      value: 'FORMAT',
      choices: FORMATS,
      summary: 'what FILE is (default: what it looks like)',
    },
    out: { type: 'text', short: 'o', value: 'OUT', summary: 'the scenario (default: stdout)' },
    name: { type: 'text', value: 'NAME', summary: 'of the scenario (default: that of the file)' },
    'mount-point': {
      type: 'text',
      value: 'DIR',
      summary: 'where the volume was mounted (default: what the paths share)',
    },
    fresh: {
      type: 'flag',
      summary:
        'a volume of ours instead of a syzkaller image that can only be read; the setup makes its files',
    },
  },
  examples: [
    'import repro.sh -o repro.json',
    'import fail.fsxops --as fsx -o fail.json',
    'import repro.syz -o bug.json',
  ],
  run(ctx) {
    const { options } = ctx;
    const [file] = ctx.operands;
    const bytes = readFileSync(file === '-' ? 0 : file!);
    if (options.name !== undefined && !/^[a-z0-9][a-z0-9-]{0,79}$/.test(options.name))
      throw new UsageError(`--name ${options.name}: lower-case letters, digits and -`);
    const name = options.name ?? (options.out === undefined ? undefined : nameOf(options.out));
    const imported = importFile(bytes, file === '-' ? 'stdin' : shownPath(file!), {
      ...(options.as === undefined ? {} : { as: options.as }),
      ...(name === undefined ? {} : { name }),
      ...(options['mount-point'] === undefined ? {} : { mountPoint: options['mount-point'] }),
      unpack: inflate,
      fresh: options.fresh,
    });
    const { scenario, notes, format, guessed, image } = imported;
    if (guessed) ctx.say(`${file}: read as ${format}`);
    for (const note of notes) ctx.say(`note: ${note}`);
    if (image !== null) {
      if (options.out === undefined)
        throw new UsageError('it brings an image, which goes beside the scenario: give -o OUT.json');
      const beside = `${basename(options.out).replace(/\.json$/, '')}.img.gz`;
      writeFileSync(join(dirname(options.out), beside), gzipSync(image, { level: 9 }));
      scenario.image = { file: beside };
      ctx.say(`${join(dirname(options.out), beside)}: the image, ${image.length} bytes unpacked`);
    }
    const text = JSON.stringify(scenario, null, 2);
    if (options.out === undefined) ctx.verbatim(text);
    else {
      writeFileSync(options.out, `${text}\n`);
      const lanes = Object.keys(scenario.tasks).length;
      ctx.say(
        `${options.out}: ${lanes === 1 ? 'one lane' : `${lanes} lanes`}; next: ext4lab race ${options.out}`,
      );
    }
    return EXIT.ok;
  },
});

function nameOf(out: string): string | undefined {
  const name = basename(out).replace(/\.json$/, '');
  return /^[a-z0-9][a-z0-9-]{0,79}$/.test(name) ? name : undefined;
}
