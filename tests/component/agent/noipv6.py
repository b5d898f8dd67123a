"""Run a command on a kernel without IPv6: python noipv6.py COMMAND...

A seccomp filter answers socket(AF_INET6, ...) as such a kernel does. It needs no privilege and holds for
all descendants.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

# Number of the system call `socket`.
SOCKET_CALL = {"x86_64": 41, "aarch64": 198}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
# BPF: load a word of seccomp_data; jump if it is equal; return.
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, FIRST_ARGUMENT_AT = 0, 16
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def available() -> bool:
    return platform.machine() in SOCKET_CALL


def give_up_ipv6() -> None:
    """Of this process, for good. Raises OSError."""
    steps = b"".join(
        struct.pack("=HBBI", *step)
        for step in (
            (LOAD, 0, 0, NUMBER_AT),
            (EQUAL, 0, 3, SOCKET_CALL[platform.machine()]),
            (LOAD, 0, 0, FIRST_ARGUMENT_AT),
            (EQUAL, 0, 1, socket.AF_INET6),
            (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT),
            (RETURN, 0, 0, ALLOW),
        )
    )
    held = ctypes.create_string_buffer(steps, len(steps))
    program = _Program(len(steps) // 8, ctypes.cast(held, ctypes.c_void_p).value)
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), "no seccomp filter can be set here")


if __name__ == "__main__":
    give_up_ipv6()
    os.execvp(sys.argv[1], sys.argv[1:])
