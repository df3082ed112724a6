"""Run a module as a child of ``guildhall up``: ``child.py -m MODULE ARGUMENT...``.

The arguments are Python's own, so that a process can be told from its command line.

Standard input is a pipe that the parent never writes to. When the parent dies, however it dies,
the pipe ends: the module is then told to stop, and made to if it does not. Works wherever pipes
do, unlike a parent-death signal.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

ORPHAN_GRACE = 22.0
"""Seconds an orphan gets to drain: a little more than a service takes."""


def main() -> None:
    """Watch the pipe from a thread of its own and become the module."""
    _, module, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(0, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_GRACE)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with whatever it has started
    os._exit(1)


if __name__ == "__main__":
    main()
