"""Which browser there is on this machine, and what to do where there is none.

Loads nothing of Playwright's, so that a command line may ask as well.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

DEBIAN: Final = Path("/usr/bin/chromium")

ADVICE: Final = (
    'Install Chromium ("apt install chromium"), or set GUILDHALL_RUNS_CHROMIUM to a browser\'s '
    "executable."
)
"""How to get a browser."""

FOLDER: Final = "PLAYWRIGHT_BROWSERS_PATH"
"""The variable that says where Playwright keeps browsers of its own."""


def chosen(executable: str | None) -> str | None:
    """Give the program to be started; None: Playwright's own."""
    if executable:
        return shutil.which(executable) or executable
    return str(DEBIAN) if DEBIAN.exists() else None


def missing(executable: str | None, environment: Mapping[str, str]) -> str | None:
    """Say what is missing, ``ADVICE`` mends it; None where there is a browser.

    Args:
        executable: as the settings name it; None or empty where they name none.
        environment: variables, for where Playwright keeps its own.
    """
    program = chosen(executable)
    if program is not None:
        is_there = shutil.which(program) is not None
        return None if is_there else f"{program} is no program that can be started."
    if _has_own(environment):
        return None
    return "There is no browser on this machine."


def folder_of(environment: Mapping[str, str]) -> str | None:
    """Give the folder in which Playwright keeps browsers of its own; None: nobody can tell."""
    if given := environment.get(FOLDER):
        return given
    home = environment.get("HOME")
    if not home:
        return None
    usual = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return f"{home}/{usual}/ms-playwright"


def _has_own(environment: Mapping[str, str]) -> bool:
    """Tell whether Playwright has got a Chromium of the release that it starts."""
    folder, package = folder_of(environment), find_spec("playwright")
    if folder is None or package is None or package.origin is None:
        return False
    listed = Path(package.origin).parent / "driver" / "package" / "browsers.json"
    try:
        known = json.loads(listed.read_bytes())["browsers"]
        wanted = {each["name"]: each["revision"] for each in known}
    except (OSError, ValueError, LookupError, TypeError):
        # Its list reads otherwise in this release: it finds out itself.
        return True
    return any(
        Path(folder, f"{name.replace('-', '_')}-{wanted[name]}").is_dir()
        for name in ("chromium", "chromium-headless-shell")
        if name in wanted
    )
