"""What rivals are installed into: folders in the user's cache, never this project's environment.

A folder is named by what is installed there, so that another lock file has another folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PROGRAMS: Final = Path(__file__).parent / "programs"
INSTALL_TIMEOUT: Final = 600.0

_DONE: Final = "installed"


def place(name: str, *files: str) -> Path:
    """Name the folder of what some files under ``programs`` describe."""
    content = b"".join((PROGRAMS / file).read_bytes() for file in files)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "guildhall" / f"bench-{name}-{hashlib.sha256(content).hexdigest()[:16]}"


def is_complete(folder: Path) -> bool:
    """Tell whether an installation there came to its end."""
    return (folder / _DONE).is_file()


def install_python(folder: Path, requirements: str) -> str:
    """Make a virtual environment of a file with hashes; give what went wrong, or nothing."""
    python = str(folder / "bin" / "python")
    packages = ("--quiet", "--require-hashes", "-r", str(PROGRAMS / requirements))
    uv = shutil.which("uv")
    if uv is not None:
        return install(
            folder,
            (uv, "venv", "--quiet", "--python", sys.executable, str(folder)),
            (uv, "pip", "install", "--python", python, *packages),
        )
    return install(
        folder,
        (sys.executable, "-m", "venv", str(folder)),
        (python, "-m", "pip", "install", "--disable-pip-version-check", *packages),
    )


def install(folder: Path, *steps: Sequence[str]) -> str:
    """Run the steps of an installation in a new folder; give what went wrong, or nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for step in steps:
        try:
            done = subprocess.run(  # noqa: S603
                step,
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=INSTALL_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode != 0:
            return (done.stderr.strip() or done.stdout.strip())[-500:]
    (folder / _DONE).touch()
    return ""
