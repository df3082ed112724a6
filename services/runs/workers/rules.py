"""What a run's process may know and say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from services.runs.engine.browser import programs
from services.runs.workers.models import Process

MARK: Final = "GUILDHALL_ENGINE_RUN"
"""The variable by which every process of a run is found, whatever its group."""

_PASSED_ON: Final = (
    "PATH",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
)

_FRAME: Final = re.compile(r'\s*File "[^"]*", line \d+, in [\w<>.]+\s*')
_ERROR: Final = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Gone))(:|$)")
_FRAMES: Final = 20


def environment_of(scratch: str, token: str, root: str, given: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a run's process: nothing of ours, and nothing that is secret.

    Args:
        scratch: the run's folder, its home.
        token: by which its processes are found.
        root: where our packages are.
        given: the worker's own environment.
    """
    passed = {name: given[name] for name in _PASSED_ON if name in given}
    if folder := programs.folder_of(given):
        # Its home is another, and browsers would be looked for there.
        passed[programs.FOLDER] = folder
    return {
        **passed,
        "LANG": given.get("LANG", "C.UTF-8"),
        "HOME": scratch,
        "TMPDIR": scratch,
        "PYTHONPATH": root,
        MARK: token,
    }


def is_picture(path: str) -> bool:
    """Tell whether a file is a screenshot, by its name."""
    return PurePosixPath(path).suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")


def read_process(pid: int, stat: str) -> Process | None:
    """Read a line of ``/proc/<pid>/stat``; the name in it may hold anything, blanks too."""
    fields = stat.rpartition(")")[2].split()
    try:
        return Process(
            pid, int(fields[1]), int(fields[3]), int(fields[19]), is_dead=fields[0] in "ZX"
        )
    except (IndexError, ValueError):
        return None


def harmless(text: str) -> str:
    """Give what a traceback says of places and kinds of errors, and nothing that was typed."""
    return " < ".join(list(_harmless_lines(text))[-_FRAMES:])


def _harmless_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if _FRAME.fullmatch(line):
            yield line.strip()
        elif found := _ERROR.match(line):
            yield found[1]
