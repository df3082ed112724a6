"""Doing one errand: hearing its process, passing on what is said both ways, and ending it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from services.runs.engine.host import models as host
from services.runs.errands import operations as errands
from services.runs.errands.models import ErrandLost, HeldErrand, Outcome, Taken
from services.runs.settings import RunsSettings
from services.runs.workers.models import Claim, Limits, Place
from services.runs.workers.operations import processes, scratch
from services.runs.workers.operations.child import Child, Garbled, Hung
from shared.bus.tasks import cancel
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger
from shared.vault import Vault

LATE: Final = 10.0
"""Seconds after an errand's own time, before its worker ends it."""

PAUSE: Final = 0.3
"""Seconds before its end is written down again because the database was away."""

MOST_UNTOLD: Final = 500
"""Words of an errand that wait to be written down, before no more are heard."""

CRASHED: Final = "The browser's process ended without a word."
HUNG: Final = "The browser's process gave no sign of life."
GARBLED: Final = "The browser's process said what cannot be understood."
TOO_LONG: Final = "The browser was not done in time."
UNSTARTED: Final = "The browser's process could not be started."
STOPPED: Final = "The worker was stopped."
FAULT: Final = "The worker failed."

log = get_logger()


class ErrandInHand:
    """One errand in hand.

    Args:
        taken: the errand.
        until: when its lease has ended for certain, by the machine's monotonic clock.
        database: the service's.
        vault: seals what it tells.
        settings: of this process.
        place: where and how its process is started.
        limits: of this worker.
    """

    def __init__(
        self,
        taken: Taken,
        until: float,
        database: Database,
        vault: Vault,
        settings: RunsSettings,
        place: Place,
        limits: Limits,
    ) -> None:
        self.until = until
        self.is_watched = False
        self._taken = taken
        self._database = database
        self._vault = vault
        self._settings = settings
        self._place = place
        self._limits = limits
        self._token = secrets.token_urlsafe(24)
        self._child: Child | None = None
        self._hearing: asyncio.Task[Outcome] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._told: asyncio.Queue[host.Told] = asyncio.Queue(MOST_UNTOLD)
        self._is_lost = self._is_cancelling = False
        self._stop_reason = ""
        self._log = log.bind(errand_id=taken.held.id, org_id=taken.held.org_id, kind=taken.kind)

    @property
    def held(self) -> HeldErrand:
        """The claim."""
        return self._taken.held

    # What happens to it from outside.

    def extend(self, until: float) -> None:
        """The lease goes on until then, by the machine's monotonic clock."""
        self.until = until
        self._spawn(self._say(host.Leash(until=until)))

    def wish(self, content: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
        """Pass on what somebody said to it."""
        return self._say(host.Wish(content=content))

    def cancel(self) -> None:
        """It is to end."""
        if not self._is_cancelling:
            self._is_cancelling = True
            self._spawn(self._cancel())

    def lose(self) -> None:
        """It is not ours any more."""
        if not self._is_lost:
            self._is_lost = True
            self._log.warning("errand lost")
            self._end_hearing()

    def interrupt(self, reason: str) -> None:
        """End it now, and say why."""
        self._stop_reason = self._stop_reason or reason
        self._end_hearing()

    def _end_hearing(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()

    async def _cancel(self) -> None:
        await self._say(host.Cancel())
        await asyncio.sleep(self._limits.cancel_s)
        self._end_hearing()

    async def _say(self, line: host.Line) -> None:
        if self._child is None:
            return
        try:
            await self._child.say(line)
        except Hung:
            self._end_hearing()
        except OSError:
            pass  # it has left; what it said before is still to be heard

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="beside an errand")
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    # From its beginning to its end.

    async def run(self, folders: scratch.Folders) -> None:
        """Do it, and write down what came of it."""
        async with folders.of_run() as (folder, write):
            writing = asyncio.create_task(self._write(), name="errand writer")
            try:
                outcome = await self._do(folder, write)
            finally:
                await self._end_child()
                await cancel(writing, *self._beside)
            await self._finish(outcome)

    async def _do(self, folder: Path, write: Callable[[Claim], None]) -> Outcome:
        self._hearing = asyncio.create_task(self._hear(folder, write), name="errand reader")
        if self._stop_reason:
            self._hearing.cancel()
        try:
            await asyncio.wait([self._hearing], timeout=self._taken.seconds + LATE)
            if not self._hearing.done():
                self.interrupt(TOO_LONG)
                await asyncio.wait([self._hearing])
        finally:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        return self._outcome(self._hearing)

    def _outcome(self, hearing: asyncio.Task[Outcome]) -> Outcome:
        found: Outcome | None = None
        if hearing.cancelled():
            found = Outcome("failed", reason=self._stop_reason or HUNG)
        else:
            match hearing.exception():
                case None:
                    found = hearing.result()
                case Hung():
                    found = Outcome("failed", reason=HUNG)
                case Garbled():
                    found = Outcome("failed", reason=GARBLED)
                case OSError():
                    found = Outcome("failed", reason=UNSTARTED)
                case error:
                    self._log.error("errand failed", exc_info=error)
                    found = Outcome("failed", reason=FAULT)
        if self._is_cancelling and found.status != "done":
            return Outcome("cancelled")
        return found

    async def _hear(self, folder: Path, write: Callable[[Claim], None]) -> Outcome:
        held = self.held
        claim = Claim(
            org_id=held.org_id,
            run_id=held.id,
            worker=held.worker,
            fence=held.fence,
            token=self._token,
        )
        # Before there is a process: whoever finds it knows the token of all that may live.
        write(claim)
        self._child = await Child.start(self._place, folder, claim)
        write(self._child.claim)
        await self._child.say(self._errand(folder))
        if self._is_cancelling:
            await self._child.say(host.Cancel())
        async for line in self._child.lines(self._limits.start_s, self._limits.silence_s):
            match line:
                case host.Told():
                    await self._told.put(line)
                case host.Outcome(result=None, reason=reason, code=code):
                    is_cancelled = code == "cancelled"
                    return Outcome("cancelled" if is_cancelled else "failed", None, reason, code)
                case host.Outcome(result=result):
                    return Outcome("done", result)
                case _:
                    pass  # a sign of life
        return Outcome("failed", reason=CRASHED)

    def _errand(self, folder: Path) -> host.Errand:
        settings, taken = self._settings, self._taken
        return host.Errand(
            errand_id=taken.held.id,
            kind=taken.kind,
            order=taken.order,
            browser=host.BrowserWish(
                executable=settings.chromium,
                endpoint=settings.browser_endpoint,
                sandbox=settings.browser_sandbox,
                headed=bool(taken.order.get("headed", False)),
            ),
            targets=host.Targets(
                allow_private=settings.targets().allow_private,
                allow=settings.url_allow,
                deny=settings.url_deny,
            ),
            scratch=str(folder),
            seconds=taken.seconds,
            leash=self.until,
        )

    async def _write(self) -> None:
        """Write down what it tells: all that is there at once; of a slot the newest alone."""
        while True:
            found = [await self._told.get()]
            while not self._told.empty():
                found.append(self._told.get_nowait())
            newest = {told.slot: place for place, told in enumerate(found) if told.slot}
            kept = [
                (told.slot, to_json(told.content))
                for place, told in enumerate(found)
                if not told.slot or newest[told.slot] == place
            ]
            try:
                await errands.write_told(self._database, self._vault, self.held, kept)
            except Unavailable:
                self._log.info("words of an errand lost", reason="database unavailable")
            except Exception as error:
                self._log.error("words of an errand lost", error=type(error).__name__)

    async def _end_child(self) -> None:
        if self._child is not None:
            await self._child.end(leaves=not self._is_lost and not self._stop_reason)
        else:
            # It may have been started just when it was not wanted any more.
            await processes.end_all(self._token, 0, 0)

    async def _finish(self, outcome: Outcome) -> None:
        while not self._is_lost and time.monotonic() < self.until:
            try:
                async with asyncio.timeout(max(0.1, self.until - time.monotonic())):
                    await errands.finish(self._database, self._vault, self.held, outcome)
            except (Unavailable, TimeoutError):
                await asyncio.sleep(PAUSE)
            except ErrandLost:
                self._log.warning("errand lost")
                return
            else:
                self._log.info("errand ended", status=outcome.status, reason=outcome.reason)
                return
