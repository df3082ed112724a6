"""Waiting until an action's consequences are over, and no longer (contract section 5.4)."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from services.runs.engine.browser.models import Mark, Settled
from services.runs.engine.browser.tabs import Tabs
from services.runs.engine.browser.traffic import Traffic
from services.runs.engine.browser.watching import Watching

QUIET: Final = 0.15
"""Seconds without a change of the page, after which it is taken to be done."""


_NEW_TAB: Final = 2.0
"""Seconds within which a window that was asked for becomes a tab; one too many never does."""


def mark(traffic: Traffic, tabs: Tabs, watching: Watching) -> Mark:
    """Remember this moment."""
    return Mark(
        requests=traffic.begun,
        navigations=tabs.navigations,
        notices=watching.noticed,
        console=traffic.said,
        tabs=tabs.opened,
        at=time.monotonic(),
        changes=watching.changes,
        dialogs=tabs.asked,
        windows=watching.windows,
    )


async def settle(
    since: Mark,
    traffic: Traffic,
    tabs: Tabs,
    watching: Watching,
    bell: asyncio.Event,
    deadline: float,
) -> Settled:
    """Wait; whoever calls has made sure that what the action began has been told by now.

    Args:
        since: the moment before the action.
        traffic: of the stage.
        tabs: of the stage.
        watching: of the stage.
        bell: set whenever one of those changes.
        deadline: on the monotonic clock.
    """
    in_time = True
    while True:
        bell.clear()
        now = time.monotonic()
        rest = _rest(since, traffic, tabs, watching, now)
        if rest is not None and rest <= 0:
            break
        if now >= deadline:
            in_time = False
            break
        limit = deadline - now if rest is None else min(rest, deadline - now)
        try:
            async with asyncio.timeout(limit):
                await bell.wait()
        except TimeoutError:
            continue
    new = list(tabs.dialogs)[-(tabs.asked - since.dialogs) :] if tabs.asked > since.dialogs else []
    return Settled(
        navigated=tabs.navigations > since.navigations,
        new_tab=tabs.opened > since.tabs,
        changed=watching.changes > since.changes,
        requests=traffic.begun - since.requests,
        in_time=in_time,
        dialogs=tuple(each.message for each in new),
    )


def _rest(
    since: Mark, traffic: Traffic, tabs: Tabs, watching: Watching, now: float
) -> float | None:
    """Give the seconds of quiet that are missing, or None while something is under way."""
    asked_for = watching.windows - since.windows
    if asked_for > tabs.opened - since.tabs and now - watching.last_window < _NEW_TAB:
        return _NEW_TAB - (now - watching.last_window)
    if watching.loading or traffic.waiting(since.requests):
        return None
    moved = 0.0
    if watching.changes > since.changes:
        moved = watching.last_change
    if traffic.last_end > since.at:
        moved = max(moved, traffic.last_end)
    if not moved:
        return 0.0
    if tabs.navigations > since.navigations and not watching.scripts:
        return 0.0  # a page without scripts does not change by itself
    return moved + QUIET - now
