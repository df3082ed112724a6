"""Closed shadow roots, which only the debug protocol shows.

The reader cannot see them, only elements that may hold one. When there are such, the protocol is
asked for the whole document, and each closed root is handed into the reader's world, which
remembers it for as long as the document lives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from playwright.async_api import BrowserContext, CDPSession, Error, Frame, Page

from services.runs.engine.browser import engine

MOST_ROOTS: Final = 200
MOST_NODES: Final = 100_000

_WORLD: Final = "__playwright_utility_world_"
_KEEP: Final = "function() { globalThis.__guildhall?.closed.set(this.host, this); }"


class Clock:
    """Decides when asking is worth it: never more than about a tenth of the time goes into it."""

    def __init__(self) -> None:
        self._next = 0.0

    def is_due(self, suspects: Sequence[tuple[int, int]]) -> bool:
        """Tell whether to ask, given how many custom and plain elements are not explained."""
        return any(custom or plain for custom, plain in suspects) and time.monotonic() >= self._next

    def took(self, seconds: float) -> None:
        """Note how long it took."""
        self._next = time.monotonic() + 10 * seconds


async def hand_over(context: BrowserContext, page: Page, frames: Sequence[Frame]) -> bool:
    """Hand closed roots to the reader; tell whether there were any.

    Raises:
        playwright.async_api.Error: the page went away.
    """
    found = await _hand_over(context, page)
    for frame in frames[1:]:
        with suppress(Error):  # only frames in processes of their own have a session
            found = await _hand_over(context, frame) or found
    asked = (engine.ask(frame, "examined", 2.0) for frame in frames)
    await asyncio.gather(*asked, return_exceptions=True)
    return found


async def _hand_over(context: BrowserContext, target: Page | Frame) -> bool:
    session = await context.new_cdp_session(target)
    try:
        document = await session.send("DOM.getDocument", {"depth": -1, "pierce": True})
        roots = list(_closed(document["root"]))[:MOST_ROOTS]
        if not roots:
            return False
        worlds = await _worlds(session)
        for frame, node in roots:
            world = worlds.get(frame) or (next(iter(worlds.values())) if not frame else None)
            if world is not None:
                await _keep(session, node, world)
        return True
    finally:
        with suppress(Error):
            await session.detach()


def _closed(root: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Give frame and node of each closed root, outer ones before those in them."""
    waiting: list[tuple[str, Mapping[str, Any]]] = [(str(root.get("frameId", "")), root)]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        frame, node = waiting.pop()
        if node.get("shadowRootType") == "closed":
            yield frame, int(node["backendNodeId"])
        inner = node.get("contentDocument")
        if inner:
            waiting.append((str(inner.get("frameId") or node.get("frameId") or ""), inner))
        for child in (*node.get("shadowRoots", ()), *node.get("children", ())):
            if child.get("shadowRootType") != "user-agent":
                waiting.append((frame, child))


async def _worlds(session: CDPSession) -> dict[str, int]:
    """Give the reader's world of each frame."""
    found: dict[str, int] = {}

    def on_created(event: Mapping[str, Any]) -> None:
        context = event["context"]
        if str(context.get("name", "")).startswith(_WORLD):
            found[str(context.get("auxData", {}).get("frameId", ""))] = int(context["id"])

    session.on("Runtime.executionContextCreated", on_created)
    await session.send("Runtime.enable")
    tree = await session.send("Page.getFrameTree")
    await session.send("Runtime.disable")
    top = str(tree["frameTree"]["frame"]["id"])
    if top in found:
        found[""] = found[top]
    return found


async def _keep(session: CDPSession, node: int, world: int) -> None:
    with suppress(Error):
        found = await session.send(
            "DOM.resolveNode", {"backendNodeId": node, "executionContextId": world}
        )
        await session.send(
            "Runtime.callFunctionOn",
            {"objectId": found["object"]["objectId"], "functionDeclaration": _KEEP},
        )
