"""The project speaks of itself alone, and builds no error outside its place."""

from __future__ import annotations

import re
import subprocess

from tests.architecture.tree import ROOT, python_files


def tracked() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listing.stdout.splitlines()


def test_no_error_status_is_written_outside_its_place() -> None:
    for path in python_files("services"):
        assert not re.search(r"status_code=[45]\d\d", path.read_text()), path


def test_no_print_is_left_in_the_processes() -> None:
    for path in python_files("gateway", "services", "shared"):
        assert not re.search(r"^\s*print\(", path.read_text(), re.MULTILINE), path


def test_nothing_generated_is_tracked() -> None:
    for name in tracked():
        assert not name.startswith((".venv/", "var/")), name
        assert not name.endswith((".pyc", ".db")), name
