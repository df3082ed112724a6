"""Errands, each done by the room of its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic import ValidationError

from services.runs.engine.browser.models import BrowserGone, BrowserMissing, BrowserSettings
from services.runs.engine.crawling import crawl
from services.runs.engine.errands.models import Exchange, Failed
from services.runs.engine.host.models import Errand, Outcome
from services.runs.engine.recording.recorder import record
from services.runs.engine.running.models import Cancelled
from shared.log import get_logger

Doing = Callable[
    [Mapping[str, Any], BrowserSettings, Exchange, float], Awaitable[Mapping[str, Any]]
]
"""Does an errand: its order, the browser, who is at its other side, and its seconds.

It raises ``Failed``; ``Cancelled`` and the browser's own errors may come out of it too.
"""

KINDS: Final[Mapping[str, Doing]] = {"crawl": crawl, "record": record}

STOPPING: Final = 5.0
"""Seconds in which one ends that is cancelled."""

log = get_logger()


async def done(errand: Errand, settings: BrowserSettings, exchange: Exchange) -> Outcome:
    """Do an errand; whatever is wrong with it stands in its outcome."""
    doing = KINDS.get(errand.kind)
    if doing is None:
        return Outcome(reason="This is nothing that a browser does here.", code="failed")
    working = asyncio.ensure_future(doing(errand.order, settings, exchange, errand.seconds))
    cancelled = asyncio.ensure_future(exchange.cancelled())
    try:
        await asyncio.wait(
            {working, cancelled}, timeout=errand.seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if not working.done():
            is_cancelled = cancelled.done()
            working.cancel()
            await asyncio.wait({working}, timeout=STOPPING)
            if is_cancelled:
                return Outcome(reason="The browser was stopped.", code="cancelled")
            return Outcome(reason="The browser was not done in time.", code="timeout")
        return _outcome(working)
    finally:
        for task in (working, cancelled):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(working, cancelled, return_exceptions=True)


def _outcome(working: asyncio.Future[Mapping[str, Any]]) -> Outcome:
    try:
        return Outcome(result=working.result())
    except Failed as failed:
        return Outcome(reason=failed.reason, code=failed.code)
    except Cancelled:
        return Outcome(reason="The browser was stopped.", code="cancelled")
    except BrowserMissing:
        log.exception("no browser")
        return Outcome(reason="There is no browser that starts here.", code="browser_missing")
    except BrowserGone:
        return Outcome(reason="The browser died.", code="browser_gone")
    except ValidationError:
        return Outcome(reason="What was asked for is not understood.", code="failed")
    except Exception:
        # What went wrong may stand in its text together with what was typed.
        log.exception("errand failed")
        return Outcome(reason="The browser could not do it.", code="failed")
