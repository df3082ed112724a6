"""The written matrix: who may pass which door.

One line an operation: method, path, and a word for each caller. ``yes``: the operation is carried
out, or refuses for another reason than who is asking. A number: the status of the refusal.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from tests.services.authorization.callers import CALLERS

FOLDER: Final = Path(__file__).parent
WORDS: Final = {"yes", "401", "403", "404"}

Door = tuple[str, str]


def read(service: str, callers: Collection[str] = CALLERS.keys()) -> dict[Door, dict[str, str]]:
    """Read the matrix of a service, which has these callers as columns."""
    path = FOLDER / f"{service}.txt"
    found: dict[Door, dict[str, str]] = {}
    header: list[str] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if not header:
            header = words
            assert header == ["method", "path", *callers], f"{path}: {header}"
            continue
        method, route, *cells = words
        assert len(cells) == len(callers), f"{path}: {line}"
        assert set(cells) <= WORDS, f"{path}: {line}"
        assert (method, route) not in found, f"{path}: {line} stands twice"
        found[method, route] = dict(zip(callers, cells, strict=True))
    return found


def written(rows: dict[Door, dict[str, str]], callers: Collection[str] = CALLERS.keys()) -> str:
    """Write a matrix, columns aligned."""
    width = max((len(route) for _, route in rows), default=4) + 1
    lines = [f"{'method':7}{'path':{width}}" + " ".join(callers)]
    for (method, route), cells in rows.items():
        words = " ".join(f"{cells[name]:{len(name)}}" for name in callers)
        lines.append(f"{method:7}{route:{width}}{words}".rstrip())
    return "\n".join(lines) + "\n"
