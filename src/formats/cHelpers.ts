/**
 * The parts of a C reproducer: what each verb does, in the system calls that it stands for, with the answer that `run`
 * prints. A program gets those that it uses.
 */

interface Helper {
  readonly needs: readonly string[];
  readonly includes: readonly string[];
  readonly source: string;
}

const helper = (source: string, needs: string[] = [], includes: string[] = []): Helper => ({
  source: source.trim(),
  needs,
  includes,
});

/** In the order in which they stand in a program. */
export const HELPERS: Readonly<Record<string, Helper>> = {
  base: helper(
    `
static const char *mnt;

static const char *errno_name(int err)
{
	static const struct { int err; const char *name; } names[] = {
		{ EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { EIO, "EIO" }, { ENXIO, "ENXIO" },
		{ E2BIG, "E2BIG" }, { EBADF, "EBADF" }, { EAGAIN, "EAGAIN" }, { ENOMEM, "ENOMEM" },
		{ EACCES, "EACCES" }, { EFAULT, "EFAULT" }, { EBUSY, "EBUSY" }, { EEXIST, "EEXIST" },
		{ EXDEV, "EXDEV" }, { ENODEV, "ENODEV" }, { ENOTDIR, "ENOTDIR" }, { EISDIR, "EISDIR" },
		{ EINVAL, "EINVAL" }, { ENFILE, "ENFILE" }, { EMFILE, "EMFILE" }, { ENOTTY, "ENOTTY" },
		{ ETXTBSY, "ETXTBSY" }, { EFBIG, "EFBIG" }, { ENOSPC, "ENOSPC" }, { ESPIPE, "ESPIPE" },
		{ EROFS, "EROFS" }, { EMLINK, "EMLINK" }, { EPIPE, "EPIPE" }, { ERANGE, "ERANGE" },
		{ ENAMETOOLONG, "ENAMETOOLONG" }, { ENOSYS, "ENOSYS" }, { ENOTEMPTY, "ENOTEMPTY" },
		{ ELOOP, "ELOOP" }, { ENODATA, "ENODATA" }, { EOVERFLOW, "EOVERFLOW" },
		{ EOPNOTSUPP, "EOPNOTSUPP" }, { EUCLEAN, "EUCLEAN" }, { EDQUOT, "EDQUOT" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].err == err)
			return names[i].name;
	return "E???";
}

/* One line of the scenario and what it answered, in one write(2). */
static void answer(const char *lane, const char *line, long long ret)
{
	if (ret == -1)
		dprintf(1, "%s: %s = %s\\n", lane, line, errno_name(errno));
	else
		dprintf(1, "%s: %s = %lld\\n", lane, line, ret);
}`,
    [],
    [
      'errno.h',
      'fcntl.h',
      'stdio.h',
      'stdlib.h',
      'string.h',
      'sys/types.h',
      'sys/wait.h',
      'unistd.h',
      'sys/stat.h',
    ],
  ),
  files: helper(
    `
#define MAX_OPEN 256

/* What a lane has open, as xfs_io keeps it: the last one opened is the current one. */
static _Thread_local int files[MAX_OPEN], nr_files, file;`,
    ['base'],
  ),
  maps: helper(
    `
/* What a lane has mapped, likewise. */
static _Thread_local struct mapping { char *addr; off_t off; size_t len; } maps[MAX_OPEN];
static _Thread_local int nr_maps, map;`,
    ['files'],
  ),
  answer_data: helper(
    `
static void answer_data(const char *lane, const char *line, long long ret, const unsigned char *data)
{
	char text[80];
	int shown = ret > 32 ? 32 : (int)ret;

	if (ret == -1) {
		answer(lane, line, ret);
		return;
	}
	for (int i = 0; i < shown; i++)
		snprintf(text + 2 * i, 3, "%02x", data[i]);
	text[2 * shown] = 0;
	if (ret > 32)
		dprintf(1, "%s: %s = %lld  %s… (%lld bytes)\\n", lane, line, ret, text, ret);
	else
		dprintf(1, "%s: %s = %lld  %s\\n", lane, line, ret, text);
}`,
    ['base'],
  ),
  path: helper(
    `
/* A path of the volume below the mount point. */
static const char *at(const char *path)
{
	static _Thread_local char whole[2][4096];
	static _Thread_local int turn;

	turn = !turn;
	snprintf(whole[turn], sizeof(whole[turn]), "%s%s", mnt, path);
	return whole[turn];
}`,
    ['base'],
  ),
  fill: helper(
    `
static unsigned char *fill(int byte, size_t len)
{
	unsigned char *data = malloc(len + 1);

	memset(data, byte, len);
	return data;
}`,
    ['base'],
  ),
  unhex: helper(
    `
static unsigned char *unhex(const char *hex)
{
	size_t len = strlen(hex) / 2;
	unsigned char *data = malloc(len + 1);
	unsigned int byte;

	for (size_t i = 0; i < len; i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		data[i] = (unsigned char)byte;
	}
	return data;
}`,
    ['base'],
  ),
  aligned: helper(
    `
/* A copy that O_DIRECT takes. */
static unsigned char *aligned(const unsigned char *data, size_t len)
{
	void *copy;

	if (posix_memalign(&copy, 4096, len + 1) != 0)
		exit(2);
	if (data != NULL)
		memcpy(copy, data, len);
	return copy;
}`,
    ['base'],
  ),
  fault: helper(
    `
/* A load or store that the kernel answers with a signal. */
static _Thread_local sigjmp_buf faulted;

static void on_fault(int sig)
{
	siglongjmp(faulted, sig);
}

static void answer_fault(const char *lane, const char *line, int sig)
{
	dprintf(1, "%s: %s = %s\\n", lane, line, sig == SIGBUS ? "SIGBUS" : "SIGSEGV");
}`,
    ['base'],
    ['setjmp.h', 'signal.h'],
  ),
  open: helper(
    `
static long long do_open(const char *path, int flags, mode_t mode)
{
	int fd = open(at(path), flags, mode);

	if (fd < 0)
		return -1;
	if (nr_files == MAX_OPEN)
		exit(2);
	files[nr_files] = fd;
	file = nr_files++;
	return 0;
}`,
    ['path', 'files'],
  ),
  close: helper(
    `
static long long do_close(void)
{
	if (nr_files == 0) {
		errno = EBADF;
		return -1;
	}
	close(files[file]);
	memmove(files + file, files + file + 1, (size_t)(nr_files - file - 1) * sizeof(files[0]));
	nr_files--;
	if (file >= nr_files)
		file = nr_files > 0 ? nr_files - 1 : 0;
	return 0;
}`,
    ['files'],
  ),
  fd: helper(
    `
static int fd(void)
{
	return nr_files > 0 ? files[file] : -1;
}`,
    ['files'],
  ),
  file: helper(
    `
static long long do_file(int n)
{
	if (n >= nr_files) {
		errno = EBADF;
		return -1;
	}
	file = n;
	return 0;
}`,
    ['files'],
  ),
  pwrite: helper(
    `
/* write(2) calls of at most a block; an error of a later one is the answer. */
static long long do_pwrite(off_t off, size_t len, const unsigned char *data, size_t block, int flags)
{
	unsigned char *buf = aligned(data, len);
	size_t done = 0;

	while (done < len) {
		struct iovec piece = { buf + done, len - done < block ? len - done : block };
		ssize_t ret = flags ? pwritev2(fd(), &piece, 1, off + (off_t)done, flags)
				    : pwrite(fd(), piece.iov_base, piece.iov_len, off + (off_t)done);

		if (ret < 0)
			return -1;
		done += (size_t)ret;
		if ((size_t)ret < piece.iov_len)
			break;
	}
	return (long long)done;
}`,
    ['fd', 'aligned'],
    ['sys/uio.h'],
  ),
  pwrite_raw: helper(
    `
/* write(2) whose buffer is mapped memory. */
static long long do_pwrite_raw(const char *buf, off_t off, size_t len, size_t block)
{
	size_t done = 0;

	while (done < len) {
		size_t want = len - done < block ? len - done : block;
		ssize_t ret = pwrite(fd(), buf + done, want, off + (off_t)done);

		if (ret < 0)
			return -1;
		done += (size_t)ret;
		if ((size_t)ret < want)
			break;
	}
	return (long long)done;
}`,
    ['mmap'],
  ),
  pread_raw: helper(
    `
/* read(2) whose buffer is mapped memory. */
static void do_pread_raw(const char *lane, const char *line, char *buf, off_t off, size_t len, size_t block)
{
	size_t done = 0;

	while (done < len) {
		size_t want = len - done < block ? len - done : block;
		ssize_t ret = pread(fd(), buf + done, want, off + (off_t)done);

		if (ret < 0) {
			answer(lane, line, -1);
			return;
		}
		done += (size_t)ret;
		if ((size_t)ret < want)
			break;
	}
	answer_data(lane, line, (long long)done, (unsigned char *)buf);
}`,
    ['mmap', 'answer_data'],
  ),
  pread: helper(
    `
static void do_pread(const char *lane, const char *line, off_t off, size_t len, size_t block)
{
	unsigned char *buf = aligned(NULL, len);
	size_t done = 0;

	while (done < len) {
		size_t want = len - done < block ? len - done : block;
		ssize_t ret = pread(fd(), buf + done, want, off + (off_t)done);

		if (ret < 0) {
			answer(lane, line, -1);
			return;
		}
		done += (size_t)ret;
		if ((size_t)ret < want)
			break;
	}
	answer_data(lane, line, (long long)done, buf);
}`,
    ['fd', 'aligned', 'answer_data'],
  ),
  mmap: helper(
    `
static long long do_mmap(off_t off, size_t len, int prot, int flags)
{
	char *addr = mmap(NULL, len, prot, flags, fd(), off);

	if (addr == MAP_FAILED)
		return -1;
	if (nr_maps == MAX_OPEN)
		exit(2);
	maps[nr_maps] = (struct mapping){ addr, off, len };
	map = nr_maps++;
	return 0;
}`,
    ['fd', 'maps'],
    ['sys/mman.h'],
  ),
  munmap: helper(
    `
static long long do_munmap(void)
{
	if (nr_maps == 0) {
		errno = EINVAL;
		return -1;
	}
	munmap(maps[map].addr, maps[map].len);
	memmove(maps + map, maps + map + 1, (size_t)(nr_maps - map - 1) * sizeof(maps[0]));
	nr_maps--;
	if (map >= nr_maps)
		map = nr_maps > 0 ? nr_maps - 1 : 0;
	return 0;
}`,
    ['mmap'],
  ),
  mapping: helper(
    `
static long long do_mapping(int n)
{
	if (n >= nr_maps) {
		errno = EINVAL;
		return -1;
	}
	map = n;
	return 0;
}`,
    ['mmap'],
  ),
  mwrite: helper(
    `
static void do_mwrite(const char *lane, const char *line, off_t off, size_t len, const unsigned char *data)
{
	int sig = sigsetjmp(faulted, 1);

	if (sig != 0) {
		answer_fault(lane, line, sig);
		return;
	}
	memcpy(maps[map].addr + (off - maps[map].off), data, len);
	answer(lane, line, (long long)len);
}`,
    ['mmap', 'fault'],
  ),
  mread: helper(
    `
static void do_mread(const char *lane, const char *line, off_t off, size_t len)
{
	unsigned char *buf = malloc(len + 1);
	int sig = sigsetjmp(faulted, 1);

	if (sig != 0) {
		answer_fault(lane, line, sig);
		return;
	}
	memcpy(buf, maps[map].addr + (off - maps[map].off), len);
	answer_data(lane, line, (long long)len, buf);
}`,
    ['mmap', 'fault', 'answer_data'],
  ),
  range: helper(
    `
/* Of the current mapping, whole pages; len -1: all of it. */
static char *range(off_t off, long long *len)
{
	struct mapping *m = &maps[map];
	char *addr;

	if (*len < 0) {
		*len = (long long)m->len;
		return m->addr;
	}
	addr = m->addr + (off - m->off);
	*len += (long long)((size_t)addr % 4096);
	return addr - (size_t)addr % 4096;
}`,
    ['mmap'],
  ),
  mremap: helper(
    `
static long long do_mremap(size_t len, int flags)
{
	char *addr = mremap(maps[map].addr, maps[map].len, len, flags);

	if (addr == MAP_FAILED)
		return -1;
	maps[map].addr = addr;
	maps[map].len = len;
	return 0;
}`,
    ['mmap'],
  ),
  copy_range: helper(
    `
/* From an open file, or from a path that is opened for it; len -1: all there is. */
static long long do_copy_range(int from, const char *path, off_t src, off_t dst, long long len)
{
	int in = path != NULL ? open(at(path), O_RDONLY) : from < nr_files ? files[from] : -1;
	struct stat st;
	long long done = 0;
	ssize_t ret = 0;

	if (in < 0) {
		if (path == NULL)
			errno = EBADF;
		return -1;
	}
	if (len < 0)
		len = fstat(in, &st) == 0 && st.st_size > src ? st.st_size - src : 0;
	while (done < len) {
		off_t in_off = src + done, out_off = dst + done;

		ret = copy_file_range(in, &in_off, fd(), &out_off, (size_t)(len - done), 0);
		if (ret <= 0)
			break;
		done += ret;
	}
	if (path != NULL) {
		int saved = errno;

		close(in);
		errno = saved;
	}
	return ret < 0 ? -1 : done;
}`,
    ['fd', 'path'],
  ),
  chattr: helper(
    `
static long long do_chattr(int journal_data)
{
	int flags;

	if (ioctl(fd(), FS_IOC_GETFLAGS, &flags) < 0)
		return -1;
	flags = journal_data ? flags | FS_JOURNAL_DATA_FL : flags & ~FS_JOURNAL_DATA_FL;
	return ioctl(fd(), FS_IOC_SETFLAGS, &flags);
}`,
    ['fd'],
    ['linux/fs.h', 'sys/ioctl.h'],
  ),
  stat: helper(
    `
static long long do_stat(void)
{
	struct stat st;

	return fstat(fd(), &st);
}`,
    ['fd'],
  ),
  fiemap: helper(
    `
static long long do_fiemap(unsigned int flags)
{
	struct { struct fiemap head; struct fiemap_extent extents[64]; } ask = { 0 };

	ask.head.fm_length = FIEMAP_MAX_OFFSET;
	ask.head.fm_flags = flags;
	ask.head.fm_extent_count = 64;
	return ioctl(fd(), FS_IOC_FIEMAP, &ask);
}`,
    ['fd'],
    ['linux/fs.h', 'linux/fiemap.h', 'sys/ioctl.h'],
  ),
  readlink: helper(
    `
static void do_readlink(const char *lane, const char *line, const char *path)
{
	unsigned char target[4096];

	answer_data(lane, line, readlink(at(path), (char *)target, sizeof(target)), target);
}`,
    ['path', 'answer_data'],
  ),
  ls: helper(
    `
static long long do_ls(const char *path)
{
	DIR *dir = opendir(at(path));
	int err;

	if (dir == NULL)
		return -1;
	errno = 0;
	while (readdir(dir) != NULL)
		continue;
	err = errno;
	closedir(dir);
	errno = err;
	return err != 0 ? -1 : 0;
}`,
    ['path'],
    ['dirent.h'],
  ),
  getfattr: helper(
    `
static void do_getfattr(const char *lane, const char *line, const char *path, const char *name)
{
	static unsigned char value[65536];

	answer_data(lane, line, lgetxattr(at(path), name, value, sizeof(value)), value);
}`,
    ['path', 'answer_data'],
    ['sys/xattr.h'],
  ),
  writepages: helper(
    `
static long long do_writepages(const char *path)
{
	int in = open(at(path), O_RDONLY);
	long long ret;

	if (in < 0)
		return -1;
	ret = sync_file_range(in, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	close(in);
	return ret;
}`,
    ['path'],
  ),
  let_go: helper(
    `
/* What exit does: mappings, then files. */
static void let_go(void)
{
	for (; nr_maps > 0; nr_maps--)
		munmap(maps[nr_maps - 1].addr, maps[nr_maps - 1].len);
	for (; nr_files > 0; nr_files--)
		close(files[nr_files - 1]);
	file = map = 0;
}`,
    ['maps'],
    ['sys/mman.h'],
  ),
  remount: helper(
    `
static long long do_remount(void)
{
	FILE *mounts = setmntent("/proc/mounts", "r");
	struct mntent *each;
	char dev[4096] = "", opts[4096] = "";
	long long ret;
	int keep;

	while (mounts != NULL && (each = getmntent(mounts)) != NULL)
		if (strcmp(each->mnt_dir, mnt) == 0) {
			snprintf(dev, sizeof(dev), "%s", each->mnt_fsname);
			snprintf(opts, sizeof(opts), "%s", each->mnt_opts);
		}
	if (mounts != NULL)
		endmntent(mounts);
	let_go();
	if (dev[0] == 0) {
		errno = ENODEV;
		return -1;
	}
	/* A loop device would go away with its last user. */
	keep = open(dev, O_RDONLY);
	if (umount(mnt) < 0)
		return -1;
	/* What mount(8) would not hand on. */
	for (char *opt = strtok(opts, ","), *end = opts; ; opt = strtok(NULL, ",")) {
		if (opt == NULL) {
			*end = 0;
			break;
		}
		if (strcmp(opt, "rw") == 0 || strcmp(opt, "relatime") == 0)
			continue;
		size_t len = strlen(opt);

		memmove(end, opt, len);
		end += len;
		*end++ = ',';
	}
	ret = mount(dev, mnt, "ext4", 0, opts);
	if (keep >= 0)
		close(keep);
	return ret;
}`,
    ['let_go'],
    ['mntent.h', 'sys/mount.h'],
  ),
  drop_caches: helper(
    `
static long long do_drop_caches(void)
{
	int out = open("/proc/sys/vm/drop_caches", O_WRONLY);
	ssize_t ret;

	if (out < 0)
		return -1;
	ret = write(out, "3", 1);
	close(out);
	return ret < 0 ? -1 : 0;
}`,
    ['base'],
  ),
  freeze: helper(
    `
static long long do_freeze(int thaw)
{
	int dir = open(mnt, O_RDONLY);
	long long ret = ioctl(dir, thaw ? FITHAW : FIFREEZE, 0);

	close(dir);
	return ret;
}`,
    ['base'],
    ['linux/fs.h', 'sys/ioctl.h'],
  ),
};

/** The helpers of these names and what they need, in order. */
export function helpersFor(names: Iterable<string>): {
  readonly includes: readonly string[];
  readonly sources: readonly string[];
} {
  const wanted = new Set<string>();
  const want = (name: string): void => {
    if (wanted.has(name)) return;
    wanted.add(name);
    for (const needed of HELPERS[name]!.needs) want(needed);
  };
  for (const name of names) want(name);
  const list = Object.entries(HELPERS).filter(([name]) => wanted.has(name));
  const includes = [...new Set(list.flatMap(([, each]) => each.includes))].sort();
  return { includes, sources: list.map(([, each]) => each.source) };
}
