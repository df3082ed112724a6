"""Executing a suite on this machine: the engine's process, and nothing else of a server.

What a worker does for it is done here: it is told its job, held on a leash, heard, answered, and
ended with all that it started, whatever happens.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from guildhall.failures import Failure
from guildhall.runs.answering import Answers
from guildhall.runs.models import Halt, Keeper, Outcome, SuiteFile, Tell, Wishes
from guildhall.runs.settings import AloneSettings
from services.runs.artifacts.operations import pieces_beneath
from services.runs.engine.browser import programs
from services.runs.engine.evidence.models import Report, Summary
from services.runs.engine.grammar import allowed_environment_name, environment_names
from services.runs.engine.host.models import (
    Asked,
    BrowserWish,
    Cancel,
    End,
    FromRun,
    Job,
    Leash,
    Reported,
    Said,
    Secrets,
    Stored,
    Targets,
)
from services.runs.workers.models import Claim, Place
from services.runs.workers.operations import PROGRAM, ROOT
from services.runs.workers.operations.child import Child, Garbled, Hung
from shared.bus.tasks import cancel
from shared.errors import NotFound
from shared.ids import new_id

LEASH: Final = 15.0
"""Seconds for which the run's process may act without hearing of us."""

RENEWAL: Final = 3.0
FIRST_LINE: Final = 60.0
SILENCE: Final = 15.0
CANCELLING: Final = 8.0
"""Seconds that a run gets to end when somebody wants it to."""

LATE: Final = 60.0
"""Seconds after a run's own time, before it is ended."""

CRASHED: Final = "The run's process ended without a word."
HUNG: Final = "The run's process gave no sign of life."
GARBLED: Final = "The run's process said what cannot be understood."
UNSTARTED: Final = "The run's process could not be started."
TOO_LONG: Final = "The run took longer than it may."
CANCELLED: Final = "The run was cancelled."


@dataclass(frozen=True, slots=True)
class Alone:
    """Executes suites here; a ``Runner``.

    Attributes:
        settings: of this machine.
        wishes: of the caller.
        answering: makes, for one run, what answers its questions.
        halt: whether everything is to end.
        program: what is started for a run.
    """

    settings: AloneSettings
    wishes: Wishes
    answering: Callable[[Keeper], Answers]
    halt: Halt
    program: tuple[str, ...] = PROGRAM

    def check(self) -> None:
        """See that there is a browser.

        Raises:
            Failure: there is none; it says how to get one.
        """
        missing = programs.missing(self.settings.chromium, os.environ)
        if missing is not None and not self.settings.browser_endpoint:
            raise Failure(f"{missing} {programs.ADVICE}")

    async def run(self, suite: SuiteFile, tell: Tell, keeper: Keeper) -> Outcome:
        """See ``Runner``."""
        run_id = new_id("run_")
        # A short path: the browser's sockets lie below it, and their names have little room.
        with TemporaryDirectory(prefix="gh-", ignore_cleanup_errors=True) as name:
            return await _Execution(self, suite, run_id, Path(name), tell, keeper).run()


class _Execution:
    """One run."""

    def __init__(
        self,
        alone: Alone,
        suite: SuiteFile,
        run_id: str,
        scratch: Path,
        tell: Tell,
        keeper: Keeper,
    ) -> None:
        self._alone = alone
        self._suite = suite
        self._run_id = run_id
        self._scratch = scratch
        self._tell = tell
        self._keeper = keeper
        self._answers = alone.answering(keeper)
        self._report: Mapping[str, Any] | None = None
        self._masked: tuple[str, ...] | None = None
        self._beside: set[asyncio.Task[None]] = set()

    async def run(self) -> Outcome:
        """Execute it, and say how it ended."""
        token = secrets.token_urlsafe(24)
        claim = Claim(org_id="", run_id=self._run_id, worker="", fence=0, token=token)
        try:
            place = Place(self._alone.program, self._scratch, ROOT)
            child = await Child.start(place, self._scratch, claim)
        except OSError:
            return self._cut_short("interrupted", UNSTARTED)
        end: End | None = None
        reason = CRASHED
        hearing = asyncio.create_task(self._hear(child), name="run reader")
        for work in (self._hold(child), self._heed(child, hearing)):
            self._beside.add(asyncio.create_task(work, name="beside a run"))
        try:
            async with asyncio.timeout(self._alone.settings.run_seconds + LATE):
                end = await hearing
        except Hung:
            reason = HUNG
        except Garbled:
            reason = GARBLED
        except TimeoutError:
            reason = TOO_LONG
        except OSError:
            reason = CRASHED
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            reason = CANCELLED
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            await cancel(*self._beside)
            await child.end(leaves=end is not None)
        if end is not None:
            return self._ended(end)
        status = "cancelled" if self._alone.halt.asked.is_set() else "interrupted"
        return self._cut_short(status, reason)

    async def _hear(self, child: Child) -> End | None:
        await child.say(self._job())
        async for line in child.lines(FIRST_LINE, SILENCE):
            if isinstance(line, End):
                return line
            await self._take(child, line)
        return None

    async def _take(self, child: Child, line: FromRun) -> None:
        match line:
            case Said(event=event):
                self._tell(event)
            case Reported(report=report):
                self._report = report
            case Secrets(values=values):
                self._masked = values
            case Stored(path=path, source=source):
                await self._store(path, source)
            case Asked():
                task = asyncio.create_task(self._answer(child, line), name="answer")
                self._beside.add(task)
                task.add_done_callback(self._beside.discard)
            case _:
                pass  # a sign of life, or lessons, for which there is no place here

    async def _store(self, path: str, source: str) -> None:
        try:
            await self._keeper.put(path, pieces_beneath(self._scratch, source))
        except (NotFound, OSError, ValueError):
            self._tell({"kind": "log", "message": f"{path} could not be kept."})

    async def _answer(self, child: Child, asked: Asked) -> None:
        answer = await self._answers.answer(asked, self._scratch)
        with suppress(Hung, OSError):
            await child.say(answer)

    async def _hold(self, child: Child) -> None:
        """Lengthen the leash for as long as we live."""
        with suppress(Hung, OSError):
            while True:
                await asyncio.sleep(RENEWAL)
                await child.say(Leash(until=time.monotonic() + LEASH))

    async def _heed(self, child: Child, hearing: asyncio.Task[End | None]) -> None:
        """End the run when somebody wants it to."""
        await self._alone.halt.asked.wait()
        with suppress(Hung, OSError):
            await child.say(Cancel())
        await asyncio.sleep(CANCELLING)
        hearing.cancel()

    def _job(self) -> Job:
        settings, wishes, suite = self._alone.settings, self._alone.wishes, self._suite
        targets = settings.targets()
        return Job(
            run_id=self._run_id,
            file=suite.file,
            text=suite.text,
            cases=suite.cases,
            environment=environment_of(suite, os.environ),
            git_sha=wishes.git_sha,
            ci_url=wishes.ci_url,
            keeps=False,
            browser=BrowserWish(
                executable=settings.chromium,
                endpoint=settings.browser_endpoint,
                sandbox=settings.browser_sandbox,
                headed=wishes.is_headed or not settings.headless,
            ),
            targets=Targets(
                allow_private=targets.allow_private,
                allow=settings.url_allow,
                deny=settings.url_deny,
            ),
            has_model=self._answers.has_model,
            scratch=str(self._scratch),
            seconds=settings.run_seconds,
            leash=time.monotonic() + LEASH,
        )

    def _ended(self, end: End) -> Outcome:
        cases = [case for case in end.report.get("cases") or () if isinstance(case, Mapping)]
        reasons = [str(case.get("reason") or "") for case in cases]
        if reasons and all(reason.startswith("browser_missing") for reason in reasons):
            raise Failure(f"{end.reason or 'The browser could not be started.'} {programs.ADVICE}")
        return Outcome(self._suite, end.status, end.report, end.reason, self._masked)

    def _cut_short(self, status: str, reason: str) -> Outcome:
        return Outcome(
            self._suite, status, cut_short(self._suite, self._run_id, status, self._report), reason
        )


def environment_of(suite: SuiteFile, given: Mapping[str, str]) -> dict[str, str]:
    """Give those variables of the caller that a suite names, and may have (section 4.1)."""
    names = environment_names(suite.suite)
    return {name: given[name] for name in names if name in given and allowed_environment_name(name)}


def cut_short(
    suite: SuiteFile, run_id: str, status: str, partial: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Give the report of a run that was cut short, from what was said of it until then."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if partial is not None:
        return {**partial, "status": status, "finished_at": now}
    number = len(suite.suite.cases if suite.cases is None else suite.cases)
    name, suite_id = suite.suite.name, suite.suite.id
    return Report(
        run_id, name, suite_id, suite.file, status, None, now, summary=Summary(total=number)
    ).as_json()
