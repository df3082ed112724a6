"""Making bundles of teams, whoever asks for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from services.teams.exports.models import (
    Bundle,
    File,
    Finding,
    Report,
    ReportedFile,
    ReportedFinding,
)
from services.teams.exports.rules.archive import pack
from services.teams.exports.rules.formats import (
    AGENTS_MD,
    FORMATS,
    JSON,
    LAYOUTS,
    VERSION,
    UnknownFormat,
)
from services.teams.exports.rules.naming import check_paths, slug
from services.teams.exports.rules.suspicion import findings_of, header_of, page_of
from services.teams.teams import operations as teams
from services.teams.teams.models import Content, Team
from shared.db import Database
from shared.errors import BadRequest, Unavailable

MOST_WAITING: Final = 16
"""Bundles that may wait for their turn in a process."""

LONGEST_WAIT: Final = 20.0
"""Seconds until a bundle must be there."""

PATIENCE: Final = 5
"""Seconds after which another export may be tried."""

FINDINGS: Final = "FINDINGS.md"
"""The file in an archive that tells what is suspicious; absent where nothing is."""

_MEDIA_TYPES: Final = {
    JSON: "application/json",
    AGENTS_MD: "text/markdown; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Export:
    """What is answered to a request; ``bundle`` is None where the caller has it already."""

    etag: str
    bundle: Bundle | None
    findings: str = ""


class Exports:
    """Makes bundles beside the event loop, one at a time.

    More threads would only take turns with the loop: most of the work holds the interpreter.
    """

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._places = threading.BoundedSemaphore(MOST_WAITING)

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Exports]:
        """Start it, and stop it at the end without waiting for what nobody takes any more."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="exports")
        try:
            yield cls(thread)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def make(self, content: Content, format: str, whole: bytes = b"") -> Bundle:
        """Do as ``bundle``, elsewhere.

        Raises:
            BadRequest: there is no such format.
            Unavailable: too many wait already, or the wait was too long.
        """
        require_known(format)
        if not self._places.acquire(blocking=False):
            raise _too_many()
        work = self._thread.submit(bundle, content, format, whole)
        # Who leaves frees no place before the work for them is done, or was never begun.
        work.add_done_callback(lambda _: self._places.release())
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            raise _too_many() from None


def findings(content: Content) -> tuple[Finding, ...]:
    """Give what is suspicious in a team; some tens of milliseconds for a large one."""
    return findings_of(content)


def _too_many() -> Unavailable:
    return Unavailable("too many exports at once", retry_after=PATIENCE)


def require_known(format: str) -> None:
    """Refuse a format that there is not.

    Raises:
        BadRequest: naming those there are.
    """
    if format not in FORMATS:
        raise BadRequest(str(UnknownFormat(format)))


def bundle(content: Content, format: str, whole: bytes = b"") -> Bundle:
    """Make the bundle of a team: the same bytes for the same team, always.

    It takes some tens of milliseconds for a large team, so the loop leaves it to ``Exports``.

    Args:
        content: the team.
        format: one of the known ones.
        whole: the team as the API answers it, which is what ``json`` gives.

    Raises:
        BadRequest: there is no such format.
    """
    require_known(format)
    found = findings_of(content)
    name = slug(content.name, "team")
    files = [File(f"{name}.json", whole)] if format == JSON else LAYOUTS[format](content)
    if format in _MEDIA_TYPES:
        (only,) = files
        check_paths([only.path])
        return Bundle(only.path, _MEDIA_TYPES[format], only.content, (only,), found)
    if found:
        files.append(File(FINDINGS, page_of(found)))
    files.sort(key=lambda file: file.path)
    return Bundle(f"{name}.zip", "application/zip", pack(files), tuple(files), found)


async def export(
    database: Database,
    exports: Exports,
    token: str,
    team_id: str | None,
    format: str,
    if_none_match: str = "",
) -> Export:
    """Make the bundle of the team that a machine means.

    Args:
        database: to read from.
        exports: to make it with.
        token: the machine's.
        team_id: the team it named, if it did.
        format: one of the known ones.
        if_none_match: the header as sent, or empty.

    Raises:
        BadRequest: there is no such format.
        NotFound: the machine has no such team.
        Conflict: it has several and named none.
        Unavailable: too many exports wait already.
    """
    require_known(format)
    team = await teams.read_one(database, token, team_id)
    tag = _etag(team, format)
    if teams.is_named(if_none_match, tag):
        return Export(tag, None)
    made = await exports.make(teams.content_of(team), format, teams.team_bytes(team))
    return Export(tag, made, header_of(made.findings))


def report_of(format: str, made: Bundle) -> Report:
    """Tell what a bundle holds and what is suspicious in it."""
    return Report(
        format=format,
        filename=made.filename,
        findings=[
            ReportedFinding(
                where=finding.where,
                kind=finding.kind,
                excerpt=finding.excerpt,
                count=finding.count,
            )
            for finding in made.findings
        ],
        files=[ReportedFile(path=file.path, size=len(file.content)) for file in made.files],
    )


def _etag(team: Team, format: str) -> str:
    """Name a bundle strongly: its bytes follow from the team, the format and the layouts."""
    return f'"{team.id}-{team.revision}-{format}-{VERSION}"'
