"""Executing one run: hearing its process, writing down what it says, and ending it.

Two tasks share the work: one hears, the other writes what was heard within a tenth of a second, in
one statement. What happens to a run from outside (cancelled, lost, interrupted) ends the hearing.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from services.runs.artifacts.operations import pieces_beneath
from services.runs.causes.operations import Explainer
from services.runs.engine.host.models import (
    Asked,
    Cancel,
    End,
    FromRun,
    Kept,
    Leash,
    Line,
    Reported,
    Said,
    Secrets,
    Stored,
)
from services.runs.runs import operations as runs
from services.runs.runs.models import Finished, Held, Order, RunRow, Status
from services.runs.workers import rules
from services.runs.workers.models import Claim, Keeper, Limits, Place
from services.runs.workers.operations import artifacts, processes, scratch
from services.runs.workers.operations.answering import Answers
from services.runs.workers.operations.causes import Causes
from services.runs.workers.operations.child import Child, Garbled, Hung
from services.runs.workers.operations.jobs import Jobs
from services.runs.workers.operations.recording import Grip, Recorder
from shared.bus.tasks import cancel
from shared.db import Database
from shared.errors import ServiceError
from shared.log import get_logger

MOST_KEPT: Final = 2000
"""Cases whose lessons are kept until the end of a run."""

STORING: Final = 30.0
"""Seconds for one file."""

LATE: Final = 60.0
"""Seconds after a run's own time, before its worker ends it."""

NO_SUITE: Final = "The suite's text is gone."
CRASHED: Final = "The run's process ended without a word."
HUNG: Final = "The run's process gave no sign of life."
GARBLED: Final = "The run's process said what cannot be understood."
TOO_LONG: Final = "The run took longer than it may."
STOPPED: Final = "The worker was stopped."
UNSTARTED: Final = "The run's process could not be started."
FAULT: Final = "The worker failed."

log = get_logger()


class Execution:
    """One run in hand.

    Args:
        order: the run.
        until: when its lease has ended for certain, by the loop's clock.
        database: the service's.
        jobs: makes its job.
        keeper: where its files are kept.
        answers: answers what its process asks.
        place: where and how its process is started.
        limits: of this worker.
        explainer: finds out why cases did not pass.
        ended: what else happens when the run ends.
    """

    def __init__(
        self,
        order: Order,
        until: float,
        database: Database,
        jobs: Jobs,
        keeper: Keeper,
        answers: Answers,
        place: Place,
        limits: Limits,
        explainer: Explainer,
        ended: runs.Endings = runs.NOTHING_ELSE,
    ) -> None:
        self._grip = Grip(order.held, until)
        self._order = order
        self._database = database
        self._jobs = jobs
        self._keeper = keeper
        self._answers = answers
        self._place = place
        self._limits = limits
        self._causes = Causes(explainer)
        self._ended = ended
        self._child: Child | None = None
        self._token = secrets.token_urlsafe(24)
        self._recorder = Recorder(database, self._grip, order.run.seq)
        self._kept: list[Kept] = []
        self._pictures: dict[str, str] = {}
        self._is_cancelling = self._is_over = False
        self._stop_reason: str | None = None
        self._hearing: asyncio.Task[Finished] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._log = log.bind(run_id=order.run.id, org_id=order.run.org_id)

    @property
    def held(self) -> Held:
        """The claim."""
        return self._grip.held

    @property
    def until(self) -> float:
        """When its lease has ended for certain, by the loop's clock."""
        return self._grip.until

    # What happens to it from outside.

    def extend(self, until: float) -> None:
        """See ``InHand``."""
        self._grip.until = until
        if self._child is not None:
            # Beside, because a process that does not read must not hold up other runs.
            self._spawn(self._tell(Leash(until=_by_the_machine(until))))

    def cancel(self) -> None:
        """See ``InHand``."""
        if not self._is_cancelling:
            self._is_cancelling = True
            self._log.info("run is to end")
            self._spawn(self._cancel())

    def lose(self) -> None:
        """See ``InHand``."""
        if not self._grip.is_lost and not self._is_over:
            self._grip.is_lost = True
            self._log.warning("run lost")
            self._end_hearing()

    def interrupt(self, reason: str) -> None:
        """End it now, and say why."""
        self._stop_reason = self._stop_reason or reason
        self._end_hearing()

    def _end_hearing(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
        self._causes.end()

    async def _cancel(self) -> None:
        await self._tell(Cancel())
        await asyncio.sleep(self._limits.cancel_s)
        self._end_hearing()

    async def _tell(self, line: Line) -> None:
        child = self._child
        if child is not None:
            try:
                await child.say(line)
            except Hung:
                self._end_hearing()
            except OSError:
                pass  # it has left; what it said before is still to be heard

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name="beside a run")
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    # From its beginning to its end.

    async def run(self, folders: scratch.Folders) -> Status | None:
        """Execute it; give how it ended, None if it was lost."""
        async with folders.of_run() as (folder, write):
            try:
                finished = await self._execute(folder, write)
                if self._grip.is_lost or finished is None:
                    return None
                return await self._finish(finished, folder)
            except runs.LeaseLost:
                self._log.warning("run lost")
                return None
            finally:
                await cancel(*self._beside)
                await self._answers.close()

    async def _execute(self, folder: Path, write: Callable[[Claim], None]) -> Finished | None:
        """Let its process do it, and write down what it says meanwhile."""
        if self._order.text is None:
            return Finished(Status.BROKEN, reason=NO_SUITE)
        leaves, writer = False, asyncio.create_task(self._recorder.write(), name="run writer")
        self._hearing = asyncio.create_task(
            self._hear(self._order.text, folder, write), name="run reader"
        )
        if self._grip.is_lost or self._stop_reason:
            self._hearing.cancel()
        writer.add_done_callback(lambda _: self._end_hearing())
        try:
            await asyncio.wait([self._hearing], timeout=self._limits.run_s + LATE)
            if not self._hearing.done():
                self.interrupt(TOO_LONG)
                await asyncio.wait([self._hearing])
            finished = self._outcome(self._hearing)
            leaves = not self._hearing.cancelled() and finished.status is not Status.INTERRUPTED
        finally:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
            await self._end_child(leaves=leaves)
            await cancel(*self._beside)
            await cancel(writer)
        if self._grip.is_lost or _lost(writer):
            return None
        if not self._stop_reason:
            attempt, ask = self._order.run.attempt, self._answers.ask
            finished, remarks = await self._causes.explain(self.held, attempt, finished, ask)
            for remark in remarks:
                await self._recorder.note(_log_event(remark))
        await self._recorder.flush()
        return finished

    async def _end_child(self, *, leaves: bool) -> None:
        if self._child is not None:
            await self._child.end(leaves=leaves)
        else:
            # It may have been started just when it was not wanted any more.
            await processes.end_all(self._token, 0, 0)

    def _outcome(self, hearing: asyncio.Task[Finished]) -> Finished:
        """Tell how it ended, from what its process said last or did not say."""
        interrupted = partial(self._interrupted, Status.INTERRUPTED)
        if self._is_cancelling:
            interrupted = partial(self._interrupted, Status.CANCELLED)
        if hearing.cancelled():
            return interrupted(self._stop_reason or HUNG)
        match hearing.exception():
            case None:
                return hearing.result()
            case Hung():
                return interrupted(HUNG)
            case Garbled():
                return interrupted(GARBLED)
            case OSError():
                return interrupted(UNSTARTED)
            case ServiceError():
                return interrupted(FAULT)
            case error:
                self._log.error("run failed", exc_info=error)
                return interrupted(FAULT)

    def _interrupted(self, status: Status, reason: str) -> Finished:
        return Finished(status, self._recorder.report, tuple(self._kept), reason)

    async def _hear(self, text: str, folder: Path, write: Callable[[Claim], None]) -> Finished:
        held = self.held
        claim = Claim(
            org_id=held.org_id,
            run_id=held.run_id,
            worker=held.worker,
            fence=held.fence,
            token=self._token,
        )
        # Before there is a process: whoever finds it knows the token of all that may live.
        write(claim)
        await self._grip.insist(self._answers.prepare)
        job = await self._grip.insist(lambda: self._jobs.job(self._order, text, folder, 0.0))
        self._child = await Child.start(self._place, folder, claim)
        write(self._child.claim)
        leash = _by_the_machine(self.until)
        await self._child.say(
            job.model_copy(update={"leash": leash, "has_model": self._answers.has_model})
        )
        if self._is_cancelling:
            await self._child.say(Cancel())
        async for line in self._child.lines(self._limits.start_s, self._limits.silence_s):
            if isinstance(line, End):
                return Finished(Status(line.status), line.report, tuple(self._kept), line.reason)
            await self._take(line, folder)
        return self._interrupted(
            Status.CANCELLED if self._is_cancelling else Status.INTERRUPTED, CRASHED
        )

    async def _take(self, line: FromRun, folder: Path) -> None:
        match line:
            case Said(event=event):
                await self._recorder.note(event)
            case Reported(report=report):
                self._recorder.replace(report)
            case Stored(path=path, source=source):
                await self._store(path, source, folder)
            case Secrets(values=values):
                self._causes.masked = values
            case Kept() if len(self._kept) < MOST_KEPT:
                self._kept.append(line)
            case Asked():
                self._spawn(self._answer(line, folder))
            case _:
                pass  # a sign of life

    async def _store(self, path: str, source: str, folder: Path) -> None:
        """Keep a file; a run goes on without it."""
        held = self.held
        try:
            async with asyncio.timeout(STORING):
                pieces = pieces_beneath(folder, source)
                await self._keeper.put(held.org_id, held.run_id, path, pieces)
        except (ServiceError, TimeoutError, OSError, ValueError) as error:
            self._log.warning("file not kept", reason=type(error).__name__)
            await self._recorder.note(_log_event(f"{path} could not be kept."))
            return
        if rules.is_picture(path):
            self._pictures[path] = source

    async def _answer(self, asked: Asked, folder: Path) -> None:
        await self._tell(await self._answers.answer(asked, folder))

    # Its end.

    async def _finish(self, finished: Finished, folder: Path) -> Status:
        """End it in the database, and keep its report as files before and, if changed, after."""
        pictures = artifacts.Pictures(folder, self._pictures)
        if finished.report is not None and finished.status is not Status.INTERRUPTED:
            await artifacts.keep(self._keeper, self.held, finished.report, pictures)
        org_id = self.held.org_id
        installed = await self._grip.insist(lambda: self._jobs.installed(org_id))
        run, report = await self._grip.insist(
            lambda: runs.finish(
                self._database,
                self.held,
                finished,
                installed,
                requeues=self._limits.requeues,
                ended=self._ended,
            )
        )
        self._is_over = True
        if report is not None and report != finished.report:
            await artifacts.keep(self._keeper, self.held, report, pictures)
            # Trackers may have answered meanwhile.
            put, run_id = self._keeper.put, self.held.run_id
            await runs.keep_report(self._database, put, org_id, run_id, report)
        self._log.info("run ended", status=run.status, attempt=run.attempt)
        return _status(run)


def _status(run: RunRow) -> Status:
    return run.status


def _lost(writer: asyncio.Task[None]) -> bool:
    """Tell whether writing down ended because the run is somebody else's."""
    if writer.cancelled() or not writer.done():
        return False
    error = writer.exception()
    if error is not None and not isinstance(error, runs.LeaseLost):
        log.error("writing down failed", exc_info=error)
    return True


def _log_event(message: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return {"ts": now, "kind": "log", "message": message}


def _by_the_machine(until: float) -> float:
    """Give a time of this loop's clock by the one that all processes of the machine share."""
    return time.monotonic() + until - asyncio.get_running_loop().time()
