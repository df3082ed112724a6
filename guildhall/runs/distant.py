"""Having a server run a suite: upload, queue, follow, download."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from guildhall.failures import Failure
from guildhall.runs.alone import cut_short
from guildhall.runs.keeping import is_path
from guildhall.runs.models import Halt, Keeper, Outcome, SuiteFile, Tell, Wishes
from guildhall.runs.server import Lost, Refused, Server
from services.runs.engine.grammar import allowed_environment_name, references
from services.runs.engine.grammar.templates import filled
from services.runs.engine.grammar.variables import is_secret_name
from services.runs.suites.models import file_name
from shared.bus.tasks import cancel

CANCELLING: Final = 20.0
"""Seconds in which a cancelled run is still followed."""

MOST_SHOTS: Final = 500
"""Pictures that are downloaded of one run."""

LOST: Final = "interrupted"
FINAL: Final = frozenset({"passed", "failed", "broken", "cancelled", "interrupted"})


@dataclass(frozen=True, slots=True)
class Distant:
    """Executes suites on a server; a ``Runner``.

    Attributes:
        server: which.
        wishes: of the caller.
        environment: the caller's, of which suites may take what they name in ``env``.
        halt: whether everything is to end.
    """

    server: Server
    wishes: Wishes
    environment: Mapping[str, str]
    halt: Halt

    async def check(self, suites: list[SuiteFile]) -> None:
        """See that the server is there and knows us, and that it can tell the suites apart.

        Raises:
            Failure: one of these is not so.
        """
        names: dict[str, SuiteFile] = {}
        for one in suites:
            name = name_of(one)
            if name in names:
                both = f"{names[name].path} and {one.path}"
                raise Failure(f"{both} would be one suite, {name}, on the server")
            names[name] = one
        try:
            await self.server.ask("GET", "/suites?limit=1")
        except Lost as lost:
            raise Failure(str(lost)) from None

    async def run(self, suite: SuiteFile, tell: Tell, keeper: Keeper) -> Outcome:
        """See ``Runner``."""
        run_id, reached = "", ""
        try:
            name = await self._upload(suite)
            run_id = await self._queue(suite, name)
            await self._follow(run_id, tell)
            return await self._ended(suite, run_id, keeper)
        except (Lost, Refused) as error:
            if not run_id and isinstance(error, Refused):
                raise Failure(f"{suite.path}: {error}") from None
            reached = str(error)
        return Outcome(suite, LOST, cut_short(suite, run_id, LOST, None), reached)

    async def _upload(self, suite: SuiteFile) -> str:
        """Keep its text on the server, unless it stands there already."""
        name = name_of(suite)
        path = f"/suites/{quote(name, safe='')}"
        etag = sha256(suite.text.encode()).hexdigest()[:32]
        with suppress(Refused):
            if (await self.server.ask("GET", path)).get("etag", "").strip('"') == etag:
                return name
        await self.server.ask("PUT", path, {"yaml": suite.text})
        return name

    async def _queue(self, suite: SuiteFile, name: str) -> str:
        wishes = self.wishes
        body: dict[str, Any] = {
            "suite": name,
            "cases": None if suite.cases is None else list(suite.cases),
            "file_issues": wishes.file_issues,
            "headed": wishes.is_headed or None,
            "env": variables_of(suite, self.environment) or None,
            "trigger": "ci" if wishes.is_ci else "api",
            "git_sha": wishes.git_sha or None,
            "ci_url": wishes.ci_url or None,
        }
        body = {key: value for key, value in body.items() if value is not None}
        # Asked twice because an answer was lost, it is still one run.
        queued = await self.server.ask("POST", "/runs", body, {"idempotency-key": uuid4().hex})
        run_id = queued.get("run_id") if isinstance(queued, dict) else None
        if not isinstance(run_id, str) or not is_path(run_id):
            raise Refused(200, "The server names no run: is it Guildhall?")
        return run_id

    async def _follow(self, run_id: str, tell: Tell) -> None:
        following = asyncio.create_task(self._tell(run_id, tell), name="events")
        halting = asyncio.create_task(self._cancel(run_id, following), name="cancel")
        try:
            await following
        except asyncio.CancelledError:
            if not self.halt.asked.is_set() or not following.cancelled():
                raise
        finally:
            await cancel(halting, following)

    async def _tell(self, run_id: str, tell: Tell) -> None:
        async for event in self.server.events(run_id):
            tell(event)

    async def _cancel(self, run_id: str, following: asyncio.Task[None]) -> None:
        """Cancel the run when somebody wants everything to end."""
        await self.halt.asked.wait()
        with suppress(Lost, Refused):
            await self.server.ask("POST", f"/runs/{run_id}/cancel", {})
        await asyncio.sleep(CANCELLING)
        following.cancel()

    async def _ended(self, suite: SuiteFile, run_id: str, keeper: Keeper) -> Outcome:
        shown = await self.server.ask("GET", f"/runs/{run_id}?since={10**18}")
        status = str(shown.get("status"))
        report = shown.get("report")
        if status not in FINAL:
            status = "cancelled" if self.halt.asked.is_set() else LOST
            return Outcome(suite, status, cut_short(suite, run_id, status, report))
        if not isinstance(report, dict):
            return Outcome(suite, status, cut_short(suite, run_id, status, None))
        await self._download(run_id, report, keeper)
        return Outcome(suite, status, report)

    async def _download(self, run_id: str, report: Mapping[str, Any], keeper: Keeper) -> None:
        """Fetch pictures; reports are written from what the server says, the newest there is."""
        for path in _pictures(report)[:MOST_SHOTS]:
            with suppress(Refused, ValueError, OSError):
                content = await self.server.fetch(f"/artifacts/{run_id}/{path}")
                await keeper.put(path, content)


def name_of(suite: SuiteFile) -> str:
    """Give the name under which the server keeps a suite.

    Raises:
        Failure: no suite can be called so.
    """
    base = suite.file
    name = file_name(base)
    if name is None:
        name = file_name(base.rpartition(".")[0]) if base.endswith((".yaml", ".yml")) else None
    if name is None:
        raise Failure(
            f"{suite.path}: on a server, names of suites have letters, digits, '.', '_' and '-', "
            "at most 120 characters"
        )
    return name


def variables_of(suite: SuiteFile, given: Mapping[str, str]) -> dict[str, str]:
    """Give the variables of a run: what ``env`` takes from the environment of the caller.

    Whatever a value mixes with a fixture, which only the run knows, is left to the server.
    """
    there = {name: value for name, value in given.items() if allowed_environment_name(name)}
    found: dict[str, str] = {}
    for name, template in suite.suite.env.items():
        names = references(template)
        if not names or not all(one in there and one not in suite.suite.fixtures for one in names):
            continue
        found[name] = filled(template, there.__getitem__)
        for one in names:
            # Beside it under its own name, by which the server knows it for a secret.
            if is_secret_name(one) and one not in suite.suite.env:
                found[one] = there[one]
    return found


def _pictures(report: Mapping[str, Any]) -> list[str]:
    cases = report.get("cases")
    shots = [
        shot
        for case in (cases if isinstance(cases, list) else [])
        if isinstance(case, dict)
        for shot in case.get("shots") or []
    ]
    paths = [str(shot.get("path")) for shot in shots if isinstance(shot, dict)]
    return [path for path in paths if is_path(path)]
