"""Which suites are meant, and whether they can be run."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from guildhall.failures import Failure
from guildhall.runs.models import SuiteFile
from services.runs.engine.grammar import parse, select
from services.runs.engine.grammar.loading import MOST_BYTES
from services.runs.engine.grammar.models import NothingSelected, UnknownCases
from services.runs.suites.models import EXTENSIONS

MOST_SUITES: Final = 1000
_SHOWN: Final = 20
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def find(places: Sequence[str]) -> list[Path]:
    """Find the files that are meant, in order, each once.

    Args:
        places: files, folders (all suites below), or patterns in which ``**`` means any folders. A
            pattern that does not end in ``.yaml`` or ``.yml`` finds files that are called as suites
            are.

    Raises:
        Failure: one of them leads to no suite.
    """
    found: dict[str, Path] = {}
    for place in places:
        paths = list(_paths(place))
        if not paths:
            raise Failure(f"{place}: there is no suite")
        for path in paths:
            found.setdefault(os.path.realpath(path), path)
        if len(found) > MOST_SUITES:
            raise Failure(f"{place}: these are more than {MOST_SUITES} suites")
    return list(found.values())


def _paths(place: str) -> Iterator[Path]:
    path = Path(place)
    if not place.strip():
        return  # an empty variable means no folder, least of all the one we are in
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (one for one in sorted(path.rglob("*")) if _is_suite(one))
    else:
        names_kind = place.lower().endswith((".yaml", ".yml"))
        for name in sorted(glob.iglob(place, recursive=True)):
            one = Path(name)
            if one.is_file() and (names_kind or _is_suite(one)):
                yield one


def _is_suite(path: Path) -> bool:
    return path.name.endswith(EXTENSIONS) and path.is_file()


def load(
    paths: Sequence[Path], cases: Sequence[str] = (), tags: Sequence[str] = ()
) -> list[SuiteFile]:
    """Read suites, and choose their cases.

    Args:
        paths: of their files.
        cases: ids; empty: all. With several suites, each takes those that it has.
        tags: of those, only cases that have any of them.

    Raises:
        Failure: naming every problem of every suite with its place; or nothing is chosen.
    """
    problems: list[str] = []
    suites = [one for path in paths if (one := _read(path, problems)) is not None]
    if problems:
        more = len(problems) - _SHOWN
        tail = [f"… and {more} more"] if more > 0 else []
        raise Failure("\n".join([*problems[:_SHOWN], *tail]))
    if cases or tags:
        suites = _chosen(suites, cases, tags)
    return _with_folders(suites)


def _read(path: Path, problems: list[str]) -> SuiteFile | None:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            problems.append(f"{path}: a suite may have at most {MOST_BYTES} bytes")
            return None
        text = content.decode()
    except OSError as error:
        problems.append(f"{path}: {error.strerror or 'it cannot be read'}")
        return None
    except UnicodeDecodeError:
        problems.append(f"{path}: it is no UTF-8")
        return None
    parsed = parse(text)
    for one in parsed.problems:
        line = "" if one.line is None else f":{one.line}"
        where = f"{one.path} " if one.path else ""
        problems.append(f"{path}{line}: {where}{one.message}")
    return None if parsed.suite is None else SuiteFile(path, text, parsed.suite)


def _chosen(
    suites: Sequence[SuiteFile], cases: Sequence[str], tags: Sequence[str]
) -> list[SuiteFile]:
    found: list[SuiteFile] = []
    unknown = set(cases)
    for one in suites:
        known = []
        for case in cases:
            try:
                select(one.suite, [case])
            except UnknownCases:
                continue
            known.append(case)
        unknown -= set(known)
        if cases and not known:
            continue
        try:
            chosen = select(one.suite, known or None, tags)
        except NothingSelected:
            continue
        found.append(replace(one, cases=chosen))
    if unknown:
        raise Failure(f"No suite has a case {', '.join(sorted(unknown))}")
    if not found:
        raise Failure(f"No case has any of the tags {', '.join(tags)}")
    return found


def _with_folders(suites: Sequence[SuiteFile]) -> list[SuiteFile]:
    """Give each of several suites a folder of its own, called after its file."""
    if len(suites) == 1:
        return list(suites)
    taken: set[str] = set()
    named = []
    for one in suites:
        name = _stem(one.file)
        number = 1
        # Some file systems do not tell capitals from small letters.
        while (folder := name if number == 1 else f"{name}-{number}").lower() in taken:
            number += 1
        taken.add(folder.lower())
        named.append(replace(one, folder=folder))
    return named


def _stem(file: str) -> str:
    for extension in (*EXTENSIONS, ".yaml", ".yml"):
        file = file.removesuffix(extension)
    return _UNSAFE.sub("-", file).strip(".-")[:100] or "suite"
