"""A worker as a process of its own, whose errands are done by the program that stands in.

``errand_worker.py FOLDER``; settings come from the environment.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.runs.app import SERVICE
from services.runs.workers.models import Place
from shared.bus import Transport
from shared.db import Database
from shared.service import Resources, main
from tests.services.runs.workers_support import ROOT

PROGRAM = (sys.executable, "-P", "-m", "tests.services.runs.errand_stand_in")


@asynccontextmanager
async def open_resources(
    settings: Any, database: Database, transport: Transport
) -> AsyncIterator[Resources]:
    async with SERVICE.open_resources(settings, database, transport) as resources:
        yield {**resources, Place: Place(PROGRAM, Path(sys.argv[1]) / "runs", ROOT)}


if __name__ == "__main__":
    main(replace(SERVICE, open_resources=open_resources), ["work"])
