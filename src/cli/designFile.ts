/**
 * A design that somebody keeps in a file of their own: a module that exports one made with `defineDesign`.
 */
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Design } from '../designs/design.ts';
import {
  DESIGNS,
  designById,
  type Hooks,
  mkwriteConvert,
  type Op,
  type WriteBegin,
} from '../designs/index.ts';
import { isErr } from '../errno.ts';
import { didYouMean } from '../scenario/suggest.ts';
import { UsageError } from './errors.ts';
import { shownPath } from './scenarioFiles.ts';

/** Every so many steps of a design from a file a closure is held against a fresh one: see explore/paranoid.ts. */
export const PARANOID = 37;

export const isFromFile = (design: Design): boolean => files.has(design);

/** Is this a path, and not the name of a design? */
export const isDesignFile = (word: string): boolean => word.includes('/') || /\.[cm]?[jt]s$/.test(word);

/** Designs that came from files, with the paths that they are told by. */
const files = new WeakMap<Design, { readonly file: string; readonly shown: string }>();

/**
 * Runs something under a design. What is thrown by a design from a file is a mistake in that file, not in ext4lab.
 * @throws UsageError with the place in the file, where the error has one
 */
export function blaming<T>(design: Design, body: () => T): T {
  const from = files.get(design);
  try {
    return body();
  } catch (error) {
    if (from === undefined || !(error instanceof Error)) throw error;
    const cause = error.cause instanceof Error ? error.cause : error;
    const stack = cause.stack ?? '';
    const at = stack.indexOf(from.file);
    const isTheirs =
      at >= 0 ||
      error.name === 'StepError' ||
      cause.name === 'ForgottenYield' ||
      cause.message.startsWith('hook ');
    if (!isTheirs) throw error;
    const place = at < 0 ? '' : (/^:\d+:\d+/.exec(stack.slice(at + from.file.length))?.[0] ?? '');
    throw new UsageError(`${from.shown}${place}: ${error.message}`);
  }
}

/** @throws UsageError for a file that cannot be imported, or exports no design, or several */
export async function designFromFile(word: string): Promise<Design> {
  const file = resolve(word);
  const shown = shownPath(file);
  if (!existsSync(file)) throw new UsageError(`${shown}: no such file`);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
      throw new UsageError(
        `${shown}: this node reads no TypeScript`,
        'run ext4lab with npx tsx, or write .mjs',
      );
    // Where no package.json says "type": "module", a .ts or .js is CommonJS, and the kit of a clone cannot be required.
    if (code === 'ERR_REQUIRE_CYCLE_MODULE' || code === 'ERR_REQUIRE_ESM')
      throw new UsageError(
        `${shown}: node takes it for CommonJS`,
        `call it ${basename(file).replace(/\.([jt]s)$/, '.m$1')}, or put a package.json with "type": "module" beside it`,
      );
    throw new UsageError(`${shown}: ${message}`);
  }
  const found = [...new Set(Object.values(module))].filter(looksLikeDesign);
  if (found.length !== 1) {
    const many = found.length === 0 ? 'exports no design' : `exports ${found.length} designs`;
    throw new UsageError(`${shown} ${many}`, 'export one value made with defineDesign');
  }
  const design = answering(checked(found[0]!, shown));
  files.set(design, { file, shown });
  return design;
}

const looksLikeDesign = (value: unknown): value is Design =>
  typeof value === 'object' && value !== null && 'id' in value && 'hooks' in value;

/** Types are not checked when a file is run: a misspelt hook would be one that nobody asks. */
function checked(design: Design, shown: string): Design {
  if (!/^[a-z][a-z0-9-]*$/.test(design.id))
    throw new UsageError(`${shown}: id ${JSON.stringify(design.id)}`, 'lower-case letters, digits and -');
  if (designById(design.id) !== undefined && designById(design.id) !== design)
    throw new UsageError(`${shown}: the id ${design.id} is that of a bundled design`, 'choose another one');
  const known = Object.keys(mkwriteConvert.hooks);
  for (const [name, hook] of Object.entries(design.hooks)) {
    if (!known.includes(name)) throw new UsageError(`${shown}: no hook ${name}${didYouMean(name, known)}`);
    if (typeof hook !== 'function') throw new UsageError(`${shown}: hook ${name} is not a function`);
  }
  const missing = known.filter((name) => !Object.hasOwn(design.hooks, name));
  if (missing.length > 0)
    throw new UsageError(`${shown}: no hook ${missing[0]}`, 'lay the design over one that is complete');
  return design;
}

const succeeds = (answer: unknown): boolean => answer === undefined || isErr(answer);

/** What the hooks that answer a result may answer; the types say the same, and are not there when the file is run. */
const ANSWERS: Readonly<Partial<Record<keyof Hooks, (answer: unknown) => boolean>>> = {
  open: succeeds,
  preMmap: succeeds,
  mmap: succeeds,
  convertForWrite: succeeds,
  setattrSize: succeeds,
  convert: succeeds,
  writeBegin: (answer) => isErr(answer) || Number.isInteger((answer as WriteBegin | undefined)?.index),
  writeEnd: (answer) => isErr(answer) || Number.isInteger(answer),
  writepagesInline: (answer) => answer === 'blocks' || answer === 'done' || isErr(answer),
};

/** The design with hooks of its own that look at their answers. */
function answering(design: Design): Design {
  const hooks: Record<string, unknown> = { ...design.hooks };
  for (const [name, may] of Object.entries(ANSWERS)) {
    const hook = hooks[name] as (...args: unknown[]) => Op<unknown>;
    if (DESIGNS.some((each) => each.hooks[name as keyof Hooks] === (hook as unknown))) continue;
    hooks[name] = function* (...args: unknown[]): Op<unknown> {
      const op = hook(...args);
      if (typeof op?.next !== 'function')
        throw new TypeError(`hook ${name} is no generator: *${name}(k, …) { … }`);
      const answer = yield* op;
      if (!may(answer))
        throw new TypeError(`hook ${name} answers ${JSON.stringify(answer)}, see src/hooks.ts`);
      return answer;
    };
  }
  return Object.freeze({ ...design, hooks: Object.freeze(hooks) as unknown as Hooks });
}
