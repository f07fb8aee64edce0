/**
 * What `--json` prints, command by command: the schema of each output, published under schema/ and checked against
 * real outputs by a test. `schemaVersion` goes up when something is taken away or means something else.
 */
import { z } from 'zod';

const VERSION = z.literal(1).describe('Goes up when a field goes away or changes its meaning.');
const text = z.string();
const count = z.int().min(0);
const hex = z.string().regex(/^([0-9a-f]{2})*$/);
const scheduleText = z
  .string()
  .describe('Runs of steps: A29B23A10B2 is 29 of the first lane, 23 of the second, …');
const token = z.string().describe('scenario:design@mount:schedule, for ext4lab replay.');

const stat = z.strictObject({ size: count, blocks: count, nlink: count, mode: count });
const lineResult = z
  .strictObject({
    line: text,
    ret: z.int().optional().describe('What the call returned; left out where errno is there.'),
    errno: text.optional().describe('ENOSPC, SIGBUS, …'),
    data: hex.optional().describe('Bytes read, hex.'),
    stat: stat.optional(),
    extents: z.array(z.strictObject({ logical: count, length: count, flags: count })).optional(),
    names: z.array(text).optional(),
  })
  .describe('What a line answered.');
const tasks = z.record(text, z.array(lineResult)).describe('Lane to what each of its lines answered.');
const finding = z.strictObject({
  kind: z.enum(['bug-on', 'warn-on', 'error', 'lock', 'invariant']),
  id: text,
  step: z.int().describe('The step after which it was there, from 0.'),
  message: text,
});
const fileView = z.strictObject({
  ino: count,
  size: count,
  blocks: count.describe('512-byte units.'),
  inline: z.boolean(),
  content: hex,
});
const final = z.strictObject({
  files: z.record(text, fileView).describe('The files of the root.'),
  inodes: z.record(text, hex).describe('Inode number to the raw inode in the bdev cache.'),
});
const traceSummary = z.strictObject({ steps: count, digest: z.string().regex(/^[0-9a-f]{16}$/) });

const run = z.strictObject({
  schemaVersion: VERSION,
  scenario: text,
  design: text,
  mount: text,
  schedule: scheduleText,
  tasks,
  findings: z.array(finding),
  final,
  unfinished: z.array(text).describe('Lanes that did not end.'),
  deadlock: text.nullable().describe('Who waits for whom.'),
  trace: traceSummary,
});

const exec = z.strictObject({
  schemaVersion: VERSION,
  design: text,
  tasks,
  findings: z.array(finding),
  final,
  trace: traceSummary,
});

const violation = z.strictObject({
  invariant: text,
  message: text,
  schedule: scheduleText,
  preemptions: count,
  steps: count.describe('The invariant is broken after the last.'),
});
const reach = z
  .strictObject({
    strategy: z.enum(['exhaustive', 'pct', 'random', 'round-robin']),
    preemptions: count.nullable(),
    schedules: z.union([count, text]).nullable().describe('Decimal text where it is too large for a number.'),
    states: count,
    transitions: count,
    complete: z.boolean(),
    reduced: z.boolean(),
    parts: count
      .optional()
      .describe(
        'Joined by merge: states, transitions, failures and media are sums over so many parts, and what several came to is counted in each.',
      ),
    endless: text.optional().describe('Who goes round for ever, and where.'),
  })
  .describe('How far the verdict reaches.');
const cellShape = {
  scenario: text,
  mount: text,
  design: text,
  verdict: z.enum(['holds', 'violates', 'inconclusive', 'not-applicable']),
  violates: z.array(text),
  violations: z.array(violation),
  pendingOnly: z.boolean(),
  reach,
  endStates: z.array(text).describe('Digests.'),
  schedule: scheduleText.optional(),
  token: token.optional(),
  unreached: z.array(text),
};
const splatShape = {
  kind: z.enum(['circular', 'recursive', 'sleep', 'unlock', 'user-space', 'circular-wait']),
  classes: z.array(text),
  summary: text,
};
const splat = z.strictObject({
  ...splatShape,
  text: text.describe('The report, as the kernel lays it out.'),
});

const explore = z.strictObject({ schemaVersion: VERSION, ...cellShape, lockdep: z.array(splat) });

const lost = z.array(text).describe('Writes that did not reach the medium, in words.');
const crashCell = {
  ...cellShape,
  crash: z.strictObject({
    failures: count.describe('Power failures tried.'),
    media: count.describe('Different media among them, each recovered once.'),
    all: z.boolean().describe('Every choice of whole blocks was tried.'),
  }),
};
const crash = z.strictObject({
  schemaVersion: VERSION,
  ...crashCell,
  violations: z.array(violation.extend({ lost, token })),
});

const asExpected = z.boolean().nullable().describe('null: the scenario records no expectation.');
const race = z.strictObject({
  schemaVersion: VERSION,
  designs: z.array(z.strictObject({ id: text })),
  scenarios: z.array(z.strictObject({ name: text, question: text })),
  cells: z.array(
    z.strictObject({
      ...cellShape,
      asExpected,
      crash: z
        .strictObject({ ...crashCell, asExpected })
        .optional()
        .describe('When power may fail at any step.'),
    }),
  ),
  lockdep: z.array(z.strictObject({ design: text, splats: z.array(z.strictObject(splatShape)) })),
});

const lockdep = z.strictObject({
  schemaVersion: VERSION,
  designs: z.array(
    z.strictObject({
      design: text,
      searches: count,
      states: count,
      splats: z.array(splat),
      edges: z
        .array(z.strictObject({ from: text, to: text, at: z.array(text) }))
        .describe('Class to class, with where it was seen.'),
    }),
  ),
  incomplete: count.describe('Searches that were cut short.'),
});

const xattr = z.strictObject({
  name: text,
  offset: count,
  valueOffs: count,
  valueSize: count,
  hash: count,
  valueInum: count.optional(),
  value: hex.optional(),
});
const checksum = z.strictObject({ stored: count, computed: count }).optional();
const inspectInode = z.strictObject({
  schemaVersion: VERSION,
  ino: count,
  offset: count,
  kind: text.optional(),
  mode: text,
  uid: count,
  gid: count,
  size: count,
  links: count,
  blocks: count,
  flags: z.strictObject({ value: count, names: z.array(text) }),
  generation: count,
  dtime: count,
  extraIsize: count,
  times: z.record(text, text),
  checksum,
  ibodyXattrs: z.array(xattr),
  xattrBlock: z.strictObject({ block: count, refcount: count, xattrs: z.array(xattr) }).optional(),
  inline: hex.optional(),
  extents: z.array(z.strictObject({ lblk: count, pblk: count, length: count, unwritten: z.boolean() })),
  treeBlocks: z.array(count),
  target: text.optional(),
  entries: z.union([z.array(z.strictObject({ name: text, ino: count, fileType: count })), text]).optional(),
  htree: z.looseObject({}).optional(),
  raw: hex,
});
const group = z.strictObject({
  group: count,
  firstBlock: count,
  blocks: count,
  hasSuperblock: z.boolean(),
  blockBitmap: count,
  inodeBitmap: count,
  inodeTable: count,
  freeBlocks: count,
  freeInodes: count,
  usedDirs: count,
  itableUnused: count,
  flags: z.array(text),
});
const inspectImage = z.strictObject({
  schemaVersion: VERSION,
  superblock: z.looseObject({
    uuid: text,
    features: z.array(text),
    blockSize: count,
    blocksCount: count,
    inodeSize: count,
    inodesCount: count,
    fields: z
      .record(text, z.union([z.number(), text]))
      .describe('Every field as it is stored; bytes as hex.'),
  }),
  journal: z
    .strictObject({
      ino: count,
      blocks: count,
      first: count,
      sequence: count,
      start: count,
      needsRecovery: z.boolean(),
    })
    .optional(),
  groups: z.array(group),
  paths: z.array(z.strictObject({ path: text, ino: count })),
});

const check = z.strictObject({
  schemaVersion: VERSION,
  errors: count,
  notes: count,
  complaints: z.array(z.looseObject({ code: text, severity: text.optional() })),
});

const designs = z.strictObject({
  schemaVersion: VERSION,
  designs: z.array(
    z.looseObject({
      id: text,
      summary: text,
      source: text,
      promises: z.array(text),
      locks: z.array(text),
      unmodelled: z.array(text),
    }),
  ),
});
const invariants = z.strictObject({
  schemaVersion: VERSION,
  invariants: z.array(z.strictObject({ id: text, summary: text, why: text, when: text })),
});
const scenarios = z.strictObject({
  schemaVersion: VERSION,
  scenarios: z.array(
    z.strictObject({
      name: text,
      question: text,
      file: text,
      source: z.array(text),
      lanes: z.array(text),
      mounts: z.array(text),
    }),
  ),
});
const mkfs = z.strictObject({ schemaVersion: VERSION, file: text, bytes: count });

/** Name of the schema to what it describes; `run` is of replay too. */
export const OUTPUTS = {
  race,
  run,
  explore,
  crash,
  lockdep,
  exec,
  'inspect-image': inspectImage,
  'inspect-inode': inspectInode,
  check,
  mkfs,
  designs,
  invariants,
  scenarios,
} as const;

export type OutputName = keyof typeof OUTPUTS;

/** JSON Schema (draft 7) of an output. */
export function outputJsonSchema(name: OutputName): Record<string, unknown> {
  const schema = z.toJSONSchema(OUTPUTS[name], { target: 'draft-7' }) as Record<string, unknown>;
  return { title: `ext4lab ${name.replace('-', ' ')} --json`, ...schema };
}
