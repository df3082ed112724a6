"""The parent of several workers: starts them, replaces them one for one, and ends them together.

SIGTERM, SIGINT   end all: nothing under way is lost; the second time at once
SIGHUP            replace all, one after the other: each new one accepts before an old one stops
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, Final

from gateway.workers import link
from gateway.workers.worker import Worker, first_of
from shared.log import get_logger

CALM: Final = 10.0
"""Seconds a worker must have lived for its death not to count as one at the start."""

MOST_DEATHS: Final = 5
"""Deaths at the start, in a row, after which the parent gives up."""

FIRST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 8.0

BAD_SETTINGS: Final = 78
"""Exit status of a worker whose settings are wrong (EX_CONFIG): starting again cannot help."""

LAST_MOMENTS: Final = 0.6
"""Seconds beyond the grace of requests in which a worker closes what it has open."""

log = get_logger()


class _Place:
    """Where one worker works: its sockets outlive it."""

    def __init__(self, number: int, sockets: Sequence[socket.socket]) -> None:
        self.number = number
        self.sockets = sockets
        self.worker: Worker | None = None
        self.renew = asyncio.Event()
        self.is_filled = asyncio.Event()


class Parent:
    """Keeps a worker in every place.

    Args:
        places: the bound sockets of each worker.
    """

    def __init__(self, places: Sequence[Sequence[socket.socket]]) -> None:
        self._places = [_Place(number, sockets) for number, sockets in enumerate(places)]
        self._started: set[Worker] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None
        self._status = 0
        self.deaths = 0

    @property
    def workers(self) -> dict[int, Worker]:
        """The workers that accept, by number."""
        filled = ((place.number, place.worker) for place in self._places)
        return {n: worker for n, worker in filled if worker and not worker.has_ended.is_set()}

    @property
    def size(self) -> int:
        """How many workers there should be."""
        return len(self._places)

    async def run(self) -> int:
        """Run until told to stop, or until workers only die.

        Returns:
            The exit status.
        """
        self._listen_to_signals()
        keeping = [
            asyncio.create_task(self._keep(place), name=f"keep worker {place.number}")
            for place in self._places
        ]
        watch = asyncio.create_task(_first_failure(keeping), name="watch")
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        try:
            await asyncio.wait((watch, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(watch, stopping, *keeping, *filter(None, (self._renewing,)))
            await self._stop()
        for task in keeping:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return self._status

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else nohup wants us to stay
            loop.add_signal_handler(signal.SIGHUP, self._told_to_renew)

    def _told_to_stop(self) -> None:
        if self._stopping.is_set():
            for worker in self._started:
                worker.kill()
        self._stopping.set()

    def _told_to_renew(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(), name="renew")

    async def _renew(self) -> None:
        log.info("replacing workers")
        for place in self._places:
            place.is_filled.clear()
            place.renew.set()
            await place.is_filled.wait()

    async def _keep(self, place: _Place) -> None:
        """Fill a place, again whenever its worker ends, leaves, or is to be renewed."""
        deaths, backoff = 0, 0.0
        while True:
            worker = await self._start(place)
            await first_of(worker.is_ready, worker.has_ended)
            if worker.is_ready.is_set():
                self._fill(place, worker)
                await first_of(worker.has_ended, worker.is_leaving, place.renew)
            if not worker.has_ended.is_set():
                deaths, backoff = 0, 0.0
                continue
            self.deaths += 1
            if place.worker is worker:
                place.worker = None
            log.warning("worker ended", worker=place.number, status=worker.status)
            if worker.status == BAD_SETTINGS:
                self._status = BAD_SETTINGS
                return
            deaths = deaths + 1 if time.monotonic() - worker.started < CALM else 1
            if deaths >= MOST_DEATHS:
                log.error("worker does not stay alive", worker=place.number, deaths=deaths)
                self._status = 1
                return
            backoff = 0.0 if deaths == 1 else min(max(FIRST_BACKOFF, backoff * 2), LONGEST_BACKOFF)
            await asyncio.sleep(backoff)

    async def _start(self, place: _Place) -> Worker:
        worker = Worker(place.number)
        await worker.start(place.sockets)
        self._started.add(worker)
        task = asyncio.create_task(self._bury(worker), name=f"bury worker {place.number}")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        return worker

    async def _bury(self, worker: Worker) -> None:
        await worker.has_ended.wait()
        await worker.close()
        self._started.discard(worker)

    def _fill(self, place: _Place, worker: Worker) -> None:
        old, place.worker = place.worker, worker
        place.renew.clear()
        place.is_filled.set()
        log.info("worker ready", worker=place.number, pid=worker.pid)
        if old is not None and not old.has_ended.is_set():
            old.say(link.REPLACED)
            deadline = asyncio.get_running_loop().time() + link.GRACE + LAST_MOMENTS
            task = asyncio.create_task(old.end(deadline), name=f"end worker {place.number}")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _stop(self) -> None:
        log.info("draining", workers=len(self._started))
        for worker in self._started:
            worker.say(link.STOP)
        for place in self._places:
            for one in place.sockets:
                one.close()
        deadline = asyncio.get_running_loop().time() + link.GRACE + LAST_MOMENTS
        await asyncio.gather(*(worker.end(deadline) for worker in tuple(self._started)))
        await asyncio.gather(*self._retiring)


async def _first_failure(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
