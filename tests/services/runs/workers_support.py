"""Workers under test: real processes, of a program that stands in for the browser engine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from services.runs.artifacts.operations import Store
from services.runs.causes.operations import Explainer
from services.runs.engine.model.lines import Ask
from services.runs.engine.probes.pictures import Comparer
from services.runs.integrations.operations import of_environment
from services.runs.settings import RunsSettings
from services.runs.workers import rules
from services.runs.workers.models import Claim, Limits, Place
from services.runs.workers.operations import processes
from services.runs.workers.operations.answering import Answers, comparing
from services.runs.workers.operations.jobs import Jobs
from services.runs.workers.operations.worker import RunWorker
from shared.db import Database
from shared.fetch import Fetcher
from shared.principal import Principal
from shared.vault import Vault
from tests.services.runs.conftest import Runs, suite_text
from tests.services.runs.runs_support import queue, read, until

ROOT = Path(__file__).resolve().parents[3]
STAND_IN = (sys.executable, "-P", "-m", "tests.services.runs.child_stand_in")
QUICK = Limits(lease_s=3.0, silence_s=3.0, start_s=20.0, cancel_s=1.0, grace_s=0.3)


def processes_of(mark: str) -> list[int]:
    """Give the living processes whose environment holds a text."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            environment = Path("/proc", name, "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in environment and int(name) != os.getpid():
            found.append(int(name))
    return found


@dataclass
class Works:
    """Where workers work, and what belongs to a test there."""

    runs: Runs
    folder: Path
    member: Principal
    tokens: set[str] = field(default_factory=set)

    async def suite(self, *words: str, name: str = "") -> str:
        """Add a suite whose run does that, and give its file."""
        name = name or f"s{len(words)}-{os.urandom(4).hex()}"
        text = suite_text(name) + "".join(f"# do: {word}\n" for word in words)
        await self.runs.add_suite(self.member.org, f"{name}.tripwire.yaml", text, suite_id=name)
        return f"{name}.tripwire.yaml"

    async def queue(self, *words: str, **body: Any) -> str:
        """Queue a run that does that."""
        return await queue(self.runs, self.member, suite=await self.suite(*words), **body)

    async def read(self, run_id: str) -> dict[str, Any]:
        return await read(self.runs, self.member, run_id)

    async def becomes(self, run_id: str, *statuses: str) -> dict[str, Any]:
        """Wait until a run is in a state."""

        async def there() -> dict[str, Any] | None:
            run = await self.read(run_id)
            return run if run["status"] in statuses else None

        found: dict[str, Any] = await until(there, f"never {statuses}")
        return found

    async def says(self, run_id: str, kind: str) -> dict[str, Any]:
        """Wait until a run has an event of a kind, and give the run."""

        async def there() -> dict[str, Any] | None:
            run = await self.read(run_id)
            return run if kind in [event["kind"] for event in run["events"]] else None

        found: dict[str, Any] = await until(there, f"no {kind}")
        return found

    def gate(self) -> Path:
        """Give a file that is not there yet."""
        return self.folder / f"gate-{os.urandom(4).hex()}"

    def scratches(self) -> list[Path]:
        """Give the folders of runs that are there."""
        return [path for path in self.folder.glob("runs/*/*") if path.is_dir()]

    def processes(self) -> list[int]:
        """Give the processes of runs that live, with those that hide their environment."""
        for note in self.folder.glob("runs/*/*.json"):
            with suppress(OSError, ValueError):
                self.tokens.add(Claim.model_validate_json(note.read_bytes()).token)
        seeds = {pid for token in self.tokens for pid in processes_of(f"{rules.MARK}={token}")}
        living = processes.living()
        sessions = {each.session for each in living if each.pid in seeds}
        return [each.pid for each in living if each.session in sessions]

    @asynccontextmanager
    async def working(
        self, limits: Limits = QUICK, ask: Ask | None = None, **more: Any
    ) -> AsyncIterator[RunWorker]:
        """Work, with a database of its own, until the context is left."""
        urls = more.pop("urls")
        settings: RunsSettings = self.runs.resources[RunsSettings]
        settings = settings.model_copy(update=more)
        database = await Database.connect(urls.url("runs"), size=6)
        try:
            jobs = Jobs(database, settings, Vault(settings.key_for_secrets()))
            place = Place(STAND_IN, self.folder / "runs", ROOT)
            store = self.runs.resources[Store]
            compare = comparing(database, store, self.runs.resources[Comparer])
            answering = partial(Answers, ask=ask, compare=compare)
            explainer = Explainer(
                self.runs.resources[Fetcher], jobs.values, of_environment(settings), late_s=0.0
            )
            async with RunWorker(
                database, jobs, store, answering, place, limits, explainer
            ) as worker:
                yield worker
        finally:
            await database.close()


async def none_left(works: Works) -> None:
    """Wait until no process of a run lives, and no folder of one is there."""

    async def clean() -> bool:
        return not works.processes() and not works.scratches()

    await until(clean, "something is left")


def limits(**values: Any) -> Limits:
    """Quick limits, some of them otherwise."""
    return replace(QUICK, **values)


async def together(*work: Any) -> list[Any]:
    """Do things at once."""
    return list(await asyncio.gather(*work))
