/**
 * Shell lines around xfs_io, as they stand in commit messages, mails and xfstests. Consecutive commands are one lane;
 * a command that ends in `&` is a lane of its own. Then what comes before the first `&` is the setup, what the shell
 * itself goes on to do is a lane beside them, and what follows `wait` comes after. A process that ends unmaps and
 * closes.
 */
import { quote } from '../scenario/numbers.ts';
import type { ScenarioFile } from '../scenario/schema.ts';
import type { Draft, DraftLane, Step } from './draft.ts';
import { MountPoint, type PathRef, type RawStep, rawStep } from './mountPath.ts';
import { type Entry, expand, type RawWord, readShell, type SimpleCommand, type Word } from './shell.ts';
import { Source } from './source.ts';
import { type CommandText, isXfsIoVerb, xfsIoProcess } from './xfsIo.ts';

/** Is it shell around xfs_io, or a bare list of its commands? */
export function hasXfsIo(text: string): boolean {
  return /(^|[\s;&|(/])(xfs_io|\$\{?XFS_IO_PROG\}?)(\s|$)/m.test(text);
}

/** @param mountPoint  where the volume was mounted, when it is known */
export function readScript(
  text: string,
  file: string,
  mountPoint?: string,
): { draft: Draft; source: Source } {
  const source = new Source(text, file);
  const reader = hasXfsIo(text) ? new Script(source).shell() : new Script(source).commandList();
  return { draft: reader.draft(mountPoint), source };
}

/** Helpers of xfstests that set up or clean up, and commands that only print. */
const IGNORED =
  /^(_require_\w+|_begin_fstest|_init_flakey|_cleanup_flakey|_hexdump|unset|_supported_(fs|os)|_exclude_\w+|_cleanup|_scratch_unmount_dirty|_filter_\w+|_fixed_by_\w+|_notrun|_register_cleanup|_fail|trap|_scratch_unmount_dirty|echo|printf|sleep|cat|stat|md5sum|od|hexdump|xxd|filefrag|lsattr|exit|set|export|true|:|\.|source|dmesg|udevadm|modprobe)$/;
const FILTERS =
  /^(_filter_\w+|_dd_repeat_check|grep|egrep|fgrep|sed|awk|head|tail|cut|tr|sort|uniq|tee|wc|od|hexdump|xxd|md5sum|cat)$/;

/** What an xfstest keeps outside the volume. */
const OWN_FILES = /^\$(seqres|seq|tmp|here|RESULT_DIR)\b/;

/** Where output may go without touching the volume. */
const OUTSIDE = /^(\d|-|\/dev\/|\/tmp\/|\/proc\/|\/sys\/|\/var\/|\$(seqres|seq|tmp|here|RESULT_DIR)\b)/;

type Phase = 'setup' | 'beside' | 'after';

class Script {
  private readonly source: Source;
  private readonly variables = new Map<string, string>();
  private readonly steps: Record<Phase, RawStep[]> = { setup: [], beside: [], after: [] };
  private readonly lanes: RawStep[][] = [];
  private readonly notes: string[] = [];
  private readonly mountedAt: PathRef[] = [];
  private pendingExit: RawStep[] = [];
  private phase: Phase = 'setup';
  private unmounted: number | null = null;
  private image: ScenarioFile['image'] | undefined;
  private redirected = false;
  private functions: ReadonlySet<string> = new Set();
  /** Files outside the volume that printf has written, hex. */
  private readonly data = new Map<string, string>();

  constructor(source: Source) {
    this.source = source;
  }

  shell(): this {
    const { entries, functions } = readShell(this.source);
    this.functions = functions;
    for (const entry of entries) this.entry(entry);
    if (this.unmounted !== null)
      this.note(
        this.unmounted,
        'the unmount at the end is left out: the scenario ends with a remount of its own',
      );
    return this;
  }

  /** Commands of xfs_io, one a line; lines of ours are let through. */
  commandList(): this {
    const commands: CommandText[] = [];
    for (const { text, at } of this.source.lines()) {
      if (/^\s*(#|$)/.test(text)) continue;
      const prompt = /^\s*xfs_io> ?/.exec(text)?.[0].length ?? 0;
      const body = text.slice(prompt);
      commands.push({
        text: body,
        at: at + prompt,
        origin: Array.from(body, (_, i) => at + prompt + i),
        once: true,
      });
    }
    if (commands.length === 0)
      this.source.fail(0, 'no xfs_io command', 'a shell line that runs xfs_io, or its commands, one a line');
    const first = /\S+/.exec(commands[0]!.text)?.[0] ?? '';
    const opens = /^(open|o|@\S+|mkdir|rmdir|rm|mv|ln)$/.test(first);
    const needs = !opens && isXfsIoVerb(first) && !/^(sync|syncfs)$/.test(first);
    if (needs) this.note(commands[0]!.at, 'no file is opened: /f is created and opened first');
    const opened = needs ? [rawStep(commands[0]!.at, 'open -f ', { path: '/f', at: commands[0]!.at })] : [];
    const { steps, notes } = xfsIoProcess(this.source, opened, commands, { own: true });
    this.steps.setup.push(...steps);
    this.notes.push(...notes);
    return this;
  }

  draft(mountPoint?: string): Draft {
    const raw = [...this.steps.setup, ...this.steps.beside, ...this.steps.after, ...this.lanes.flat()];
    const refs = raw.flatMap(({ pieces }) =>
      pieces.filter((piece): piece is PathRef => typeof piece !== 'string'),
    );
    const given = mountPoint ?? this.mountedAt[0]?.path;
    const mount = new MountPoint(this.source, refs, given);
    const mapped = (steps: readonly RawStep[]): Step[] => steps.map((step) => mount.step(step));
    const notes = [...this.notes];
    if (mount.prefix !== '') {
      const [first] = refs;
      notes.unshift(
        `${mount.prefix} is the mount point${first === undefined ? '' : `: ${first.path} is ${mount.map(first)} here`}`,
      );
    }
    const alone = this.lanes.length === 0;
    const own: DraftLane[] = [
      { name: 'CPU0', steps: mapped(alone ? this.steps.setup : this.steps.beside) },
      ...this.lanes.map((steps) => ({ name: '', steps: mapped(steps) })),
    ].filter(({ steps }) => steps.length > 0);
    return {
      setup: alone ? [] : mapped(this.steps.setup),
      lanes: own.map(({ steps }, index) => ({ name: `CPU${index}`, steps })),
      after: mapped(this.steps.after),
      ...(this.image === undefined ? {} : { image: this.image }),
      paths: refs.filter((ref) => this.isFile(raw, ref)).map((ref) => mount.map(ref)),
      notes,
    };
  }

  /** Opened, not made or removed. */
  private isFile(steps: readonly RawStep[], ref: PathRef): boolean {
    const step = steps.find(({ pieces }) => pieces.includes(ref))!;
    return typeof step.pieces[0] === 'string' && step.pieces[0].startsWith('open');
  }

  private note(at: number, text: string): void {
    const { line, column } = this.source.place(at);
    this.notes.push(`${line}:${column}: ${text}`);
  }

  private entry({ commands, background }: Entry): void {
    if (!background) {
      for (const command of commands) this.emit(this.phase, command);
      return;
    }
    if (this.phase === 'after')
      this.source.fail(
        commands[0]!.at,
        'a second batch of background commands',
        'one batch a scenario: what runs beside what',
      );
    this.flushExit();
    this.phase = 'beside';
    const lane: RawStep[] = [];
    let exit: RawStep[] = [];
    for (const command of commands) {
      const done = this.command(command);
      if (done.steps.length === 0) continue;
      lane.push(...exit, ...done.steps);
      exit = [...done.exit];
    }
    if (lane.length > 0) this.lanes.push(lane);
  }

  private emit(phase: Phase, command: SimpleCommand): void {
    const name = command.words[0] === undefined ? '' : expand(command.words[0], this.variables).text;
    if (name === 'wait') {
      this.flushExit();
      this.phase = this.lanes.length > 0 ? 'after' : this.phase;
      return;
    }
    const { steps, exit } = this.command(command);
    if (steps.length === 0) return;
    this.flushExit();
    this.steps[phase].push(...steps);
    this.pendingExit = [...exit];
  }

  /** What the end of a process does matters where something follows in its lane. */
  private flushExit(): void {
    this.steps[this.phase].push(...this.pendingExit);
    this.pendingExit = [];
  }

  private command(command: SimpleCommand): { steps: readonly RawStep[]; exit: readonly RawStep[] } {
    const none = { steps: [], exit: [] };
    const raw = this.assignments(command.words);
    const words = raw.map((word) => expand(word, this.variables));
    const [name] = words;
    if (name === undefined) return none;
    const program = name.text.split('/').at(-1)!;
    if (words.some(({ text }) => text.includes('/proc/sys/vm/drop_caches')) || this.dropsCaches(command))
      return { steps: [rawStep(name.at, '@drop_caches')], exit: [] };
    if (program === 'printf' && this.writesData(command, words)) return none;
    if (program === 'echo' || program === 'printf') {
      const steps = this.echoed(command, program, words.slice(1));
      if (steps !== null) return { steps, exit: [] };
    }
    this.checkRedirections(command, program);
    if (program === 'xfs_io' || name.text === '$XFS_IO_PROG') return this.xfsIo(command, words.slice(1));
    if (IGNORED.test(program)) {
      this.note(name.at, `${program} is left out: it does nothing to the file`);
      return none;
    }
    if (program === '_flakey_drop_and_remount') {
      this.note(name.at, `${program} is a power failure: @crash`);
      return { steps: [rawStep(name.at, '@crash')], exit: [] };
    }
    if (program === '_pwrite_byte' || program === '_mwrite_byte')
      return this.writeByte(name, program, words.slice(1));
    if (/^(umount|_scratch_unmount|_unmount_flakey|_test_unmount)$/.test(program)) {
      const point = words.at(-1)!;
      if (program === 'umount' && words.length > 1 && !point.text.startsWith('/dev/'))
        this.mountedAt.push(pathRef(point));
      this.unmounted = name.at;
      return none;
    }
    if (/^(mount|_scratch_mount|_mount_flakey|_test_mount)$/.test(program)) {
      const point = words.at(-1)!;
      if (words.length > 2 && /^[/$]/.test(point.text)) this.mountedAt.push(pathRef(point));
      if (this.unmounted === null) return none;
      this.unmounted = null;
      return { steps: [rawStep(name.at, '@remount')], exit: [] };
    }
    if (/^(_scratch_cycle_mount|_scratch_remount|_test_cycle_mount)$/.test(program))
      return { steps: [rawStep(name.at, '@remount')], exit: [] };
    if (/^(mkfs(\.ext4)?|mke2fs|_scratch_mkfs\w*)$/.test(program)) {
      this.mkfs(words);
      return none;
    }
    if (program === '_scratch_sync') return { steps: [rawStep(name.at, 'sync')], exit: [] };
    const named = words.slice(1).filter(({ text }) => !/^-./.test(text));
    if (named.length > 0 && named.every(({ text }) => OWN_FILES.test(text))) {
      this.note(name.at, `${program} is left out: its files are the test's own`);
      return none;
    }
    return this.fileCommand(name, program, words.slice(1));
  }

  private assignments(words: readonly RawWord[]): readonly RawWord[] {
    let at = 0;
    for (; at < words.length; at++) {
      const first = words[at]!.parts[0];
      const found = first?.kind === 'text' ? /^([A-Za-z_]\w*)=/.exec(first.text) : null;
      if (found === null) break;
      const whole = expand(words[at]!, this.variables);
      const value = whole.text.slice(found[0].length);
      // What is not known stays unset, and whoever uses it is told.
      if (whole.unset.length === 0 || /^\$\w+(\/|$)/.test(value)) this.variables.set(found[1]!, value);
      else this.variables.delete(found[1]!);
    }
    return words.slice(at);
  }

  private dropsCaches({ redirections }: SimpleCommand): boolean {
    return redirections.some(
      ({ target }) => target !== null && expand(target, this.variables).text === '/proc/sys/vm/drop_caches',
    );
  }

  /** `printf '\\x41\\x42' > FILE`: bytes for a later `pwrite -i FILE`. */
  private writesData({ redirections }: SimpleCommand, [, format, ...more]: readonly Word[]): boolean {
    const [into, ...others] = redirections;
    if (into?.op !== '>' || into.target === null || others.length > 0 || more.length > 0) return false;
    const bytes = format === undefined ? null : /^(\\x[0-9a-fA-F]{2})+$/.exec(format.text);
    if (bytes === null) return false;
    const { text, unset } = expand(into.target, this.variables);
    if (unset.length > 0) return false;
    this.data.set(text, bytes[0].replaceAll('\\x', '').toLowerCase());
    return true;
  }

  /** `echo text > FILE`: the write(2) that the shell makes; null where it goes elsewhere. */
  private echoed({ redirections }: SimpleCommand, program: string, args: readonly Word[]): RawStep[] | null {
    const [into, ...others] = redirections.filter(({ op }) => op === '>' || op === '>>');
    if (into?.target == null) return null;
    const target = expand(into.target, this.variables);
    if (OUTSIDE.test(target.text) || others.length > 0) return null;
    const bare = program === 'echo' && args[0]?.text === '-n';
    const words = bare ? args.slice(1) : args;
    for (const word of words) this.plain(word);
    const said = words.map(({ text }) => text).join(' ');
    const odd = program === 'printf' ? /%|\\(?!n)/.exec(said) : /^-e\b/.exec(said);
    if (odd !== null)
      this.source.fail(
        words[0]!.at,
        `${program} would compute what it writes`,
        "write it as xfs_io -c 'pwrite …'",
      );
    const text = program === 'printf' ? said.replaceAll('\\n', '\n') : `${said}${bare ? '' : '\n'}`;
    const hex = Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join(
      '',
    );
    return [
      rawStep(target.at, `open -f ${into.op === '>' ? '-t' : '-a'} `, this.path(target)),
      ...(hex === '' ? [] : [rawStep(target.at, `pwrite -x ${hex} 0`)]),
      rawStep(target.at, 'close'),
    ];
  }

  private checkRedirections({ redirections, filters }: SimpleCommand, program: string): void {
    for (const { at, op, target } of redirections) {
      if (op === '<<' && program !== 'xfs_io' && program !== '$XFS_IO_PROG')
        this.source.fail(at, `a here-document for ${program}`, 'only xfs_io reads commands');
      if (op === '<')
        this.source.fail(at, 'input from a file', 'put the commands into a here-document, <<EOF');
      const name = target === null ? '' : expand(target, this.variables).text;
      if (op.includes('>') && name !== '' && !OUTSIDE.test(name))
        this.source.fail(at, 'the shell would write into the volume', "write it as xfs_io -c 'pwrite …'");
      if (op !== '<<' && !this.redirected) this.note(at, 'where output goes is left out');
      if (op !== '<<') this.redirected = true;
    }
    for (const filter of filters) {
      const name = expand(filter, this.variables).text.split('/').at(-1)!;
      if (!FILTERS.test(name))
        this.source.fail(filter.at, `${quote(name)} after |`, 'only filters of the output are left out');
      this.note(filter.at, `${name} filters output: left out`);
    }
  }

  private xfsIo(
    command: SimpleCommand,
    words: readonly Word[],
  ): { steps: readonly RawStep[]; exit: readonly RawStep[] } {
    const commands: CommandText[] = [];
    const flags: { letter: string; at: number; value?: string }[] = [];
    const files: Word[] = [];
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!;
      if (!/^-./.test(word.text)) {
        files.push(word);
        continue;
      }
      const letters = word.text.slice(1);
      for (let j = 0; j < letters.length; j++) {
        const letter = letters[j]!;
        const at = word.origin[j + 1] ?? word.at;
        if ('cCmpR'.includes(letter) && letter !== 'R') {
          const joined = letters.slice(j + 1);
          const value = joined === '' ? words[++i] : part(word, j + 2);
          if (value === undefined) this.source.fail(at, `-${letter} needs a value`);
          if (letter === 'c' || letter === 'C') commands.push({ ...this.plain(value), once: letter === 'C' });
          else if (letter === 'm') flags.push({ letter: 'm', at, value: value.text });
          break;
        }
        if (letter === 'x' || letter === 'F') continue;
        if (letter === 'i' || letter === 'n') {
          this.note(at, `xfs_io -${letter} means nothing to a regular file: left out`);
          continue;
        }
        if (!'adfrstTL'.includes(letter)) {
          this.source.fail(
            at,
            `xfs_io -${letter} is not supported`,
            letter === 'R' ? 'ext4 has no realtime files' : undefined,
          );
        }
        flags.push({ letter, at });
      }
    }
    const stdin = command.redirections.find(({ lines }) => lines !== undefined);
    if (stdin !== undefined) {
      if (commands.length > 0) this.source.fail(stdin.at, '-c and a here-document: xfs_io reads only -c');
      for (const { text, at } of stdin.lines!)
        commands.push({ text, at, origin: Array.from(text, (_, i) => at + i), once: true });
    } else if (commands.length === 0 && flags.length === 0) {
      this.source.fail(command.at, 'xfs_io without -c reads its terminal', "give the commands with -c '…'");
    }
    const letters = flags.filter(({ letter }) => letter !== 'm').map(({ letter }) => letter);
    const mode = flags.find(({ letter }) => letter === 'm')?.value;
    const options = `${[...new Set(letters)].map((letter) => ` -${letter}`).join('')}${mode === undefined ? '' : ` -m ${mode}`}`;
    const opened = files.map((path) => rawStep(path.at, `open${options} `, this.path(path)));
    if (files.length === 0 && flags.length > 0)
      this.source.fail(flags[0]!.at, `-${flags[0]!.letter} without a file`);
    const made = xfsIoProcess(this.source, opened, commands, { data: this.data });
    this.notes.push(...made.notes);
    return made;
  }

  /** A word whose every variable is known. */
  private plain(word: Word): CommandText {
    const [unset] = word.unset;
    if (unset !== undefined && !/(^|\s)\$\w+\//.test(word.text)) {
      this.source.fail(
        word.origin[unset.index] ?? word.at,
        `the value of $${unset.name} is not known`,
        `set it above: ${unset.name}=…`,
      );
    }
    return word;
  }

  private path(word: Word): PathRef {
    const inside = word.unset.find(({ index, name }) => index > 0 || !/^[A-Za-z_]\w*$/.test(name));
    if (inside !== undefined) {
      this.source.fail(
        word.origin[inside.index] ?? word.at,
        `the value of $${inside.name} is not known`,
        `set it above: ${inside.name}=…`,
      );
    }
    return pathRef(word);
  }

  /** `_pwrite_byte BYTE OFFSET LENGTH FILE` and `_mwrite_byte BYTE OFFSET LENGTH MAPPED FILE` of xfstests. */
  private writeByte(
    name: Word,
    program: string,
    words: readonly Word[],
  ): { steps: readonly RawStep[]; exit: readonly RawStep[] } {
    const mapped = program === '_mwrite_byte';
    const count = mapped ? 5 : 4;
    if (words.length !== count)
      this.source.fail(name.at, `${program} needs ${count} operands`, `it has ${words.length}`);
    const numbers = words.slice(0, count - 1).map((word) => this.plain(word).text);
    const [byte, offset, length, size] = numbers;
    const file = words.at(-1)!;
    const verb = mapped ? 'mwrite' : 'pwrite';
    return {
      steps: [
        rawStep(file.at, 'open -f ', this.path(file)),
        ...(mapped ? [rawStep(name.at, `mmap -rw 0 ${size}`)] : []),
        rawStep(name.at, `${verb} -S ${byte} ${offset} ${length}`),
      ],
      exit: [...(mapped ? [rawStep(name.at, 'munmap')] : []), rawStep(name.at, 'close')],
    };
  }

  /** Has a step so far named the path, or one below it? */
  private isNamed(path: string): boolean {
    const below = `${path.replace(/\/+$/, '')}/`;
    return [...Object.values(this.steps), ...this.lanes]
      .flat()
      .some(({ pieces }) =>
        pieces.some((piece) => typeof piece !== 'string' && `${piece.path}/`.startsWith(below)),
      );
  }

  private mkfs(words: readonly Word[]): void {
    let blockSize: number | undefined;
    let inodeSize: number | undefined;
    const features: string[] = [];
    const number = (word: Word | undefined, option: Word): number => {
      if (word === undefined || !/^\d+$/.test(word.text))
        this.source.fail(option.at, `${option.text} needs a number`);
      return Number(word.text);
    };
    for (let i = 1; i < words.length; i++) {
      const word = words[i]!;
      if (word.text === '-b') blockSize = number(words[++i], word);
      else if (word.text === '-I') inodeSize = number(words[++i], word);
      else if (word.text === '-O') features.push(...(words[++i]?.text ?? '').split(','));
      else if (/^-[tTLUE]$/.test(word.text)) i++;
      else if (/^-[qFvn]+$/.test(word.text) || /^[/$]/.test(word.text) || /^\d+[kmgKMG]?$/.test(word.text))
        continue;
      else this.source.fail(word.at, `${quote(word.text)} of mkfs is not supported`, '-b, -I, -O and -t are');
    }
    const named = features.filter((name) => name !== '' && name !== 'inline_data');
    const journal = named.some((name) => name.endsWith('has_journal')) ? [] : ['has_journal'];
    this.image = {
      mkfs: {
        ...(blockSize === undefined ? {} : { blockSize: blockSize as 4096 }),
        ...(inodeSize === undefined ? {} : { inodeSize: inodeSize as 256 }),
        features: [...journal, ...named] as 'has_journal'[],
      },
    };
  }

  /** The shell's own words for files. */
  private fileCommand(
    name: Word,
    program: string,
    args: readonly Word[],
  ): { steps: readonly RawStep[]; exit: readonly RawStep[] } {
    const options = args.filter(({ text }) => /^-./.test(text));
    const operands = args.filter(({ text }) => !/^-./.test(text));
    const refuse = (word: Word, hint?: string): never =>
      this.source.fail(word.at, `${program} ${word.text} is not supported`, hint);
    const simple = (steps: RawStep[]) => ({ steps, exit: [] });
    const needs = (count: number): void => {
      if (operands.length < count)
        this.source.fail(name.at, `${program} needs ${count} operand${count > 1 ? 's' : ''}`);
      if (operands.length > count)
        this.source.fail(operands[count]!.at, `unexpected ${quote(operands[count]!.text)}`);
    };
    switch (program) {
      case 'rm':
      case 'unlink':
      case 'rmdir': {
        if (
          options.some(({ text }) => /^-\w*[rR]/.test(text)) &&
          !operands.some(({ text }) => this.isNamed(text))
        ) {
          this.note(name.at, `${program} of what is not there yet: left out`);
          return { steps: [], exit: [] };
        }
        for (const option of options) if (option.text !== '-f') refuse(option, 'one name a line');
        if (operands.length === 0) this.source.fail(name.at, `${program} needs a path`);
        const verb = program === 'unlink' ? 'rm' : program;
        return simple(operands.map((word) => rawStep(word.at, `${verb} `, this.path(word))));
      }
      case 'mkdir': {
        for (const option of options) if (option.text !== '-p') refuse(option);
        const made = operands.filter(({ text }) => !/^\$\w+\/?$/.test(text));
        return simple(made.map((word) => rawStep(word.at, 'mkdir ', this.path(word))));
      }
      case 'touch':
        if (options.length > 0) refuse(options[0]!);
        return simple(
          operands.flatMap((word) => [
            rawStep(word.at, 'open -f ', this.path(word)),
            rawStep(word.at, 'close'),
          ]),
        );
      case 'truncate': {
        const at = args.findIndex(({ text }) => /^-s/.test(text));
        if (at < 0) this.source.fail(name.at, 'truncate needs -s SIZE');
        const joined = args[at]!.text.slice(2);
        const size = joined === '' ? args[at + 1] : part(args[at]!, 2);
        if (size === undefined) this.source.fail(args[at]!.at, '-s needs a size');
        const files = operands.filter((word) => word !== size);
        if (files.length !== 1) this.source.fail(name.at, 'truncate needs one file');
        const [file] = files;
        return simple([
          rawStep(file!.at, 'open -f ', this.path(file!)),
          rawStep(size.at, `truncate ${size.text.toLowerCase()}`),
          rawStep(file!.at, 'close'),
        ]);
      }
      case 'sync': {
        if (options.length === 0 && operands.length === 0) return simple([rawStep(name.at, 'sync')]);
        const verb = options.some(({ text }) => text === '-f')
          ? 'syncfs'
          : options.some(({ text }) => text === '-d')
            ? 'fdatasync'
            : 'fsync';
        for (const option of options) if (!/^-[fd]$/.test(option.text)) refuse(option);
        needs(1);
        const [file] = operands;
        return simple([
          rawStep(file!.at, 'open -r ', this.path(file!)),
          rawStep(name.at, verb),
          rawStep(name.at, 'close'),
        ]);
      }
      case 'mv':
      case 'ln': {
        needs(2);
        const [from, to] = operands as [Word, Word];
        const symbolic = program === 'ln' && options.some(({ text }) => text === '-s');
        const kept = options.filter(({ text }) => program === 'ln' || !/^-[fT]$/.test(text));
        const start = `${program}${kept.map(({ text }) => ` ${text}`).join('')} `;
        return simple([
          symbolic
            ? rawStep(name.at, `${start}${quoted(from.text)} `, this.path(to))
            : rawStep(name.at, start, this.path(from), ' ', this.path(to)),
        ]);
      }
      case 'mknod': {
        const [path, ...rest] = operands;
        if (options.length > 0) refuse(options[0]!);
        if (path === undefined) this.source.fail(name.at, 'mknod needs a path');
        return simple([
          rawStep(name.at, 'mknod ', this.path(path), rest.map(({ text }) => ` ${text}`).join('')),
        ]);
      }
      case 'readlink':
      case 'ls':
        if (options.length > 0) refuse(options[0]!);
        needs(1);
        return simple([rawStep(name.at, `${program} `, this.path(operands[0]!))]);
      case 'chmod':
      case 'chown':
        if (options.length > 0) refuse(options[0]!);
        needs(2);
        return simple([rawStep(name.at, `${program} ${operands[0]!.text} `, this.path(operands[1]!))]);
      case 'setfattr':
      case 'getfattr': {
        const file = args.at(-1);
        if (file === undefined || args.length < 2)
          this.source.fail(name.at, `${program} needs a name and a path`);
        const words = args.slice(0, -1).filter(({ text }) => text !== '--absolute-names');
        return simple([
          rawStep(name.at, `${program} ${words.map(({ text }) => quoted(text)).join(' ')} `, this.path(file)),
        ]);
      }
      default:
        return this.source.fail(
          name.at,
          `unsupported command ${quote(program)}`,
          /^(dd|cp|fallocate|fsx|fio|fsstress)$/.test(program)
            ? "write what it does as xfs_io -c '…'"
            : this.functions.has(program)
              ? 'functions are not followed: write what it runs'
              : /^(test|\[)$/.test(program)
                ? 'whether it holds is not known here: write what runs'
                : undefined,
        );
    }
  }
}

const pathRef = ({ text, at }: Word): PathRef => ({ path: text, at });
const quoted = (text: string): string => (/^[\w./@%+=:,-]+$/.test(text) ? text : `'${text}'`);

/** The rest of a word, from one character on. */
function part(word: Word, from: number): Word {
  return {
    text: word.text.slice(from),
    at: word.origin[from] ?? word.at,
    origin: word.origin.slice(from),
    unset: word.unset
      .filter(({ index }) => index >= from)
      .map((each) => ({ ...each, index: each.index - from })),
  };
}
