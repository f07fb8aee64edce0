#!/usr/bin/env python3
"""Runs linux.uml with the words of its command line such that it boots on any host.

user-mode-linux 6.1 restores the floating point registers of a process by PTRACE_SETREGSET, from 2,696 bytes. A host with
AMX wants 11,008 and answers EFAULT, and init dies. Where PTRACE_GETREGSET fails when it starts, it does with
PTRACE_SETFPREGS: a seccomp filter makes it fail.
"""
import ctypes, os, struct, sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SYS_PTRACE, PTRACE_GETREGSET, EIO = 101, 0x4204, 5
# struct seccomp_data: the number of the call is at 0, its arguments from 16 on, the low half first.
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
FILTER = [
    (LOAD, 0, 0, 0),
    (EQUALS, 0, 3, SYS_PTRACE),
    (LOAD, 0, 0, 16),
    (EQUALS, 0, 1, PTRACE_GETREGSET),
    (RETURN, 0, 0, ERRNO | EIO),
    (RETURN, 0, 0, ALLOW),
]

code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in FILTER))
program = ctypes.create_string_buffer(struct.pack("@HP", len(FILTER), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
for words in [(PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))]:
    if libc.prctl(words[0], ctypes.c_ulong(words[1]), ctypes.c_ulong(words[2]), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp("linux.uml", ["linux.uml", *sys.argv[1:]])
