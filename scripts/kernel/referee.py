"""Runs scenario lines on this machine's own kernel and tells what happened, without touching it.

Jobs come in on stdin, one JSON object a line; answers go out on stdout, one JSON object a line, in the same order.
Python 3 standard library only; the calls it lacks (cachestat, fiemap, loop, mmap by address) go through ctypes.

    job     {"id", "image": PATH[.gz], "mount": [OPTION...], "lines": [{"line", "lane", "command": {...}}],
             "observe": [PATH...], "timeoutSeconds": 60, "fsck": true, "saveImage": PATH|null,
             "objections": false (true: what e2fsck objects to at the end is recorded, and nothing is mounted again),
             "cachestat": true (false on kernels before 6.5: dirtyPages is then 0 everywhere)}
    answer  {"id", "kernel", "steps": [...], "final": {...}}  or  {"id", "refused": TEXT, "step": N|null}

One job, one child process:

  * private mount namespace, private tmpfs for the image, loop device with autoclear. Whatever kills the child, the
    kernel unmounts, detaches and frees everything; nothing can be left behind on the machine.
  * one CPU, and a pid divisible by 16: without delayed allocation ext4 starts its block search at a place that
    depends on the pid.
  * every system call is the one xfs_io would make. Stores into a mapping go through a pipe straight into the mapping,
    so a SIGBUS comes back as EFAULT and kills nobody.

What is seen after each line: fstat, GETFLAGS and cachestat of a read-only O_NOATIME descriptor that stays open for each
inode (closing one can start writeback), and the raw inode from the loop device read *buffered*: ext4's metadata
buffers live in that page cache, so the bytes are the live ones, uncommitted changes included.

Never done here: truncate(2) by path, mounting an image that e2fsck does not pass, mounting anything but the job's image.
"""

import ctypes
import errno
import fcntl
import gzip
import json
import mmap
import os
import select
import shutil
import signal
import stat as st
import struct
import subprocess
import sys
import tempfile
import time

libc = ctypes.CDLL(None, use_errno=True)
I64, U64, INT, PTR, SIZE = ctypes.c_int64, ctypes.c_uint64, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
for name, result, arguments in [
    ("mmap", PTR, [PTR, SIZE, INT, INT, INT, I64]),
    ("munmap", INT, [PTR, SIZE]),
    ("mprotect", INT, [PTR, SIZE, INT]),
    ("msync", INT, [PTR, SIZE, INT]),
    ("read", I64, [INT, PTR, SIZE]),
    ("write", I64, [INT, PTR, SIZE]),
    ("pread", I64, [INT, PTR, SIZE, I64]),
    ("pwrite", I64, [INT, PTR, SIZE, I64]),
    ("fallocate", INT, [INT, INT, I64, I64]),
    ("sync_file_range", INT, [INT, I64, I64, ctypes.c_uint]),
    ("syncfs", INT, [INT]),
    ("mremap", PTR, [PTR, SIZE, SIZE, INT]),
    ("madvise", INT, [PTR, SIZE, INT]),
    ("swapon", INT, [ctypes.c_char_p, INT]),
    ("swapoff", INT, [ctypes.c_char_p]),
    ("mount", INT, [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]),
    ("umount2", INT, [ctypes.c_char_p, INT]),
    ("unshare", INT, [INT]),
    ("renameat2", INT, [INT, ctypes.c_char_p, INT, ctypes.c_char_p, ctypes.c_uint]),
    ("linkat", INT, [INT, ctypes.c_char_p, INT, ctypes.c_char_p, INT]),
]:
    getattr(libc, name).restype, getattr(libc, name).argtypes = result, arguments
libc.syscall.restype = ctypes.c_long

PAGE = mmap.PAGESIZE
CLONE_NEWNS = 0x00020000
MS_NOATIME, MS_REC, MS_PRIVATE = 0x400, 0x4000, 1 << 18
SYS_OPENAT2, SYS_CACHESTAT = 437, 451
RESOLVE_IN_ROOT = 0x10
AT_EMPTY_PATH = 0x1000
LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LOOP_CLR_FD = 0x4C82, 0x4C0A, 0x4C01
LO_FLAGS_AUTOCLEAR = 4
# Readahead as the kernel has it when nobody says otherwise, 128 KiB; distributions and machines do.
BLKRASET, READAHEAD_SECTORS = 0x1262, 256
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FIEMAP, EXT4_IOC_SHUTDOWN = 0x80086601, 0x40086602, 0xC020660B, 0x8004587D
EXT4_JOURNAL_DATA_FL, EXT4_INLINE_DATA_FL = 0x4000, 0x10000000
FIEMAP_FLAG_SYNC, FIEMAP_FLAG_XATTR, FIEMAP_EXTENT_LAST = 1, 2, 1
MREMAP_MAYMOVE, MADV_DONTNEED = 1, 4
SHUTDOWN_LOGFLUSH, SHUTDOWN_NOLOGFLUSH = 1, 2
WAIT_BEFORE, WRITE, WAIT_AFTER = 1, 2, 4
PUNCH, COLLAPSE, ZERO, INSERT, KEEP = 2, 8, 16, 32, 1
# Bytes of one file that a recording holds, and that one line may read.
MOST_CONTENT = 16 << 20
ROOT_INO = 2


class Refused(Exception):
    """The job cannot be done here, or not safely. Not an answer of the kernel."""


def errno_name(number):
    return {errno.EOPNOTSUPP: "EOPNOTSUPP", errno.EAGAIN: "EAGAIN"}.get(number) or errno.errorcode.get(number, str(number))


def checked(result):
    """The result of a libc call, or the OSError that python would have raised."""
    if result is None or result == -1 or result == 2**64 - 1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


# --- the image -------------------------------------------------------------------------------------------------------


class Image:
    """Content of an image file as its non-zero 4096-byte chunks: written out afresh for every job."""

    def __init__(self, path):
        opened = gzip.open(path) if path.endswith(".gz") else open(path, "rb")
        with opened as source:
            data = source.read()
        zero = bytes(4096)
        self.size = len(data)
        self.chunks = [(at, data[at : at + 4096]) for at in range(0, len(data), 4096) if data[at : at + 4096] != zero]

    def write(self, path):
        with open(path, "wb") as target:
            target.truncate(self.size)
            for at, chunk in self.chunks:
                os.pwrite(target.fileno(), chunk, at)


class Geometry:
    """Where inodes are, from the superblock and the group descriptors of an open image or device."""

    def __init__(self, fd):
        sb = os.pread(fd, 1024, 1024)
        if struct.unpack_from("<H", sb, 0x38)[0] != 0xEF53:
            raise Refused("not an ext4 image")
        u32 = lambda at: struct.unpack_from("<I", sb, at)[0]
        self.block_size = 1024 << u32(0x18)
        self.inodes_per_group = u32(0x28)
        self.inode_size = struct.unpack_from("<H", sb, 0x58)[0]
        self.has_journal = bool(u32(0x5C) & 4)
        wide = bool(u32(0x60) & 0x80)
        desc_size = struct.unpack_from("<H", sb, 0xFE)[0] if wide else 32
        groups = -(-u32(0x00) // self.inodes_per_group)
        table = os.pread(fd, groups * desc_size, (u32(0x14) + 1) * self.block_size)
        self.tables = []
        for group in range(groups):
            low = struct.unpack_from("<I", table, group * desc_size + 0x08)[0]
            high = struct.unpack_from("<I", table, group * desc_size + 0x28)[0] if desc_size >= 64 else 0
            self.tables.append((high << 32 | low) * self.block_size)

    def raw(self, fd, ino):
        group, index = divmod(ino - 1, self.inodes_per_group)
        return os.pread(fd, self.inode_size, self.tables[group] + index * self.inode_size)


# --- the mounted file system -----------------------------------------------------------------------------------------


def attach_loop(path):
    """A loop device over `path` that vanishes with its last user. Returns its name and an open descriptor."""
    backing = os.open(path, os.O_RDWR)
    control = os.open("/dev/loop-control", os.O_RDWR)
    try:
        for _ in range(64):
            name = f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
            device = os.open(name, os.O_RDWR)
            config = struct.pack("<II", backing, 0) + bytearray(232) + bytes(64)
            config = bytearray(config)
            struct.pack_into("<I", config, 8 + 52, LO_FLAGS_AUTOCLEAR)  # loop_info64.lo_flags
            try:
                fcntl.ioctl(device, LOOP_CONFIGURE, bytes(config))
                fcntl.ioctl(device, BLKRASET, READAHEAD_SECTORS)
                return name, device
            except OSError as problem:
                os.close(device)
                if problem.errno != errno.EBUSY:
                    raise
        raise Refused("no free loop device")
    finally:
        os.close(backing)
        os.close(control)


class Mounted:
    def __init__(self, work, image, options):
        self.work, self.image, self.options = work, image, options
        self.point = os.path.join(work, "mnt")
        self.root = self.device = -1

    def mount(self):
        name, device = attach_loop(self.image)
        try:
            os.makedirs(self.point, exist_ok=True)
            self.geometry = Geometry(device)
            options = list(self.options)
            if self.geometry.has_journal:
                options.append("commit=300")  # the 5 s timer is the one thing that would happen by itself
            # Without access times a read leaves the inode clean, as it does in the emulator, where time stands still.
            checked(
                libc.mount(name.encode(), self.point.encode(), b"ext4", MS_NOATIME, ",".join(options).encode())
            )
            self.device = os.open(name, os.O_RDONLY)
            self.root = os.open(self.point, os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
            # A first search passes over groups whose bitmap is not in memory. A thread reads them within 5 s of a mount;
            # to look at them is to read them now.
            with open(f"/proc/fs/ext4/{os.path.basename(name)}/mb_groups", "rb") as groups:
                groups.read()
        except OSError as problem:
            raise Refused(f"mount -o {','.join(self.options)}: {os.strerror(problem.errno)}") from None
        finally:
            os.close(device)

    def umount(self):
        os.close(self.root)
        for attempt in range(100):
            if libc.umount2(self.point.encode(), 0) == 0:
                break
            if ctypes.get_errno() != errno.EBUSY or attempt == 99:
                raise Refused(f"umount: {os.strerror(ctypes.get_errno())}")
            time.sleep(0.01)
        os.close(self.device)  # the last user: the loop device detaches and its page cache goes

    def parent(self, path):
        """An O_PATH descriptor of the directory that holds `path`, and the last name. Links stay inside the mount."""
        head, tail = os.path.split(path.rstrip("/"))
        slash = "/" if path.endswith("/") and tail else ""
        return openat2(self.root, head or "/", os.O_PATH | os.O_DIRECTORY), (tail or ".") + slash

    def open(self, path, flags, mode=0):
        return openat2(self.root, path, flags, mode)

    def lstat(self, path):
        fd = openat2(self.root, path, os.O_PATH | os.O_NOFOLLOW)
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)


def openat2(root, path, flags, mode=0):
    creates = flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE
    how = struct.pack("<QQQ", flags | os.O_CLOEXEC, mode if creates else 0, RESOLVE_IN_ROOT)
    return checked(libc.syscall(SYS_OPENAT2, root, path.encode(), how, SIZE(len(how))))


# --- what a lane holds -----------------------------------------------------------------------------------------------


class OpenFile:
    def __init__(self, fd):
        self.fd, self.ino = fd, os.fstat(fd).st_ino


class Mapping:
    def __init__(self, address, offset, length, protection, ino):
        self.address, self.offset, self.length, self.protection, self.ino = address, offset, length, protection, ino

    def at(self, offset, length, what):
        if offset < self.offset or offset + length > self.offset + self.length:
            raise Refused(f"{what} {offset}..{offset + length} is beyond the mapping, {self.offset}..{self.offset + self.length}")
        return self.address + offset - self.offset


class Table:
    """A list of which one is current. Removing keeps the index, as xfs_io does: what slides into its place is next.
    Where an earlier open or mmap failed, a line may find none: that is its answer."""

    def __init__(self, missing):
        self.items, self.current, self.missing = [], 0, missing

    def add(self, item):
        self.items.append(item)
        self.current = len(self.items) - 1

    def get(self):
        if not self.items:
            raise OSError(self.missing, os.strerror(self.missing))
        return self.items[self.current]

    def select(self, index):
        if index >= len(self.items):
            raise OSError(self.missing, os.strerror(self.missing))
        self.current = index

    def remove(self):
        item = self.items.pop(self.current)
        self.current = min(self.current, max(0, len(self.items) - 1))
        return item


class Lane:
    def __init__(self):
        self.files, self.mappings = Table(errno.EBADF), Table(errno.EINVAL)


class Buffer:
    """Page-aligned memory that system calls read from and write to, as O_DIRECT wants it."""

    def __init__(self, size=PAGE):
        self.memory = None
        self.fit(size)

    def fit(self, size):
        if self.memory is None or len(self.memory) < size:
            self.memory = mmap.mmap(-1, max(size, PAGE))
            self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        return self.address


# --- the run ---------------------------------------------------------------------------------------------------------


class Run:
    def __init__(self, job, work):
        self.job, self.work = job, work
        self.image = os.path.join(work, "img")
        self.fs = Mounted(work, self.image, job.get("mount", []))
        self.lanes = {}
        self.buffer = Buffer()
        self.pipe = os.pipe()
        self.paths = list(dict.fromkeys(job.get("observe", [])))
        self.observers = {}  # ino -> read-only descriptor
        self.seen = set()  # every inode number that was ever seen

    # -- observing

    def watch(self, *paths):
        for path in paths:
            path = path.rstrip("/")
            if path and path not in self.paths:
                self.paths.append(path)

    def stat_known(self):
        for path in sorted(self.paths):
            try:
                found = self.fs.lstat(path)
                if found.st_ino != ROOT_INO:
                    yield path, found
            except OSError as problem:
                if problem.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
                    raise

    def observer(self, path, found):
        """The observer of this inode; None for what cannot be opened quietly (symlinks)."""
        if not (st.S_ISREG(found.st_mode) or st.S_ISDIR(found.st_mode)):
            return None
        fd = self.observers.get(found.st_ino)
        if fd is None:
            fd = self.fs.open(path, os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW)
            self.observers[found.st_ino] = fd
        return fd

    def held(self, ino):
        """True when a lane has this inode open or mapped."""
        return any(i.ino == ino for lane in self.lanes.values() for i in lane.files.items + lane.mappings.items)

    def forget(self, ino):
        fd = self.observers.pop(ino, None)
        if fd is not None:
            os.close(fd)

    def forget_unlinked(self):
        """An unlinked inode that no lane holds any more must not be kept alive by its observer."""
        for ino, fd in list(self.observers.items()):
            if os.fstat(fd).st_nlink == 0 and not self.held(ino):
                self.forget(ino)

    def look(self):
        files = {}
        for path, found in self.stat_known():
            fd = self.observer(path, found)
            dirty = 0
            if fd is not None and st.S_ISREG(found.st_mode):
                checked(libc.sync_file_range(fd, 0, 0, WAIT_BEFORE))  # I/O that was started is waited for
                dirty = cachestat(fd)[1] if self.job.get("cachestat", True) else 0
            raw = self.fs.geometry.raw(self.fs.device, found.st_ino)
            # Size and blocks after the wait: the end of writeback may change both.
            after = os.fstat(fd) if fd is not None else self.fs.lstat(path)
            flags = struct.unpack("<I", getflags(fd))[0] if fd is not None else struct.unpack_from("<I", raw, 0x20)[0]
            self.seen.add(found.st_ino)
            files[path] = {
                "ino": found.st_ino,
                "size": after.st_size,
                "blocks": after.st_blocks,
                "inline": bool(flags & EXT4_INLINE_DATA_FL),
                "dirtyPages": dirty,
                "raw": raw.hex(),
            }
        return files

    # -- mounting

    def release(self):
        """Everything the lanes hold goes, as when their processes exit: mappings, files, then the observers."""
        for name in list(self.lanes):
            self.exit(name)
        for ino in list(self.observers):
            self.forget(ino)

    def exit(self, name):
        """The process of a lane ends."""
        lane = self.lanes.pop(name)
        for mapping in lane.mappings.items:
            libc.munmap(mapping.address, mapping.length)
        for opened in lane.files.items:
            os.close(opened.fd)

    def mount_again(self):
        """The first open after a mount writes the place it is mounted at into the super block (s_last_mounted), in a
        transaction that every inode read in meanwhile would wait for. Here that would be an observer of ours, so it is
        over before anything else happens."""
        self.fs.mount()
        for path, found in self.stat_known():
            if st.S_ISREG(found.st_mode):
                os.close(self.fs.open(path, os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW))
                checked(libc.syncfs(self.fs.root))
                break

    def crash(self, flush):
        """The medium as it is at this instant is all that survives: it is copied, the rest is thrown away.

        With `flush` the shutdown comes first, and writes the log.
        """
        if not self.fs.geometry.has_journal:
            raise Refused("@crash needs a journal: mounting what a crash leaves without one is not safe")
        if flush:
            fcntl.ioctl(self.fs.root, EXT4_IOC_SHUTDOWN, struct.pack("<I", SHUTDOWN_LOGFLUSH))
        survivor = os.path.join(self.work, "survivor")
        shutil.copyfile(self.image, survivor)
        if not flush:
            fcntl.ioctl(self.fs.root, EXT4_IOC_SHUTDOWN, struct.pack("<I", SHUTDOWN_NOLOGFLUSH))
        self.release()
        self.fs.umount()
        probe = os.path.join(self.work, "probe")
        shutil.copyfile(survivor, probe)
        code = subprocess.run(["e2fsck", "-fy", probe], capture_output=True).returncode
        os.unlink(probe)
        if code >= 4:
            raise Refused(f"e2fsck cannot repair what the crash left (exit {code})")
        os.rename(survivor, self.image)
        self.mount_again()

    # -- one line

    def execute(self, lane_name, c):
        lane = self.lanes.setdefault(lane_name, Lane())
        verb = c["verb"]
        handler = getattr(self, "do_" + verb.replace("@", "at_"), None)
        if handler is None:
            raise Refused(f"{verb} cannot be run on this kernel")
        return handler(lane, c)

    def do_open(self, lane, c):
        flags = os.O_RDONLY if c["readonly"] else os.O_RDWR
        for key, flag in [
            ("create", os.O_CREAT),
            ("truncate", os.O_TRUNC),
            ("append", os.O_APPEND),
            ("direct", os.O_DIRECT),
            ("sync", os.O_SYNC),
            ("exclusive", os.O_EXCL),
            ("nofollow", os.O_NOFOLLOW),
            ("directory", os.O_DIRECTORY),
            ("tmpfile", os.O_TMPFILE),
        ]:
            if c[key]:
                flags |= flag
        self.watch(c["path"])
        lane.files.add(OpenFile(self.fs.open(c["path"], flags, c["mode"])))
        return {"ret": 0}

    def do_close(self, lane, c):
        lane.files.get()
        os.close(lane.files.remove().fd)
        self.forget_unlinked()
        return {"ret": 0}

    def do_file(self, lane, c):
        lane.files.select(c["index"])
        return {"ret": 0}

    def do_mapping(self, lane, c):
        lane.mappings.select(c["index"])
        return {"ret": 0}

    def do_pwrite(self, lane, c):
        fd, data = lane.files.get().fd, bytes.fromhex(c["data"])
        length, total = c["length"], 0
        mapped = lane.mappings.get().at(c["from"], length, "pwrite -m") if "from" in c else None
        if length and not data and mapped is None:
            raise Refused("pwrite without data")
        while True:
            size = min(c["block"], length - total)
            if mapped is None:
                address = self.buffer.fit(size)
                self.buffer.memory[:size] = repeated(data, total, size)
            else:
                address = mapped + total
            if c.get("dsync"):
                source = (ctypes.c_char * size).from_address(address)
                done = os.pwritev(fd, [source], c["offset"] + total, os.RWF_DSYNC)
            else:
                done = checked(libc.pwrite(fd, address, size, c["offset"] + total))
            total += done
            if total >= length or done < size:
                return {"ret": total}

    def do_pread(self, lane, c):
        fd, total, parts = lane.files.get().fd, 0, []
        if min(c["length"], os.fstat(fd).st_size) > MOST_CONTENT:
            raise Refused(f"pread of more than {MOST_CONTENT} bytes")
        mapped = lane.mappings.get().at(c["into"], c["length"], "pread -m") if "into" in c else None
        while total < c["length"]:
            size = min(c["block"], c["length"] - total)
            address = self.buffer.fit(size) if mapped is None else mapped + total
            done = checked(libc.pread(fd, address, size, c["offset"] + total))
            parts.append(ctypes.string_at(address, done))
            total += done
            if done < size:
                break
        return {"ret": total, "data": b"".join(parts).hex()}

    def do_mmap(self, lane, c):
        opened = lane.files.get()
        protection = protection_of(c)
        address = checked(
            libc.mmap(None, c["length"], protection, 1 if c["shared"] else 2, opened.fd, c["offset"])
        )
        lane.mappings.add(Mapping(address, c["offset"], c["length"], protection, opened.ino))
        return {"ret": 0}

    def do_munmap(self, lane, c):
        mapping = lane.mappings.get()
        checked(libc.munmap(mapping.address, mapping.length))
        lane.mappings.remove()
        self.forget_unlinked()
        return {"ret": 0}

    def do_mprotect(self, lane, c):
        mapping = lane.mappings.get()
        protection = protection_of(c)
        checked(libc.mprotect(mapping.address, mapping.length, protection))
        mapping.protection = protection
        return {"ret": 0}

    def do_mremap(self, lane, c):
        mapping = lane.mappings.get()
        address = libc.mremap(mapping.address, mapping.length, c["length"], MREMAP_MAYMOVE if c["mayMove"] else 0)
        mapping.address, mapping.length = checked(address), c["length"]
        return {"ret": 0}

    def do_madvise(self, lane, c):
        mapping, span = lane.mappings.get(), c["range"]
        if span == "mapping":
            checked(libc.madvise(mapping.address, mapping.length, MADV_DONTNEED))
        elif span is not None:
            address = mapping.at(span["offset"], span["length"], "madvise")
            checked(libc.madvise(address, span["length"], MADV_DONTNEED))
        return {"ret": 0}

    def do_mwrite(self, lane, c):
        mapping = lane.mappings.get()
        address, data = mapping.at(c["offset"], c["length"], "mwrite"), bytes.fromhex(c["data"])
        done = 0
        while done < c["length"]:
            size = min(PAGE - (address + done) % PAGE, c["length"] - done)
            os.write(self.pipe[1], repeated(data, done, size))
            if libc.read(self.pipe[0], address + done, size) != size:
                os.close(self.pipe[0]), os.close(self.pipe[1])
                self.pipe = os.pipe()
                return {"errno": "SIGBUS" if mapping.protection & mmap.PROT_WRITE else "SIGSEGV"}
            done += size
        return {"ret": done}

    def do_mread(self, lane, c):
        mapping = lane.mappings.get()
        address, parts, done = mapping.at(c["offset"], c["length"], "mread"), [], 0
        if c["length"] > MOST_CONTENT:
            raise Refused(f"mread of more than {MOST_CONTENT} bytes")
        while done < c["length"]:
            size = min(PAGE - (address + done) % PAGE, c["length"] - done)
            if libc.write(self.pipe[1], address + done, size) != size:
                return {"errno": "SIGBUS" if mapping.protection & mmap.PROT_READ else "SIGSEGV"}
            parts.append(os.read(self.pipe[0], size))
            done += size
        return {"ret": done, "data": b"".join(parts).hex()}

    def do_msync(self, lane, c):
        mapping = lane.mappings.get()
        offset, length = (mapping.offset, mapping.length) if c["length"] is None else (c["offset"], c["length"])
        address = mapping.at(offset, length, "msync")
        checked(libc.msync(address, length, 4 if c["sync"] else 1))
        return {"ret": 0}

    def do_truncate(self, lane, c):
        os.ftruncate(lane.files.get().fd, c["length"])
        return {"ret": 0}

    def fallocate(self, lane, c, mode):
        checked(libc.fallocate(lane.files.get().fd, mode, c["offset"], c["length"]))
        return {"ret": 0}

    def do_falloc(self, lane, c):
        return self.fallocate(lane, c, KEEP if c["keepSize"] else 0)

    def do_fpunch(self, lane, c):
        return self.fallocate(lane, c, PUNCH | KEEP)

    def do_fzero(self, lane, c):
        return self.fallocate(lane, c, ZERO | (KEEP if c["keepSize"] else 0))

    def do_fcollapse(self, lane, c):
        return self.fallocate(lane, c, COLLAPSE)

    def do_finsert(self, lane, c):
        return self.fallocate(lane, c, INSERT)

    def do_chattr(self, lane, c):
        fd = lane.files.get().fd
        flags = struct.unpack("<I", getflags(fd))[0]
        flags = flags | EXT4_JOURNAL_DATA_FL if c["journalData"] else flags & ~EXT4_JOURNAL_DATA_FL
        try:
            fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("<I", flags) + bytes(4))
        except PermissionError:
            raise Refused("chattr +j needs CAP_SYS_RESOURCE") from None
        return {"ret": 0}

    def do_sync_range(self, lane, c):
        flags = c["before"] * WAIT_BEFORE | c["write"] * WRITE | c["after"] * WAIT_AFTER
        checked(libc.sync_file_range(lane.files.get().fd, c["offset"], c["length"], flags))
        return {"ret": 0}

    def do_copy_range(self, lane, c):
        target = lane.files.get().fd
        if c["path"] is None:
            if c["file"] >= len(lane.files.items):
                raise Refused(f"no open file {c['file']}")
            return self.copy_range(lane.files.items[c["file"]].fd, target, c)
        self.watch(c["path"])
        source = self.fs.open(c["path"], os.O_RDONLY)
        try:
            return self.copy_range(source, target, c)
        finally:
            os.close(source)

    def copy_range(self, source, target, c):
        size = max(0, os.fstat(source).st_size - c["from"])
        length, total = size if c["length"] is None else c["length"], 0
        while total < length:
            done = os.copy_file_range(source, target, length - total, c["from"] + total, c["to"] + total)
            if done == 0:
                break
            total += done
        return {"ret": total}

    def do_fsync(self, lane, c):
        os.fsync(lane.files.get().fd)
        return {"ret": 0}

    def do_fdatasync(self, lane, c):
        os.fdatasync(lane.files.get().fd)
        return {"ret": 0}

    def do_sync(self, lane, c):
        os.sync()
        return {"ret": 0}

    def do_syncfs(self, lane, c):
        self.settle()
        checked(libc.syncfs(lane.files.get().fd if lane.files.items else self.fs.root))
        return {"ret": 0}

    def do_stat(self, lane, c):
        found = os.fstat(lane.files.get().fd)
        return {
            "ret": 0,
            "stat": {
                "size": found.st_size,
                "blocks": found.st_blocks,
                "nlink": found.st_nlink,
                "mode": found.st_mode,
            },
        }

    def do_fiemap(self, lane, c):
        fd, start, rows, room = lane.files.get().fd, 0, [], 64
        flags = FIEMAP_FLAG_SYNC | (FIEMAP_FLAG_XATTR if c.get("attribute") else 0)
        while True:
            request = bytearray(32 + room * 56)
            struct.pack_into("<QQIIII", request, 0, start, 2**64 - 1 - start, flags, 0, room, 0)
            fcntl.ioctl(fd, FS_IOC_FIEMAP, request)
            count = struct.unpack_from("<I", request, 20)[0]
            for index in range(count):
                logical, _, length = struct.unpack_from("<QQQ", request, 32 + index * 56)
                flags = struct.unpack_from("<I", request, 32 + index * 56 + 40)[0]
                rows.append({"logical": logical, "length": length, "flags": flags})
            if count == 0 or rows[-1]["flags"] & FIEMAP_EXTENT_LAST:
                return {"ret": 0, "extents": rows}
            start = rows[-1]["logical"] + rows[-1]["length"]

    def do_seek(self, lane, c):
        whence = os.SEEK_DATA if c["whence"] == "data" else os.SEEK_HOLE
        return {"ret": os.lseek(lane.files.get().fd, c["offset"], whence)}

    # -- names and attributes

    def at(self, path, call):
        self.watch(path)
        folder, name = self.fs.parent(path)
        try:
            call(name, folder)
        finally:
            os.close(folder)
        return {"ret": 0}

    def before_unlink(self, path, directory):
        """The observer of an inode that is about to lose its last name is closed first, unless a lane holds it too.
        Not where the call will fail: closing may start writeback."""
        try:
            found = self.fs.lstat(path)
        except OSError:
            return
        if st.S_ISDIR(found.st_mode) != directory:
            return
        if (directory or found.st_nlink == 1) and not self.held(found.st_ino):
            self.forget(found.st_ino)

    def do_mkdir(self, lane, c):
        return self.at(c["path"], lambda name, folder: os.mkdir(name, c["mode"], dir_fd=folder))

    def do_rmdir(self, lane, c):
        self.before_unlink(c["path"], directory=True)
        return self.at(c["path"], lambda name, folder: os.rmdir(name, dir_fd=folder))

    def do_rm(self, lane, c):
        self.before_unlink(c["path"], directory=False)
        return self.at(c["path"], lambda name, folder: os.unlink(name, dir_fd=folder))

    def do_mv(self, lane, c):
        self.watch(c["from"])
        flags = c["noreplace"] * 1 | c["exchange"] * 2 | c["whiteout"] * 4
        source, old = self.fs.parent(c["from"])
        try:
            try:
                directory = st.S_ISDIR(self.fs.lstat(c["from"]).st_mode)
                if not flags & 3:
                    self.before_unlink(c["to"], directory)
            except OSError:
                pass  # the call itself says what is wrong
            return self.at(
                c["to"],
                lambda new, folder: checked(libc.renameat2(source, old.encode(), folder, new.encode(), flags)),
            )
        finally:
            os.close(source)

    def do_flink(self, lane, c):
        fd = lane.files.get().fd
        return self.at(
            c["path"], lambda name, folder: checked(libc.linkat(fd, b"", folder, name.encode(), AT_EMPTY_PATH))
        )

    def do_readlink(self, lane, c):
        folder, name = self.fs.parent(c["path"])
        try:
            target = os.readlink(name.encode(), dir_fd=folder)
            return {"ret": len(target), "data": target.hex()}
        finally:
            os.close(folder)

    def do_mknod(self, lane, c):
        device = os.makedev(c["major"], c["minor"])
        return self.at(c["path"], lambda name, folder: os.mknod(name, c["mode"], device, dir_fd=folder))

    def do_chmod(self, lane, c):
        self.attribute(c["path"], lambda p: os.chmod(p, c["mode"]))
        return {"ret": 0}

    def do_chown(self, lane, c):
        uid, gid = (-1 if c[each] is None else c[each] for each in ("uid", "gid"))
        self.attribute(c["path"], lambda p: os.chown(p, uid, gid))
        return {"ret": 0}

    def do_utimes(self, lane, c):
        times = [c[each]["sec"] * 10**9 + c[each]["nsec"] for each in ("atime", "mtime")]
        os.utime(lane.files.get().fd, ns=tuple(times))
        return {"ret": 0}

    def do_ln(self, lane, c):
        if c["symbolic"]:
            return self.at(c["to"], lambda name, folder: os.symlink(c["from"], name, dir_fd=folder))
        self.watch(c["from"])
        source, old = self.fs.parent(c["from"])
        try:
            return self.at(
                c["to"],
                lambda new, folder: os.link(
                    old, new, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False
                ),
            )
        finally:
            os.close(source)

    def do_ls(self, lane, c):
        fd = self.fs.open(c["path"], os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
        try:
            return {"ret": 0, "names": os.listdir(fd)}
        finally:
            os.close(fd)

    def attribute(self, path, call):
        self.watch(path)
        fd = self.fs.open(path, os.O_PATH)
        try:
            return call(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)

    def do_setfattr(self, lane, c):
        flags = {None: 0, "create": os.XATTR_CREATE, "replace": os.XATTR_REPLACE}[c["only"]]
        self.attribute(c["path"], lambda p: os.setxattr(p, c["name"], bytes.fromhex(c["value"]), flags))
        return {"ret": 0}

    def do_getfattr(self, lane, c):
        value = self.attribute(c["path"], lambda p: os.getxattr(p, c["name"]))
        return {"ret": len(value), "data": value.hex()}

    def do_rmfattr(self, lane, c):
        self.attribute(c["path"], lambda p: os.removexattr(p, c["name"]))
        return {"ret": 0}

    # -- actors

    def do_at_writepages(self, lane, c):
        """->writepages with WB_SYNC_ALL and nothing else: no commit, no inode write."""
        self.watch(c["path"])
        fd = self.observer(c["path"], self.fs.lstat(c["path"]))
        if fd is None:
            raise Refused(f"@writepages {c['path']}: neither a file nor a directory")
        checked(libc.sync_file_range(fd, 0, 0, WAIT_BEFORE | WRITE | WAIT_AFTER))
        return {"ret": 0}

    def do_at_gup(self, lane, c):
        """access_remote_vm, as ptrace has it: get_user_pages of a caller that cannot retry the fault."""
        mapping, data = lane.mappings.get(), bytes.fromhex(c["data"])
        memory = os.open("/proc/self/mem", os.O_RDWR)
        try:
            return {"ret": os.pwrite(memory, data, mapping.at(c["offset"], c["length"], "@gup"))}
        finally:
            os.close(memory)

    def do_at_swapon(self, lane, c):
        """Given back at once where it succeeds."""

        def swap(name, folder):
            where = f"/proc/self/fd/{folder}/{name}".encode()
            checked(libc.swapon(where, 0))
            checked(libc.swapoff(where))

        return self.at(c["path"], swap)

    def do_at_flush(self, lane, c):
        """A pass of the flusher: pages of every known file in inode order, deleted ones that a lane holds included, then
        the block device. No commit."""
        self.flush_files()
        self.flush_device()
        return {"ret": 0}

    def flush_files(self):
        for path, found in self.stat_known():
            self.observer(path, found)
        for ino, fd in sorted(self.observers.items()):
            if st.S_ISREG(os.fstat(fd).st_mode):
                self.flush_file(fd)
        for opened in (each for lane in self.lanes.values() for each in lane.files.items):
            if opened.ino not in self.observers and st.S_ISREG(os.fstat(opened.fd).st_mode):
                self.flush_file(opened.fd)

    def flush_file(self, fd):
        """The three flags in one call would be WB_SYNC_ALL, which commits where data is journalled."""
        checked(libc.sync_file_range(fd, 0, 0, WAIT_BEFORE | WRITE))
        checked(libc.sync_file_range(fd, 0, 0, WAIT_AFTER))

    def flush_device(self):
        checked(libc.sync_file_range(self.fs.device, 0, 0, WAIT_BEFORE | WRITE | WAIT_AFTER))

    def settle(self):
        """The first half of sync_filesystem, which starts a commit and does not wait for it before it starts to write the
        block device: where data is journalled, two copies of a block race. Here the commit is always the first."""
        journalled = "data=journal" in self.fs.options or "nodelalloc" in self.fs.options
        if not journalled or not self.fs.geometry.has_journal:
            return
        self.flush_files()
        os.fsync(self.fs.root)
        self.flush_device()

    def do_at_commit(self, lane, c):
        """fsync of a directory is ext4_force_commit: the running transaction, no file's pages beyond ordered mode."""
        if self.fs.geometry.has_journal:
            os.fsync(self.fs.root)
        return {"ret": 0}

    def do_at_reclaim(self, lane, c):
        """Drops the clean pages of a file, one by one, so that dirty ones stay and no writeback starts."""
        self.watch(c["path"])
        found = self.fs.lstat(c["path"])
        if any(m.ino == found.st_ino for each in self.lanes.values() for m in each.mappings.items):
            raise Refused(f"@reclaim {c['path']}: a mapped page cannot be dropped from outside")
        fd = self.observer(c["path"], found)
        if fd is None:
            raise Refused(f"@reclaim {c['path']}: neither a file nor a directory")
        inline = struct.unpack("<I", getflags(fd))[0] & EXT4_INLINE_DATA_FL
        clean = []
        for page in range(-(-found.st_size // PAGE)):
            cached, dirty, writeback = cachestat(fd, page * PAGE, PAGE)[:3]
            if cached and not dirty and not writeback:
                clean.append(page)
        if clean and inline and cachestat(fd)[1]:
            # fadvise asks for writeback of the clean page, which ends the conversion.
            raise Refused(f"@reclaim {c['path']}: its conversion is pending, dropping a page would end it")
        for page in clean:
            os.posix_fadvise(fd, page * PAGE, PAGE, os.POSIX_FADV_DONTNEED)
        return {"ret": 0}

    def do_at_drop_caches(self, lane, c):
        """Machine-wide and best effort: what is dirty, open or mapped stays. Three times, as entries age by one each."""
        for ino in list(self.observers):
            if not self.held(ino):
                self.forget(ino)
        for _ in range(3):
            with open("/proc/sys/vm/drop_caches", "w") as knob:
                knob.write("3")
        return {"ret": 0}

    def do_at_remount(self, lane, c):
        """umount and mount. The lanes' processes exit first: their files and mappings are gone."""
        self.settle()
        self.release()
        self.fs.umount()
        self.check()
        self.mount_again()
        return {"ret": 0}

    def do_at_crash(self, lane, c):
        self.crash(c["flush"])
        return {"ret": 0}

    # -- the end

    def wait_for_whole_second(self):
        """Without a journal ext4 compares seconds to tell whether the inode of a deleted file may be used again."""
        commands = [line["command"] for line in self.job["lines"]]
        deletes = any(c["verb"] in ("rm", "rmdir", "mv") or c.get("tmpfile") for c in commands)
        late = time.time() % 1 > 0.5  # the rest of the second is enough: nothing is mounted again
        if deletes and late and not self.fs.geometry.has_journal:
            time.sleep(1.002 - time.time() % 1)

    def check(self):
        if not self.job.get("fsck", True):
            return
        done = subprocess.run(["e2fsck", "-fn", self.image], capture_output=True, text=True)
        if done.returncode != 0:
            raise Refused(f"e2fsck -fn does not pass the image (exit {done.returncode}), not mounted again:\n{done.stdout}")

    def finish(self):
        """What is durable: everything unmounted, the raw inodes as they are on the medium, mounted again and read."""
        self.settle()
        self.release()
        self.fs.umount()
        fd = os.open(self.image, os.O_RDONLY)
        geometry = Geometry(fd)
        inodes = {str(ino): geometry.raw(fd, ino).hex() for ino in sorted(self.seen)}
        os.close(fd)
        if self.job.get("saveImage"):
            shutil.copyfile(self.image, self.job["saveImage"])
        final = {"files": {}, "dirs": {}, "symlinks": {}, "links": {}, "xattrs": {}, "inodes": inodes}
        if self.job.get("objections"):
            done = subprocess.run(["e2fsck", "-fn", self.image], capture_output=True, text=True)
            if done.returncode == 0:
                raise Refused("e2fsck -fn passes the image, and objections were to be recorded")
            return {**final, "fsck": objections(done.stdout)}
        self.check()
        self.fs.mount()
        self.walk("/", final)
        self.fs.umount()
        return final

    def walk(self, path, final):
        fd = self.fs.open(path, os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW)
        try:
            found = os.fstat(fd)
            view = {
                "ino": found.st_ino,
                "size": found.st_size,
                "blocks": found.st_blocks,
                "inline": bool(struct.unpack("<I", getflags(fd))[0] & EXT4_INLINE_DATA_FL),
            }
            names = sorted(n for n in os.listxattr(fd) if not n.startswith("security."))
            if names:
                final["xattrs"][path] = {name: os.getxattr(fd, name).hex() for name in names}
            final["links"][path] = found.st_nlink
            if st.S_ISREG(found.st_mode):
                if found.st_size > MOST_CONTENT:
                    raise Refused(f"{path} has {found.st_size} bytes, too many to record (at most {MOST_CONTENT})")
                with os.fdopen(os.dup(fd), "rb", buffering=0) as source:
                    final["files"][path] = {**view, "content": source.readall().hex()}
                return
            entries = [name for name in os.listdir(fd) if path != "/" or name != "lost+found"]
            final["dirs"][path] = {**view, "names": entries}
        finally:
            os.close(fd)
        for name in sorted(entries):
            child = path.rstrip("/") + "/" + name
            mode = self.fs.lstat(child).st_mode
            if st.S_ISLNK(mode):
                folder, tail = self.fs.parent(child)
                final["symlinks"][child] = os.readlink(tail, dir_fd=folder)
                os.close(folder)
            elif st.S_ISREG(mode) or st.S_ISDIR(mode):
                self.walk(child, final)
            else:
                final["links"][child] = self.fs.lstat(child).st_nlink

    def steps(self):
        lanes = [line.get("lane", "CPU0") for line in self.job["lines"]]
        for index, line in enumerate(self.job["lines"]):
            self.step = index
            for name in list(self.lanes):
                if name not in lanes[index:]:
                    self.exit(name)
            try:
                result = self.execute(line.get("lane", "CPU0"), line["command"])
            except OSError as problem:
                result = {"errno": errno_name(problem.errno)}
            yield {
                "lane": line.get("lane", "CPU0"),
                "line": line["line"],
                "result": {"line": line["line"], **result},
                "files": self.look(),
            }


def objections(text):
    """What e2fsck objects to: its output without the passes, the question and answer, and the closing count."""
    lines = [line.strip() for line in text.splitlines()]
    told = [line for line in lines if line and not line.startswith("Pass ") and "**" not in line]
    told = [line for line in told if not line.split(":")[0].endswith("img") or "files" not in line]
    return [" ".join(line.removesuffix("Fix? no").removesuffix("Clear? no").split()) for line in told]


def repeated(data, start, size):
    """`size` bytes of `data` repeated for ever, from position `start`."""
    shift = start % len(data) if data else 0
    return (data * (size // len(data) + 2))[shift : shift + size] if data else b""


def protection_of(c):
    return (
        (mmap.PROT_READ if c["read"] else 0)
        | (mmap.PROT_WRITE if c["write"] else 0)
        | (mmap.PROT_EXEC if c.get("exec") else 0)
    )


def getflags(fd):
    return fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(8))[:4]


def cachestat(fd, offset=0, length=0):
    """Pages cached, with the DIRTY tag, under writeback, evicted, recently evicted."""
    window, counts = struct.pack("<QQ", offset, length), ctypes.create_string_buffer(40)
    try:
        checked(libc.syscall(SYS_CACHESTAT, fd, window, counts, 0))
    except OSError as problem:
        if problem.errno != errno.ENOSYS:
            raise
        raise Refused("this kernel has no cachestat(2): 6.5 or later is needed") from None
    return struct.unpack("<5Q", counts.raw)


# --- processes -------------------------------------------------------------------------------------------------------


def run_job(job, image, work, out):
    """The child: everything happens in its own mount namespace; the answer is one line on `out`."""
    os.umask(0o022)
    checked(libc.unshare(CLONE_NEWNS))
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    checked(libc.mount(b"ext4lab", work.encode(), b"tmpfs", 0, b"mode=700"))
    run, answer = Run(job, work), {"id": job.get("id")}
    run.step = None
    try:
        image.write(run.image)
        run.fs.mount()
        run.wait_for_whole_second()
        answer["kernel"] = ".".join(os.uname().release.split(".")[:2])
        answer["steps"] = list(run.steps())
        run.step = None
        answer["final"] = run.finish()
    except Refused as why:
        answer = {"id": job.get("id"), "refused": str(why), "step": run.step}
    except OSError as problem:
        answer = {"id": job.get("id"), "refused": f"{type(problem).__name__}: {problem}", "step": run.step}
    with os.fdopen(out, "w") as pipe:
        pipe.write(json.dumps(answer, separators=(",", ":")) + "\n")


def fork_multiple_of_16():
    """fork until the child's pid is divisible by 16. Returns 0 in that child, its pid in the parent."""
    while True:
        pid = os.fork()
        if pid == 0:
            if os.getpid() % 16 == 0:
                return 0
            os._exit(0)
        if pid % 16 == 0:
            return pid
        os.waitpid(pid, 0)


def supervise(job, image, work):
    """One job in one child, killed when its time is over."""
    read_end, write_end = os.pipe()
    pid = fork_multiple_of_16()
    if pid == 0:
        os.close(read_end)
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            run_job(job, image, work, write_end)
            code = 0
        finally:
            os._exit(code)
    os.close(write_end)
    answer, deadline = b"", time.monotonic() + job.get("timeoutSeconds", 60)
    while True:
        ready, _, _ = select.select([read_end], [], [], max(0, deadline - time.monotonic()))
        chunk = os.read(read_end, 1 << 20) if ready else b""
        if not chunk:
            break
        answer += chunk
    os.close(read_end)
    if not answer.endswith(b"\n"):
        late = time.monotonic() >= deadline
        os.kill(pid, signal.SIGKILL)
        why = f"took more than {job.get('timeoutSeconds', 60)} s and was killed" if late else "the helper died"
        answer = json.dumps({"id": job.get("id"), "refused": why, "step": None}).encode() + b"\n"
        for _ in range(500):
            if os.waitpid(pid, os.WNOHANG)[0]:
                return answer
            time.sleep(0.01)
        return answer  # stuck in the kernel: its namespace goes when it does
    os.waitpid(pid, 0)
    return answer


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control"):
        sys.exit("referee.py: needs root and /dev/loop-control")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    lock = open("/tmp/ext4lab-kernel.lock", "w")
    work = tempfile.mkdtemp(prefix="ext4lab-")
    images = {}
    try:
        for text in sys.stdin:
            if not text.strip():
                continue
            job = json.loads(text)
            if job["image"] not in images:
                images[job["image"]] = Image(job["image"])
            # Jobs run beside one another, but for those that sync(2) or drop the caches of the whole machine.
            loud = any(line["command"]["verb"] in ("sync", "@drop_caches") for line in job["lines"])
            fcntl.flock(lock, fcntl.LOCK_EX if loud else fcntl.LOCK_SH)
            answer = supervise(job, images[job["image"]], work)
            fcntl.flock(lock, fcntl.LOCK_UN)
            sys.stdout.buffer.write(answer)
            sys.stdout.buffer.flush()
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    finally:
        os.rmdir(work)


if __name__ == "__main__":
    main()
