"""The report of a run as files, beside its screenshots: JSON, JUnit and a page for people."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from services.runs.artifacts.operations import pieces_beneath
from services.runs.engine import evidence
from services.runs.runs.models import Held
from services.runs.workers.models import Keeper
from shared.errors import NotFound, ServiceError
from shared.log import get_logger

PATIENCE: Final = 10.0
"""Seconds for all of them; a run ends without."""

MOST_BYTES: Final = 20_000_000
"""Of screenshots that are put into the page; it links to the others."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Pictures:
    """The screenshots of a run, as far as they still lie in its folder.

    Attributes:
        folder: the run's.
        sources: where a picture lies there, by its path among the artifacts.
    """

    folder: Path | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    async def read(self) -> dict[str, bytes]:
        """Read as many of them as fit into a page."""
        found: dict[str, bytes] = {}
        left = MOST_BYTES
        for path, source in self.sources.items():
            picture = await self._read(source, left)
            if picture:
                left -= len(picture)
                found[path] = picture
        return found

    async def _read(self, source: str, most: int) -> bytes:
        if self.folder is None:
            return b""
        pieces, size = [], 0
        with suppress(NotFound, OSError):
            async for piece in pieces_beneath(self.folder, source):
                size += len(piece)
                if size > most:
                    return b""
                pieces.append(piece)
        return b"".join(pieces)


async def keep(keeper: Keeper, held: Held, report: Mapping[str, Any], pictures: Pictures) -> None:
    """Keep a report as files; what cannot be kept is told to the log only."""
    try:
        async with asyncio.timeout(PATIENCE):
            shots = await pictures.read()
            files = await asyncio.to_thread(_files, report, shots)
            for path, content in files.items():
                await keeper.put(held.org_id, held.run_id, path, content)
    except (ServiceError, TimeoutError, OSError) as error:
        log.warning("report not kept as files", run_id=held.run_id, reason=type(error).__name__)
    except Exception:
        # However a report is made, a run ends with it.
        log.exception("report not written as files", run_id=held.run_id)


def _files(report: Mapping[str, Any], shots: Mapping[str, bytes]) -> dict[str, bytes]:
    read = evidence.read(report)
    return {
        "report.json": to_json(report, indent=2, inf_nan_mode="null"),
        "junit.xml": evidence.junit(read).encode(),
        "report.html": evidence.page(read, shots).encode(),
    }
