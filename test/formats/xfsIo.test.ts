/** xfs_io lines in and out. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundledFiles, loadScenario } from '../../src/cli/scenarioFiles.ts';
import { mkwriteConvert } from '../../src/designs/mkwrite-convert.ts';
import { guessFormat } from '../../src/formats/read.ts';
import { xfsIoScript } from '../../src/formats/xfsIoOut.ts';
import type { Command } from '../../src/scenario/ast.ts';
import { ScenarioError } from '../../src/scenario/error.ts';
import { type MkfsSpec, makeVolume } from '../../src/scenario/image.ts';
import { runSession } from '../../src/scenario/run.ts';
import type { Scenario } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';
import { ext4lab } from '../support/command.ts';
import { refereed } from '../support/referee.ts';
import { complaint, imported, scenarioOf, survivesDamage } from './support.ts';

const COMMIT = "xfs_io -f /mnt/file -c 'pwrite 0 1' -c 'mmap -w 0 1m' -c 'mwrite 0 1' -c 'fsync'\n";

describe('a shell line', () => {
  it('of 7b4cc9787fe3 is one lane', () => {
    const { scenario, notes } = imported(COMMIT, 'xfs_io');
    expect(scenario.tasks).toEqual({
      CPU0: ['open -f /file', 'pwrite 0 1', 'mmap -w 0 1m', 'mwrite 0 1', 'fsync'],
    });
    expect(notes).toEqual(['/mnt is the mount point: /mnt/file is /file here']);
  });

  it('takes its file anywhere, flags joined, and short names', () => {
    const { scenario } = imported(
      "xfs_io -c 'w 0 5' -ft /mnt/a -c s -c ds -c 'mm -rw 0 4k' -c 'mw 0 1' -c 'mm 0'\n",
      'xfs_io',
    );
    expect(scenario.tasks.CPU0).toEqual([
      'open -f -t /a',
      'pwrite 0 5',
      'fsync',
      'fdatasync',
      'mmap -rw 0 4k',
      'mwrite 0 1',
      'mapping 0',
    ]);
  });

  it('continues over \\, with double quotes and variables', () => {
    const text =
      'f=$SCRATCH_MNT/foo\nlen=10\n$XFS_IO_PROG -f -c "pwrite -S 0x61 0 $len" \\\n\t-c fsync $f | _filter_xfs_io\n';
    expect(imported(text, 'xfs_io').scenario.tasks.CPU0).toEqual([
      'open -f /foo',
      'pwrite -S 0x61 0 10',
      'fsync',
    ]);
  });

  it('reads a here-document, up to quit', () => {
    const text = 'xfs_io -f /mnt/f <<EOF\npwrite 0 3\nquit\npwrite 0 4\nEOF\n';
    expect(imported(text, 'xfs_io').scenario.tasks.CPU0).toEqual(['open -f /f', 'pwrite 0 3']);
  });

  it('after another closes what that one opened', () => {
    const text = "xfs_io -f -c 'pwrite 0 1' -c 'mmap -rw 0 4k' /mnt/f\nxfs_io -c fsync /mnt/f\n";
    expect(imported(text, 'xfs_io').scenario.tasks.CPU0).toEqual([
      'open -f /f',
      'pwrite 0 1',
      'mmap -rw 0 4k',
      'munmap',
      'close',
      'open /f',
      'fsync',
    ]);
  });

  it('with & begins a lane; before it is the setup, after wait the end', () => {
    const text = [
      "xfs_io -f -c 'pwrite 0 50' /mnt/f",
      "xfs_io -c 'mmap -rw 0 4k' -c 'mwrite 0 4' /mnt/f &",
      "( xfs_io -c 'pwrite 0 10' /mnt/f; sync ) &",
      "xfs_io -c 'pread 0 5' /mnt/f",
      'wait',
      'umount /mnt',
      'mount /dev/loop0 /mnt',
      'rm -f /mnt/f',
    ].join('\n');
    const { scenario } = imported(text, 'xfs_io');
    expect(scenario.setup).toEqual(['open -f /f', 'pwrite 0 50', 'close']);
    expect(scenario.tasks).toEqual({
      CPU0: ['open /f', 'pread 0 5', 'close'],
      CPU1: ['open /f', 'mmap -rw 0 4k', 'mwrite 0 4'],
      CPU2: ['open /f', 'pwrite 0 10', 'close', 'sync'],
    });
    expect(scenario.after!.slice(0, 2)).toEqual(['@remount', 'rm /f']);
  });

  it('knows the mount point that it is told, or that mkfs and mount name', () => {
    expect(
      imported("xfs_io -f -c 'pwrite 0 1' /a/b/c\n", 'xfs_io', { mountPoint: '/a' }).scenario.tasks.CPU0![0],
    ).toBe('open -f /b/c');
    const { scenario } = imported(
      "mkfs.ext4 -q -b 1024 -I 512 -O inline_data,^has_journal /dev/x\nmkdir -p /m\nmount -o loop /dev/x /m\nxfs_io -f -c 'pwrite 0 1' /m/d/f\n",
      'xfs_io',
    );
    expect(scenario.image).toEqual({ mkfs: { blockSize: 1024, inodeSize: 512, features: ['^has_journal'] } });
  });

  it('writes what echo writes, and refuses other output into the volume', () => {
    const text =
      "echo hello > /mnt/f\necho -n x >> /mnt/f\nprintf 'a b\\n' > /mnt/g\nxfs_io -c fsync /mnt/f > /dev/null 2>&1\n";
    expect(imported(text, 'xfs_io').scenario.tasks.CPU0).toEqual([
      'open -f -t /f',
      'pwrite -x 68656c6c6f0a 0',
      'close',
      'open -f -a /f',
      'pwrite -x 78 0',
      'close',
      'open -f -t /g',
      'pwrite -x 6120620a 0',
      'close',
      'open /f',
      'fsync',
    ]);
    expect(complaint('md5sum x > /mnt/f\nxfs_io -c fsync /mnt/f\n', 'xfs_io')).toContain(
      '1:10: the shell would write into the volume',
    );
    expect(complaint('printf %d 5 > /mnt/f\nxfs_io -c fsync /mnt/f\n', 'xfs_io')).toContain(
      'printf would compute',
    );
  });

  it('sends a file as copy_range, and drops caches', () => {
    const text = "xfs_io -f -c 'sendfile -i /mnt/a 0 10' /mnt/b\necho 3 > /proc/sys/vm/drop_caches\n";
    expect(imported(text, 'xfs_io').scenario.tasks.CPU0).toEqual([
      'open -f /b',
      'copy_range -s 0 -l 10 /a',
      'close',
      '@drop_caches',
    ]);
  });
});

describe('an xfstest', () => {
  const SHORT =
    'seq=`basename $0`\n_cleanup()\n{\n rm -f $tmp.*\n}\n_scratch_mkfs >> $seqres.full 2>&1 || _fail "x"\n' +
    'f=$SCRATCH_MNT/foo\n( $XFS_IO_PROG -f -c "pwrite 0 5" -c "mmap -rw 0 4k" $f; sync ) &\nwait\n_scratch_cycle_mount\n';
  const TEST = `#! /bin/bash
# FS QA Test 999
seq=\`basename $0\`
seqres=$RESULT_DIR/$seq
here=$(pwd)
tmp=/tmp/$$
status=1
trap "_cleanup; exit \\$status" 0 1 2 3 15

_cleanup()
{
	cd /
	rm -f $tmp.*
}

. ./common/rc
_supported_fs ext4
_require_scratch
rm -f $seqres.full
_scratch_mkfs >> $seqres.full 2>&1 || _fail "mkfs failed"
_scratch_mount || exit 1

foo=$SCRATCH_MNT/foo
$XFS_IO_PROG -f -c "pwrite -S 0xaa 0 1K" \\
	-c "fsync" $foo | _filter_xfs_io
mkdir -p $SCRATCH_MNT/dir
mv $foo $SCRATCH_MNT/dir/bar
_scratch_cycle_mount
echo "after:"
$XFS_IO_PROG -c "pread -v 0 16" $SCRATCH_MNT/dir/bar | _filter_xfs_io
status=0
exit
`;

  it('is read around what only sets it up', () => {
    expect(imported(TEST, 'xfs_io').scenario.tasks.CPU0).toEqual([
      'open -f /foo',
      'pwrite -S 0xaa 0 1K',
      'fsync',
      'close',
      'mkdir /dir',
      'mv /foo /dir/bar',
      '@remount',
      'open /dir/bar',
      'pread -v 0 16',
    ]);
  });

  it('whose path is no path is refused there', () => {
    expect(complaint('xfs_io -f -c fsync $@x\n', 'xfs_io')).toContain('1:20: the value of $@ is not known');
    expect(imported("xfs_io -f -c fsync '$@x'\n", 'xfs_io').scenario.tasks.CPU0).toEqual([
      "open -f '/$@x'",
      'fsync',
    ]);
  });

  it('damaged is read or complained about', () => survivesDamage([TEST, SHORT], 'xfs_io', {}, 1500));

  it('that uses what the shell computed is refused there', () => {
    expect(complaint('len=$(stat -c %s x)\nxfs_io -f -c "pwrite 0 $len" /mnt/f\n', 'xfs_io')).toBe(
      '2:24: the value of $len is not known (set it above: len=…)',
    );
  });
});

describe('commands alone', () => {
  it('are a lane on /f, actors and comments too', () => {
    const { scenario, notes } = imported('# why\npwrite 0 5\nprint\n@flush\n', 'xfs_io');
    expect(scenario.tasks.CPU0).toEqual(['open -f /f', 'pwrite 0 5', '@flush']);
    expect(notes).toHaveLength(2);
  });

  it('are known by their content', () => {
    expect(guessFormat('pwrite 0 5\n', 'x')).toBe('xfs_io');
    expect(guessFormat(COMMIT, 'x')).toBe('xfs_io');
    expect(() => guessFormat('hello world\n', 'x')).toThrow('x: neither');
    expect(() => guessFormat('{"name":"x"}', 'x')).toThrow('JSON');
  });
});

/** Text and where the complaint stands. */
const MALFORMED: readonly (readonly [text: string, place: string, words: string])[] = [
  ['', '1:1', 'no xfs_io command'],
  ['# nothing\n', '1:1', 'no xfs_io command'],
  ["xfs_io -c 'bogus 0 1' /mnt/f", '1:12', 'unsupported command "bogus"'],
  ["xfs_io -c 'pwrit 0 1' /mnt/f", '1:12', 'did you mean pwrite?'],
  ["xfs_io -c 'pwrite 0' /mnt/f", '1:12', 'needs len'],
  ["xfs_io -c 'pwrite 0 1 2' /mnt/f", '1:23', 'unexpected "2"'],
  ["xfs_io -c 'pwrite -z 0 1' /mnt/f", '1:19', 'unknown option -z'],
  ["xfs_io -c 'pwrite -S 5000000000000 0 1' /mnt/f", '1:22', 'not a byte'],
  ["xfs_io -c 'pwrite -V 2 0 1' /mnt/f", '1:21', 'pwrite -V is not supported'],
  ["xfs_io -c 'reflink $SCRATCH_MNT/a 0 0 1' $SCRATCH_MNT/f", '1:12', 'unsupported command "reflink"'],
  ["xfs_io -x -c 'inject' /mnt/f", '1:15', 'xfs_io has it, ext4lab does not'],
  ["xfs_io -c 'fsync$' /mnt/f", '1:17', '$ in an xfs_io command'],
  ["xfs_io -R -c 'pwrite 0 1' /mnt/f", '1:9', 'no realtime files'],
  ["xfs_io -c 'pwrite -1 5' /mnt/f", '1:19', 'unknown option -1'],
  ["xfs_io -c 'pwrite 0 1.5k' /mnt/f", '1:21', 'not a number'],
  ["xfs_io -c 'pwrite 0 99999999999999999' /mnt/f", '1:21', 'too large'],
  ["xfs_io -c 'pwrite 0 1; fsync' /mnt/f", '1:22', '; in an xfs_io command'],
  ['xfs_io -c "pwrite 0 1 \'x\'" /mnt/f', '1:23', "' in an xfs_io command"],
  ["xfs_io -c 'mwrite 0 1' /mnt/f", '1:12', 'needs a mapping'],
  ["xfs_io -c 'mmap -rw 0 1' -c 'mwrite 0 2' /mnt/f", '1:30', 'not all in the current mapping'],
  ["xfs_io -c 'mmap -q 0 1' /mnt/f", '1:17', 'unknown option -q'],
  ["xfs_io -c 'file 3' /mnt/f", '1:12', 'no file 3'],
  ["xfs_io -c 'open' -c 'open -f' /mnt/f", '1:22', 'open without a path'],
  ["xfs_io -c 'open -f a b' /mnt/f", '1:22', 'unexpected "b"'],
  ["xfs_io -c 'reflink /mnt/g' /mnt/f", '1:12', 'xfs_io has it, ext4lab does not'],
  ["xfs_io -c 'falloc -p 0 1' /mnt/f", '1:19', 'falloc -p is not supported'],
  ["xfs_io -c 'seek -a 0' /mnt/f", '1:17', 'seek -a is not supported'],
  ["xfs_io -c 'sendfile 0 1' /mnt/f", '1:12', 'one of -i infile and -f N'],
  ["xfs_io -c 'sendfile -i' /mnt/f", '1:21', '-i needs a value'],
  ["xfs_io -c 'sendfile -i /mnt/a' -c 'sendfile -i /mnt/a' /mnt/f", '1:36', 'second sendfile'],
  ["xfs_io -c 'pwrite 0 1'", '1:12', 'needs an open file'],
  ["xfs_io -R -c 'pwrite 0 1' /mnt/f", '1:9', 'realtime'],
  ['xfs_io -c', '1:9', '-c needs a value'],
  ['xfs_io /mnt/f', '1:1', 'reads its terminal'],
  ["xfs_io -f -c 'pwrite 0 1'", '1:9', 'without a file'],
  ["xfs_io -c 'pwrite 0 1 /mnt/f", '1:11', "' is not closed"],
  ['xfs_io -c "pwrite 0 1 /mnt/f', '1:11', '" is not closed'],
  ['xfs_io -c "pwrite 0 $len" /mnt/f', '1:21', 'value of $len is not known'],
  ['xfs_io -c "pwrite 0 $(wc -c x)" /mnt/f', '1:21', 'is not known'],
  ['xfs_io -c "pwrite 0 `cat x`" /mnt/f', '1:21', 'is not known'],
  ['xfs_io -c "pwrite 0 $(cat x" /mnt/f', '1:21', 'would compute this'],
  ["xfs_io -c 'pwrite 0 1' /mnt/*", '1:29', '* outside quotes'],
  ["for i in 1 2; do xfs_io -c 'pwrite 0 1' /mnt/f; done", '1:1', 'for is not followed'],
  ["if true; then xfs_io -c 'pwrite 0 1' /mnt/f; fi", '1:1', 'if is not followed'],
  ["f() { xfs_io -c 'pwrite 0 1' /mnt/f; }", '1:2', 'unexpected "("'],
  ["xfs_io -c 'pwrite 0 1' /mnt/f || rm x", '1:31', '|| runs'],
  ["xfs_io -c 'pwrite 0 1' /mnt/f | frobnicate", '1:33', 'after |'],
  ["xfs_io -c 'pwrite 0 1' /mnt/f >", '1:31', '> without a name'],
  ['xfs_io -f /mnt/f < cmds\nxfs_io -c fsync /mnt/f', '1:18', 'input from a file'],
  ['xfs_io -f /mnt/f <<EOF\npwrite 0 1\n', '3:1', 'inside the here-document'],
  ['xfs_io -f /mnt/f <<EOF\npwrite 0 1\nbogus\nEOF\n', '3:1', 'unsupported command "bogus"'],
  ["xfs_io -c 'pwrite 0 1' /mnt/f &&", '1:33', 'ends after &&'],
  ["( xfs_io -c 'pwrite 0 1' /mnt/f", '1:1', '( is not closed'],
  ["; xfs_io -c 'pwrite 0 1' /mnt/f", '1:1', 'unexpected ";"'],
  ["xfs_io -f -c 'pwrite 0 1' /mnt/f; cp /mnt/f /mnt/g", '1:35', 'unsupported command "cp"'],
  ["xfs_io -f -c 'pwrite 0 1' /mnt/f\ndd if=/dev/zero of=/mnt/f", '2:1', 'unsupported command "dd"'],
  ["xfs_io -f -c 'pwrite 0 1' /mnt/f\nmkfs.ext4 -Z /dev/x", '2:11', 'of mkfs is not supported'],
  ["xfs_io -f -c 'pwrite 0 1' /mnt/f\ntruncate /mnt/f", '2:1', 'needs -s SIZE'],
  ["xfs_io -f -c 'pwrite 0 1' /mnt/f\nmv /mnt/f", '2:1', 'mv needs 2 operands'],
  ["xfs_io -f -c 'pwrite 0 1' /mnt/f\nrm -r /mnt/f", '2:4', 'rm -r is not supported'],
  ['f()\n{\n  xfs_io -c fsync /mnt/f\n}\nf /mnt/f\n', '5:1', 'functions are not followed'],
  [
    "xfs_io -f -c 'pwrite 0 1' /mnt/f\n[ -e /mnt/f ] && xfs_io -c fsync /mnt/f",
    '2:1',
    'whether it holds is not known',
  ],
  ['len=$((1 / 0))\nxfs_io -c "pwrite 0 $len" /mnt/f', '2:21', 'the value of $len is not known'],
  ['xfs_io -c "pwrite 0 $((x + 1))" /mnt/f', '1:21', 'is not known'],
  ['_pwrite_byte 0x61 0 /mnt/f\nxfs_io -c fsync /mnt/f', '1:1', '_pwrite_byte needs 4 operands'],

  ["xfs_io -f -c 'pwrite 0 1' /mnt/f\nxfs_io -f -c 'pwrite 0 1' /tmp/g", '1:27', 'no directory in common'],
  ["xfs_io -f -c 'pwrite 0 1' /mnt/f &\nwait\nxfs_io -c fsync /mnt/f &", '3:1', 'second batch'],
  ["xfs_io -f -c 'pwrite 0 1' ../f", '1:27', '..'],
  ["xfs_io -f -c 'pwrite 0 1' $SCRATCH_MNT/f > $SCRATCH_MNT/log", '1:42', 'write into the volume'],
  ['pwrite 0 1\nfrob\n', '2:1', 'unsupported command "frob"'],
  ['pwrite 0 1\n  pwrite -z 0 1\n', '2:10', 'unknown option -z'],
];

describe('options and commands of xfs_io', () => {
  const lane = (text: string) => imported(text, 'xfs_io').scenario.tasks.CPU0;

  it('-c runs on every open file, -C and stdin once; open, close, file, mmap and sync are done once', () => {
    expect(lane("xfs_io -f -c 'open -f /mnt/b' -c 'truncate 3' -C 'truncate 7' -c sync /mnt/a\n")).toEqual([
      'open -f /a',
      'open -f /b',
      'file 0',
      'truncate 3',
      'file 1',
      'truncate 3',
      'truncate 7',
      'sync',
    ]);
    expect(lane("xfs_io -f -c 'pwrite 0 1' /mnt/a /mnt/b\n")).toEqual([
      'open -f /a',
      'open -f /b',
      'file 0',
      'pwrite 0 1',
      'file 1',
      'pwrite 0 1',
    ]);
    expect(lane('xfs_io -f /mnt/a <<EOF\nopen -f /mnt/b\ntruncate 3\nEOF\n')!.slice(2)).toEqual([
      'truncate 3',
    ]);
  });

  it('are lines, whatever their spelling', () => {
    expect(
      lane(
        "xfs_io -i -n -fx -c 'pwrite -qW -S 0x1ab -V1 0 4' -c 'w -S0x61 -w 4 4' -c 'fiemap -v 0 3k' -c 'resvsp 0 8k' -c 'unresvsp 4k 4k' -c 'zero 0 4k' -c freeze -c thaw $SCRATCH_MNT/f\n",
      ),
    ).toEqual([
      'open -f /f',
      'pwrite -q -S 0xab 0 4',
      'fsync',
      'pwrite -S 0x61 4 4',
      'fdatasync',
      'fiemap -v',
      'falloc -k 0 8k',
      'fpunch 4k 4k',
      'fzero -k 0 4k',
      '@freeze',
      '@thaw',
    ]);
    expect(lane('$XFS_IO_PROG -f -c "copy_range -l 8 $SCRATCH_MNT/a" $SCRATCH_MNT/d/b\n')).toEqual([
      'open -f /d/b',
      'copy_range -l 8 /a',
    ]);
  });

  it('stand among what xfstests have: helpers, arithmetic, comments inside a command, functions, crashes', () => {
    const text = `_cleanup()
{
	rm -f $tmp
}
check() { # never called
	exit 1
}
blksz=4096
rm -rf $SCRATCH_MNT/d
mkdir $SCRATCH_MNT/d
_init_flakey
_mount_flakey
_pwrite_byte 0x61 $((blksz / 2 - 1)) $((2 * (blksz + 1) % 100)) $SCRATCH_MNT/d/a >> $seqres.full
_mwrite_byte 0x62 0 4 $((1 << 12)) $SCRATCH_MNT/d/a
$XFS_IO_PROG -t -f \\
-c "truncate $((0x10 + 010))"   \`# truncate |   |\` \\
-c "fsync"          \`#             \` \\
	$SCRATCH_MNT/d/a | _filter_xfs_io | uniq | sort
mknod $SCRATCH_MNT/d/p p
_flakey_drop_and_remount
`;
    const { scenario, notes } = imported(text, 'xfs_io');
    expect(scenario.tasks.CPU0).toEqual([
      'mkdir /d',
      'open -f /d/a',
      'pwrite -S 0x61 2047 94',
      'close',
      'open -f /d/a',
      'mmap -rw 0 4096',
      'mwrite -S 0x62 0 4',
      'munmap',
      'close',
      'open -t -f /d/a',
      'truncate 24',
      'fsync',
      'close',
      'mknod /d/p p',
      '@crash',
    ]);
    expect(notes.join()).toContain('rm of what is not there yet');
  });

  it('on several files are exported so that each is done once', () => {
    const { scenario } = imported("xfs_io -f -C 'open -f /mnt/b' -C 'truncate 7' /mnt/a\n", 'xfs_io');
    expect(xfsIoScript(scenarioOf({ scenario }))).toContain("-C 'open -f /mnt/b' -C 'truncate 7'");
  });

  refereed('do to files what xfs_io does', ['xfs_io', 'bash'], () => {
    const dir = mkdtempSync(join(tmpdir(), 'ext4lab-'));
    try {
      const text = [
        "xfs_io -f -c 'pwrite -q -S 0x1ab 0 40' -c 'open -f $D/b' -c 'pwrite -q -S 0x62 0x10 010' -C 'pwrite -qW -S99 0 4' $D/a",
        "xfs_io -c 'file 0' -c 'truncate 30' -C 'open -f $D/c' -C 'truncate 1s' -c 'pwrite -q 3 2' $D/a $D/b",
        'xfs_io -f $D/d <<EOF\nopen -f $D/e\npwrite -q 0 5\nfile 0\npwrite -q 1 2\nquit\npwrite -q 0 9\nEOF',
        "xfs_io -r -c 'mmap -r 0 4k' -C 'open $D/e' -c 'truncate 20' -c 'pwrite -q 7 2' $D/d",
        '',
      ]
        .join('\n')
        .replaceAll('$D', dir);
      spawnSync('bash', ['-c', text], {
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      });
      const scenario = scenarioOf(imported(text, 'xfs_io', { mountPoint: dir }));
      const session = startSession(
        scenario,
        makeVolume((scenario.image as { mkfs: MkfsSpec }).mkfs),
        mkwriteConvert,
        ['delalloc'],
      );
      const { files } = runSession(session).final;
      for (const name of ['a', 'b', 'c', 'd', 'e'])
        expect(files[`/${name}`]!.content, name).toBe(readFileSync(join(dir, name)).toString('hex'));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('what is not right', () => {
  it.each(MALFORMED)('%j', (text, place, words) => {
    const message = complaint(text, 'xfs_io');
    expect(message).toContain(words);
    expect(message.startsWith(`${place}: `), message).toBe(true);
  });

  it(`is ${MALFORMED.length} kinds of it, at least 50`, () => {
    expect(MALFORMED.length).toBeGreaterThanOrEqual(50);
  });

  it('damaged scripts are read or complained about', () => {
    survivesDamage(
      [
        COMMIT,
        "xfs_io -f -c 'pwrite 0 50' /mnt/f\n( xfs_io -c 'mmap -rw 0 4k' -c 'mwrite 0 4' /mnt/f; sync ) &\nwait\n",
        'f=$SCRATCH_MNT/foo\n$XFS_IO_PROG -f -c "pwrite 0 5" $f <<EOF | _filter_xfs_io\nfsync\nEOF\n',
        'open -f /f\npwrite 0 5\nmmap -rw 0 4k\nmwrite 0 1\n',
      ],
      'xfs_io',
    );
  });
});

/** What a script does, without the processes around it. */
function essence(scenario: Scenario): Command[] {
  const lines = [...scenario.setup, ...scenario.lanes.flatMap((lane) => lane.lines), ...scenario.after];
  const frame = new Set(['open', 'close', 'munmap', 'file', 'mapping']);
  return lines.map(({ command }) => command).filter(({ verb }) => !frame.has(verb));
}

describe('export and import again', () => {
  const scenarios = bundledFiles().map(loadScenario);
  const written = scenarios.flatMap((scenario) => {
    try {
      return [[scenario.name, scenario, xfsIoScript(scenario)] as const];
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      expect(error.message).toMatch(/lane \S+, line \d+|(setup|after), line \d+/);
      return [];
    }
  });

  it('is possible for most bundled scenarios', () => {
    expect(written.length).toBeGreaterThan(50);
  });

  it.each(written)('%s does the same', (_name, scenario, text) => {
    const again = scenarioOf(imported(text, 'xfs_io', { mountPoint: '/mnt' }));
    const whole = essence(again);
    expect(whole.slice(0, essence(scenario).length)).toEqual(essence(scenario));
    expect(again.lanes.length).toBe(scenario.lanes.length);
  });
});

describe('the commands', () => {
  it('import then race finds what the commit says', async () => {
    const { mkdtempSync, writeFileSync, rmSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const { join } = await import('node:path');
    const folder = mkdtempSync(join(tmpdir(), 'ext4lab-import-'));
    try {
      writeFileSync(join(folder, 'repro.sh'), COMMIT);
      const made = await ext4lab('import', join(folder, 'repro.sh'), '-o', join(folder, 'repro.json'));
      expect(made.code).toBe(0);
      expect(made.err).toContain('read as xfs_io');
      const raced = await ext4lab(
        ...['run', join(folder, 'repro.json'), '--design', 'no-conversion', '--mount', 'delalloc', '--json'],
      );
      expect(raced.code).toBe(1);
      const ids = (JSON.parse(raced.out) as { findings: { id: string }[] }).findings.map(({ id }) => id);
      expect(ids).toContain('strict');
      expect(
        ids.some((id) => /inline|bug|writepages/.test(id)),
        ids.join(),
      ).toBe(true);
      const wrong = await ext4lab('import', join(folder, 'none.sh'));
      expect(wrong.code).toBe(2);
      expect((await ext4lab('import', join(folder, 'repro.sh'), '--as', 'fsx')).code).toBe(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
