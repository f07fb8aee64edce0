#!/usr/bin/env python3
"""Record what the running kernel does to raw inodes; the golden vectors of these tests come from here.

    sudo ./record-kernel.py xattrs SEED COUNT INODE_SIZE [EXTRA_ISIZE] > recorded.json
    sudo ./record-kernel.py dirs   SEED COUNT INODE_SIZE               > recorded.json
    sudo ./record-kernel.py capacity INODE_SIZE EXTRA_ISIZE            > capacity.json

Needs root, mke2fs, losetup and a loop mount. nodelalloc, so that a conversion is immediate. Raw inodes are read from
the loop device *buffered*: that page cache is where ext4 keeps its metadata, so the bytes are live.
"""
import errno, json, os, random, re, struct, subprocess, sys, tempfile

def squeeze(raw):
    """Hex with runs of 8 or more zero bytes written as their count in parentheses."""
    return ''.join(run.hex() if any(run) else '(%d)' % len(run) for run in re.split(b'(\0{8,})', raw) if run)

def sh(*a):
    return subprocess.run(a, check=True, capture_output=True, text=True).stdout

class Fs:
    def __init__(self, inode_size, extra=32, opts='', blocks=4096):
        self.dir = tempfile.mkdtemp(prefix='ext4lab-')
        self.img = self.dir + '/img'
        self.mnt = self.dir + '/mnt'
        os.mkdir(self.mnt)
        with open(self.img, 'wb') as f:
            f.truncate(blocks * 4096)
        sh('mke2fs', '-q', '-t', 'ext4', '-b', '4096', '-I', str(inode_size), '-O', 'inline_data,^dir_index',
           '-N', '512', '-U', '00112233-4455-6677-8899-aabbccddeeff', self.img)
        self.loop = sh('losetup', '-f', '--show', self.img).strip()
        o = 'nodelalloc' + (',debug_want_extra_isize=%d' % extra if extra != 32 else '') + opts
        sh('mount', '-t', 'ext4', '-o', o, self.loop, self.mnt)
        self.inode_size = inode_size
        self.dev = os.open(self.loop, os.O_RDONLY)
        sb = os.pread(self.dev, 1024, 1024)
        self.ipg, = struct.unpack_from('<I', sb, 0x28)
        desc_size = struct.unpack_from('<H', sb, 0xFE)[0]
        gdt = os.pread(self.dev, desc_size, 4096)
        self.itable = struct.unpack_from('<I', gdt, 8)[0]

    def raw(self, ino):
        assert ino <= self.ipg
        return os.pread(self.dev, self.inode_size, self.itable * 4096 + (ino - 1) * self.inode_size)

    def block(self, nr):
        return os.pread(self.dev, 4096, nr * 4096)

    def state(self, ino):
        raw = self.raw(ino)
        acl = struct.unpack_from('<I', raw, 0x68)[0] | struct.unpack_from('<H', raw, 0x76)[0] << 32
        return {'raw': squeeze(raw), **({'acl': acl, 'block': squeeze(self.block(acl))} if acl else {})}

    def close(self):
        os.close(self.dev)
        sh('umount', self.mnt)
        out = subprocess.run(['e2fsck', '-fn', self.img], capture_output=True, text=True)
        if out.returncode:
            sys.stderr.write(out.stdout)
        sh('losetup', '-d', self.loop)
        os.unlink(self.img)
        os.rmdir(self.mnt)
        os.rmdir(self.dir)

def attempt(f):
    try:
        f()
        return None
    except OSError as e:
        return errno.errorcode[e.errno]

NAMES = ['user.a', 'user.b', 'user.k', 'user.ab', 'user.abc', 'user.abcd', 'user.abcde', 'trusted.t', 'security.s', 'user.long_name_here']

def xattr_sequence(fs, rnd, n):
    path = fs.mnt + '/f%d' % n
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    ino = os.fstat(fd).st_ino
    log = [{'op': 'create', **fs.state(ino)}]
    room = fs.inode_size - 164
    big = rnd.random() < 0.3
    for _ in range(rnd.randint(8, 16)):
        kind = rnd.random()
        name = rnd.choice(NAMES)
        if kind < 0.45:
            top = rnd.choice([4, 12, 24, room // 2, room, 300 if big else room])
            value = rnd.randbytes(rnd.randint(0, top))
            r = attempt(lambda: os.setxattr(path, name, value))
            op = {'op': 'set', 'name': name, 'value': value.hex()}
        elif kind < 0.65:
            r = attempt(lambda: os.removexattr(path, name))
            op = {'op': 'remove', 'name': name}
        elif kind < 0.9:
            pos = rnd.choice([0, 0, rnd.randint(0, 64), rnd.randint(0, room + 60)])
            data = rnd.randbytes(rnd.randint(1, rnd.choice([8, 60, room + 20])))
            r = attempt(lambda: os.pwrite(fd, data, pos))
            op = {'op': 'write', 'pos': pos, 'data': data.hex()}
        else:
            size = rnd.randint(0, os.fstat(fd).st_size)
            r = attempt(lambda: os.ftruncate(fd, size))
            op = {'op': 'truncate', 'size': size}
        log.append({**op, **({'errno': r} if r else {}), **fs.state(ino)})
    os.close(fd)
    return {'ino': ino, 'inodeSize': fs.inode_size, 'steps': log}

def dir_sequence(fs, rnd, n):
    path = fs.mnt + '/d%d' % n
    os.mkdir(path)
    ino = os.stat(path).st_ino
    log = [{'op': 'mkdir', 'parent': 2, **fs.state(ino)}]
    if rnd.random() < 0.4:
        value = rnd.randbytes(rnd.randint(0, 40))
        os.setxattr(path, 'user.k', value)
        log.append({'op': 'set', 'name': 'user.k', 'value': value.hex(), **fs.state(ino)})
    alive = []
    for i in range(rnd.randint(10, 30)):
        if alive and rnd.random() < 0.35:
            name = alive.pop(rnd.randrange(len(alive)))
            full = path + '/' + name
            if os.path.isdir(full):
                os.rmdir(full)
            else:
                os.unlink(full)
            log.append({'op': 'unlink', 'name': name, **fs.state(ino)})
            continue
        name = 'n%d' % i + 'x' * rnd.choice([0, 1, 2, 3, 5, 9, 20, 45, 55])
        full = path + '/' + name
        kind = rnd.choice(['reg', 'reg', 'dir', 'lnk'])
        if kind == 'reg':
            os.close(os.open(full, os.O_CREAT | os.O_RDWR, 0o600))
        elif kind == 'dir':
            os.mkdir(full)
        else:
            os.symlink('to', full)
        alive.append(name)
        state = fs.state(ino)
        child = os.lstat(full)
        entry = {'op': 'add', 'name': name, 'ino': child.st_ino, 'mode': child.st_mode, 'dirSize': os.stat(path).st_size, **state}
        raw = fs.raw(ino)
        converted = not struct.unpack_from('<I', raw, 0x20)[0] & 0x10000000
        if converted:
            start = struct.unpack_from('<I', raw, 0x28 + 12 + 8)[0]
            entry['dirBlock'] = squeeze(fs.block(start))
        entry['list'] = os.listdir(path)
        log.append(entry)
        if converted:
            break
    return {'ino': ino, 'inodeSize': fs.inode_size, 'steps': log}

def capacity(inode_size, extra):
    """Largest single write that stays inline, for a range of user.k sizes; -1 means no xattr."""
    fs = Fs(inode_size, extra)
    rows = []
    def inline_after(xattr, size):
        path = fs.mnt + '/c'
        fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        if xattr >= 0:
            os.setxattr(path, 'user.k', b'v' * xattr)
        os.pwrite(fd, b'd' * size, 0)
        flags = struct.unpack_from('<I', fs.raw(os.fstat(fd).st_ino), 0x20)[0]
        os.close(fd)
        os.unlink(path)
        return bool(flags & 0x10000000)
    for xattr in [-1, *range(0, inode_size - 128 - extra + 8, 1 if inode_size == 256 else 13)]:
        lo, hi = 0, inode_size
        while lo < hi:
            mid = (lo + hi + 1) // 2
            if inline_after(xattr, mid):
                lo = mid
            else:
                hi = mid - 1
        rows.append([xattr, lo])
    fs.close()
    return {'inodeSize': inode_size, 'extraIsize': extra, 'rows': rows}

def main():
    what, *rest = sys.argv[1:]
    args = [int(a) for a in rest]
    if what == 'capacity':
        print(json.dumps(capacity(*args)))
        return
    seed, count, inode_size, *extra = args
    rnd = random.Random(seed)
    fs = Fs(inode_size, *extra)
    try:
        out = [{'xattrs': xattr_sequence, 'dirs': dir_sequence}[what](fs, rnd, n) for n in range(count)]
    finally:
        fs.close()
    lines = ',\n'.join(json.dumps(sequence) for sequence in out)
    print('{"kernel": "%s", "sequences": [\n%s\n]}' % (os.uname().release.split('-')[0], lines))

main()
