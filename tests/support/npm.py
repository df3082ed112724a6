"""Packages from npm that tests run: pinned by hash in a lock file, kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INSTALL_TIMEOUT: Final = 300.0
OLDEST_NODE: Final = 18


def has_node() -> bool:
    """Tell whether there is a Node.js that is new enough."""
    if shutil.which("node") is None:
        return False
    asked = subprocess.run(
        ("node", "--version"), capture_output=True, text=True, timeout=30, check=False
    )
    version = re.match(r"v(\d+)\.", asked.stdout)
    return version is not None and int(version[1]) >= OLDEST_NODE


@dataclass(frozen=True, slots=True)
class Packages:
    """What one ``package-lock.json`` pins.

    Attributes:
        name: of its folder in the cache.
        folder: where ``package.json`` and ``package-lock.json`` are.
    """

    name: str
    folder: Path

    def modules(self) -> Path:
        """Name the folder of the packages; another lock file has another."""
        lock = hashlib.sha256((self.folder / "package-lock.json").read_bytes()).hexdigest()
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "guildhall" / f"{self.name}-{lock[:16]}" / "node_modules"

    def is_installed(self) -> bool:
        """Tell whether they can be run."""
        return has_node() and self.modules().is_dir()

    def install(self) -> str:
        """Install the packages of the lock file; give what went wrong, or nothing."""
        if not has_node() or shutil.which("npm") is None:
            return "node and npm are needed"
        home = self.modules().parent
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as name:
            for file in ("package.json", "package-lock.json"):
                shutil.copy(self.folder / file, name)
            done = subprocess.run(
                ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
                cwd=name,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=INSTALL_TIMEOUT,
                check=False,
            )
            if done.returncode != 0:
                return done.stderr.strip()
            # Whole or not at all; another run may have been faster.
            home.mkdir(exist_ok=True)
            with suppress(OSError):
                (Path(name) / "node_modules").rename(self.modules())
        return ""
