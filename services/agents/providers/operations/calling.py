"""Calling an agent's tools: each reached only where anybody's addresses may be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.agents.providers.operations.shares import Shares
from services.agents.providers.rules import calls
from services.agents.providers.rules.calls import BadCall
from services.agents.providers.rules.tools import Tool
from shared.fetch import Exchanged, Fetcher, FetchFailed
from shared.log import get_logger

MOST_CALLS: Final = 8
"""Calls of one turn."""

_SLOW: Final = "took too long"
"""How ``FetchFailed`` says so."""

log = get_logger()


@dataclass(frozen=True, slots=True, repr=False)
class Called:
    """What came of a call: text for a model or a person."""

    text: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """Sends the calls of one namespace.

    Attributes:
        fetcher: reaches only what may be reached.
        shares: of all namespaces.
        namespace: whose calls.
    """

    fetcher: Fetcher
    shares: Shares
    namespace: str

    async def send(self, request: calls.ToolRequest, seconds: float) -> Exchanged:
        """Send a call, as soon as the namespace has a place for it.

        Raises:
            FetchFailed: there was no answer in that many seconds, the waiting included.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        try:
            async with self.shares.place(self.namespace, seconds):
                return await self.fetcher.exchange(
                    request.method,
                    request.url,
                    request.headers,
                    request.content,
                    seconds=max(until - clock(), 0.001),
                    most=calls.LARGEST_READ,
                )
        except TimeoutError:
            raise FetchFailed(_SLOW) from None


class Toolbox:
    """The tools of one turn.

    Args:
        tools: those of the agent.
        desk: reaches only what may be reached, and gives each namespace its share.
        turn_id: stands in each call's ``Idempotency-Key`` with the call's number, so that a tool
            can recognize the calls of a turn that is repeated.
    """

    def __init__(self, desk: Desk, tools: Sequence[Tool], turn_id: str) -> None:
        self.tools = tools
        self._by_name = {tool.name: tool for tool in tools}
        self._desk = desk
        self._turn_id = turn_id
        self._calls = 0

    async def call(self, name: str, arguments: str | Mapping[str, Any]) -> Called:
        """Call a tool; whatever goes wrong is told in the text.

        Args:
            name: of the tool.
            arguments: an object, or its JSON.
        """
        tool = self._by_name.get(name)
        if tool is None:
            return Called("not called: there is no such tool", is_error=True)
        if self._calls >= MOST_CALLS:
            return Called(f"not called: one turn has at most {MOST_CALLS} calls", is_error=True)
        self._calls += 1
        try:
            if isinstance(arguments, str):
                arguments = calls.read_arguments(arguments)
            request = calls.request_of(tool, arguments, f"{self._turn_id}-{self._calls}")
        except BadCall as bad:
            return Called(f"not called: {bad}", is_error=True)
        return await self._send(tool, request)

    async def _send(self, tool: Tool, request: calls.ToolRequest) -> Called:
        try:
            answer = await self._desk.send(request, tool.seconds)
        except FetchFailed as failed:
            log.info("tool failed", tool=tool.name, reason=failed.reason)
            # No more than that: else an agent's author could find out what is on our network.
            how = _SLOW if failed.reason == _SLOW else "could not be reached"
            return Called(f"the tool {how}", is_error=True)
        text = calls.shown(
            tool, answer.status, answer.content_type, answer.body, is_whole=answer.is_whole
        )
        return Called(text, is_error=not 200 <= answer.status < 300)
