/**
 * What the lab makes of a volume, however broken: loads it, checks it, shows everything in it, runs a script on it. A
 * refusal is a `BadImage`, a script that cannot run a `ScenarioError`; anything else that is thrown is a mistake here.
 */
import { designNamed } from '../../src/cli/designOption.ts';
import { isErr } from '../../src/errno.ts';
import { onVolume } from '../../src/scenario/damage.ts';
import { parseScript } from '../../src/scenario/lane.ts';
import { runSession } from '../../src/scenario/run.ts';
import { saveImage } from '../../src/scenario/save.ts';
import { startSession } from '../../src/scenario/session.ts';
import { checkImage } from '../../src/volume/check.ts';
import { describeImage, describeInode, paths } from '../../src/volume/describe.ts';
import { readFile } from '../../src/volume/file.ts';
import { Image } from '../../src/volume/image.ts';

export type Verdict = 'refused' | 'errors' | 'notes' | 'clean';

/** Runs one stage after another; `stage` hears its name before it starts. */
export interface JudgeOptions {
  readonly stage: (name: 'load' | 'check' | 'inspect' | 'exec') => void;
  readonly exec: boolean;
}

const SCRIPT = `
ls /
open -f /inline
pwrite -S 0x61 10 5
pread 0 200
pwrite -S 0x62 300 50
fsync
truncate 70
close
open -f /new
pwrite -S 0x63 0 30
close
open /deep
pread 0 20000
pwrite -S 0x64 30000 3000
close
open /blocks
truncate 100
close
open /unwritten
pwrite -S 0x64 0 9000
fpunch 1000 5000
close
setfattr -n user.x -v 0x0102 /blocks
getfattr -n user.big /blocks
rmfattr -n user.big /deep
mkdir /d/x
ls /linear
ls /hashed
rm /hashed/a-rather-long-name-number-7
mv /short /d/moved
rmdir /d/e
rm /inline
sync
@remount
ls /d
`;

/** @throws whatever is not a clear refusal */
export function judge(file: Uint8Array, { stage, exec }: JudgeOptions): Verdict {
  stage('load');
  let image: Image;
  try {
    image = Image.load(file);
  } catch (error) {
    if (named(error, 'BadImage')) return 'refused';
    throw error;
  }
  stage('check');
  const complaints = checkImage(image);
  for (const { message, structure, offset } of complaints) {
    if (message === '' || structure === '' || !(offset >= 0))
      throw new Error(`an empty complaint: ${message}`);
  }
  stage('inspect');
  refusable(() => describeImage(image));
  const inodes = new Set(paths(image).map(([, ino]) => ino));
  for (let ino = 1; ino <= Math.min(image.geometry.inodesCount, 16); ino++) inodes.add(ino);
  for (const ino of inodes) {
    if (ino < 1 || ino > image.geometry.inodesCount) continue;
    describeInode(image, ino);
    const content = readFile(image, ino, 0, 65536);
    if (!isErr(content) && content.length > 65536) throw new Error(`inode ${ino}: read more than asked`);
  }
  if (exec) {
    stage('exec');
    refusable(() => onVolume(image, undefined, () => runScript(image)));
  }
  if (complaints.some(({ severity }) => severity === 'error')) return 'errors';
  return complaints.length > 0 ? 'notes' : 'clean';
}

function runScript(image: Image): void {
  const session = startSession(
    {
      setup: [],
      lanes: [{ name: 'script', lines: parseScript(SCRIPT, 'script') }],
      after: [],
      freeBlocks: null,
    },
    image,
    designNamed('mkwrite-convert'),
    ['delalloc'],
  );
  const { trace } = runSession(session);
  if (trace.unfinished.length === 0) saveImage(session, trace.end);
}

/** Lets a refusal pass: the command prints its message and exits with code 2. */
function refusable(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!named(error, 'BadImage') && !named(error, 'ScenarioError')) throw error;
  }
}

const named = (error: unknown, name: string): boolean => error instanceof Error && error.name === name;
