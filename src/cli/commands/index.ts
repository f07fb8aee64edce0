/** Every command, in the order of the help text. A command's file is loaded when it is run. */
import type { CommandEntry } from '../command.ts';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'race',
    summary: 'every scenario × the main designs: the verdict matrix',
    load: () => import('./race.ts'),
  },
  { name: 'merge', summary: 'the parts of a race or a search, joined', load: () => import('./merge.ts') },
  { name: 'run', summary: 'one execution of a scenario under one design', load: () => import('./run.ts') },
  {
    name: 'explore',
    summary: 'all interleavings of one scenario under one design',
    load: () => import('./explore.ts'),
  },
  {
    name: 'crash',
    summary: 'power failure after every step: what recovery gives back',
    load: () => import('./crash.ts'),
  },
  {
    name: 'lockdep',
    summary: 'the order of locks over all schedules, as lockdep reports it',
    load: () => import('./lockdep.ts'),
  },
  { name: 'replay', summary: 'one schedule again, from its token', load: () => import('./replay.ts') },
  {
    name: 'report',
    summary: 'one scenario, or one token at its violation, as a page',
    load: () => import('./report.ts'),
  },
  {
    name: 'playground',
    summary: 'the page on localhost: edit a scenario and explore it',
    load: () => import('./playground.ts'),
  },
  {
    name: 'scenarios',
    summary: 'the bundled scenarios and what they ask',
    load: () => import('./scenarios.ts'),
  },
  { name: 'designs', summary: 'the designs and where they come from', load: () => import('./designs.ts') },
  {
    name: 'invariants',
    summary: 'what is checked after every step, and why',
    load: () => import('./invariants.ts'),
  },
  {
    name: 'claims',
    summary: 'what was claimed on the list, and whether it is so',
    load: () => import('./claims.ts'),
  },
  { name: 'mkfs', summary: 'make a volume with inline data', load: () => import('./mkfs.ts') },
  { name: 'inspect', summary: 'what is on a volume, byte by byte', load: () => import('./inspect.ts') },
  {
    name: 'check',
    summary: 'is a volume consistent? stricter than e2fsck',
    load: () => import('./check.ts'),
  },
  { name: 'exec', summary: 'run a script on an image and save it', load: () => import('./exec.ts') },
  {
    name: 'import',
    summary: 'a scenario from xfs_io lines, fsx operations, a syzkaller program, an inode',
    load: () => import('./import.ts'),
  },
  {
    name: 'export',
    summary: 'a scenario as xfs_io lines, fsx operations or a C program',
    load: () => import('./export.ts'),
  },
  {
    name: 'explain',
    summary: 'a syzkaller program and its image in plain words',
    load: () => import('./explain.ts'),
  },
  {
    name: 'kernel record',
    summary: 'record what this machine’s kernel does (root)',
    load: () => import('./kernelRecord.ts'),
  },
  {
    name: 'kernel check',
    summary: 'compare a design with recordings or the kernel',
    load: () => import('./kernelCheck.ts'),
  },
  { name: 'schema', summary: 'the JSON Schema of a scenario file', load: () => import('./schema.ts') },
  {
    name: 'completion',
    summary: 'a completion script for bash, zsh or fish',
    load: () => import('./completion.ts'),
  },
];
