"""What a person does in a page, told by a script of ours in a world of its own.

The page can neither hear nor forge what is told: the binding is in that world alone, and only
events that the browser itself made count.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from playwright.async_api import CDPSession, Error, Frame, Page

from services.runs.engine.recording.models import MOST

_SCRIPT: Final = (Path(__file__).parent / "page" / "capture.js").read_text("utf-8")
_KINDS: Final = ("click", "dblclick", "fill", "select", "check", "uncheck", "press")
_LONGEST: Final = 20_000
_LIMIT: Final = 5.0


class Capture:
    """The acts of one recording, as contract 3.9 has them.

    Args:
        bell: called when there is a new one, with whether a person did it; pages move on their own.
    """

    def __init__(self, bell: Callable[[bool], None]) -> None:
        self.actions: list[dict[str, Any]] = []
        self._bell = bell
        self._binding = f"g{secrets.token_hex(8)}"
        self._last: tuple[int, int] | None = None
        self._sessions = 0
        self._pages: set[Page] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def follow(self, page: Page) -> CDPSession:
        """Hear of what is done in a tab; give its debug session.

        Raises:
            playwright.async_api.Error: the tab went away.
        """
        session = await self._hear(page)
        if page not in self._pages:
            self._pages.add(page)
            page.on("framenavigated", self._on_navigated)
        return session

    def add(self, action: dict[str, Any], *, is_persons: bool = True) -> None:
        """Note an act, up to as many as a recording may have.

        Of addresses at which a page arrives one after the other the last counts, so that one that
        loads itself again for hours takes no room.
        """
        last = self.actions[-1]["type"] if self.actions else ""
        if action["type"] == last == "navigate":
            self.actions[-1] = action
        elif len(self.actions) < MOST:
            self.actions.append(action)
        self._last = None
        self._bell(is_persons)

    async def close(self) -> None:
        """Let go of what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hear(self, target: Page | Frame) -> CDPSession:
        page = target if isinstance(target, Page) else target.page
        session = await page.context.new_cdp_session(target)
        self._sessions += 1
        number = self._sessions
        session.on("Runtime.bindingCalled", lambda event: self._on_said(number, event))
        world = f"capture{self._binding}"
        code = f"({_SCRIPT})({json.dumps(self._binding)})"
        script = {"source": code, "worldName": world, "runImmediately": True}
        binding = {"name": self._binding, "executionContextName": world}
        async with asyncio.timeout(_LIMIT):
            await asyncio.gather(
                session.send("Page.enable"),
                session.send("Runtime.enable"),
                session.send("Runtime.addBinding", binding),
                session.send("Page.addScriptToEvaluateOnNewDocument", script),
            )
        return session

    def _on_navigated(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            if frame.url.startswith(("http://", "https://")):
                self.add({"type": "navigate", "url": frame.url[:2000]}, is_persons=False)
            return
        if frame.url.startswith("http"):
            task = asyncio.get_running_loop().create_task(self._hear_frame(frame))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _hear_frame(self, frame: Frame) -> None:
        with suppress(Error, TimeoutError):  # it is part of its tab, which is heard
            await self._hear(frame)

    def _on_said(self, session: int, event: Mapping[str, Any]) -> None:
        payload = str(event.get("payload", ""))
        if event.get("name") != self._binding or len(payload) > _LONGEST:
            return
        try:
            said = json.loads(payload)
            kind, element = str(said["k"]), (session, int(said.get("i", 0)))
        except (ValueError, KeyError, TypeError):
            return
        if kind not in _KINDS:
            return
        action: dict[str, Any] = {"type": kind}
        for key in ("name", "role", "value"):
            if said.get(key):
                action[key] = str(said[key])
        if said.get("secret") is True:
            action.pop("value", None)
            action["secret"] = True
        if kind == "fill" and self._last == element and self.actions:
            self.actions[-1] = action
            self._bell(True)
            return
        self.add(action)
        self._last = element if kind == "fill" else None
