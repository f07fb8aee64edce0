#!/usr/bin/python3
"""Init of a user-mode-linux whose root is the host's, read-only: walks the images of a folder, and powers off.

The kernel's command line gives folder=DIR (the host's), module=PATH of loop.ko and script=PATH of walk.py. DIR/images has
a path of an image a line; DIR/answers is written: what walk.py prints for each, mounted for writing, so that logs are
replayed and orphans worked off. DIR/failed says why there is no answer.
"""
import ctypes, os, subprocess, traceback

libc = ctypes.CDLL(None, use_errno=True)
RB_POWER_OFF = 0x4321FEDC
SYS_FINIT_MODULE = 313


def checked(what, status):
    if status != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(kind, at, options=""):
    checked(f"mount {kind} on {at}", libc.mount(b"none", at.encode(), kind.encode(), 0, options.encode()))


def main(folder):
    for kind, at in [("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")]:
        mount(kind, at)
    with open(os.environ["module"], "rb") as module:
        checked("loop.ko", libc.syscall(SYS_FINIT_MODULE, module.fileno(), b"", 0))
    # The host's own files, for writing: the images change as they are recovered.
    os.mkdir("/run/folder")
    mount("hostfs", "/run/folder", folder)
    # walk.py makes its mount point where temporary files are.
    env = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/run", "LC_ALL": "C"}
    try:
        with open("/run/folder/images") as images, open("/run/folder/answers", "w") as answers:
            walk = ["/usr/bin/python3", "-B", os.environ["script"], "loop"]
            subprocess.run(walk, stdin=images, stdout=answers, cwd="/run/folder", env=env, check=True)
    except Exception:
        with open("/run/folder/failed", "w") as failed:
            failed.write(traceback.format_exc())


try:
    main(os.environ["folder"])
except Exception:
    traceback.print_exc()
os.sync()
libc.reboot(RB_POWER_OFF)
