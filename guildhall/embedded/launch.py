"""Become another program, as another user, and hear of the parent's death.

``python -I -S launch.py UID GID PARENT PROGRAM ARGUMENT...``, with ``-`` for "stay who you are".
A file run by path and not a function called between fork and exec, because the parent has threads.
On Linux the program gets SIGTERM when ``PARENT`` dies: PostgreSQL then serves who is connected
and ends after the last has gone. Elsewhere the next start finds and stops it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Drop privileges, ask for the signal, and exec; does not return."""
    uid, gid, parent, program, *rest = arguments
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if libc is not None:
        # After setuid, which clears it.
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != int(parent):  # it died before we could ask
            sys.exit(1)
    os.umask(0o077)
    os.execv(program, [program, *rest])  # noqa: S606 - no shell, our own program


if __name__ == "__main__":
    main(sys.argv[1:])
