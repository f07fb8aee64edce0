#!/usr/bin/env python3
"""Mounts images, one after another, and writes down everything in them: one JSON object a line.

    walk.py [OPTIONS] < paths of image files

OPTIONS are those of mount; by default the image is mounted read-only with its journal left alone (noload): what is
walked is what is on the medium. Needs root and loop devices.
"""
import hashlib, json, os, stat, subprocess, sys, tempfile

LIMIT = 4 << 20
OPTIONS = sys.argv[1] if len(sys.argv) > 1 else "ro,noload,loop"


def entry(path):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    out = {
        "ino": st.st_ino,
        "mode": st.st_mode,
        "uid": st.st_uid,
        "gid": st.st_gid,
        "size": st.st_size,
        "links": st.st_nlink,
        "mtime": str(st.st_mtime_ns),
        "xattrs": {
            name: os.getxattr(path, name, follow_symlinks=False).hex()
            for name in sorted(os.listxattr(path, follow_symlinks=False))
        },
    }
    if kind == stat.S_IFLNK:
        out["target"] = os.readlink(os.fsencode(path)).hex()
    elif kind == stat.S_IFREG:
        with open(path, "rb") as file:
            out["content"] = hashlib.sha256(file.read(LIMIT)).hexdigest()
    return out


def walk(root):
    found = {"/": entry(root)}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            found["/" + os.path.relpath(path, root)] = entry(path)
    return found


with tempfile.TemporaryDirectory(prefix="ext4lab-") as root:
    for line in sys.stdin:
        image = line.rstrip("\n")
        answer = {"image": image}
        mounted = subprocess.run(
            ["mount", "-t", "ext4", "-o", OPTIONS, image, root], capture_output=True, text=True
        )
        if mounted.returncode != 0:
            answer["error"] = mounted.stderr.strip()
        else:
            try:
                answer["found"] = walk(root)
            except OSError as error:
                answer["error"] = str(error)
            finally:
                subprocess.run(["umount", root], check=True)
        print(json.dumps(answer), flush=True)
