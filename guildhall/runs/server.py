"""A server's surface as the command line speaks to it: bounded, and patient with restarts."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from guildhall.failures import Failure
from guildhall.runs.words import is_web_address

BASE: Final = "/api/v1"
PATIENCE: Final = 60.0
"""Seconds for which a server may be away before its run is given up."""

SILENCE: Final = 45.0
"""Seconds without a word on a stream, on which there is one every 15."""

LARGEST: Final = 64 * 1_048_576
"""Bytes of one answer, and of one artifact."""

LONGEST_LINE: Final = 16 * 1_048_576
LONGEST_PAUSE: Final = 10.0
_AWAY: Final = frozenset({429, 502, 503, 504})


class Lost(Exception):
    """The server was away for too long; the text says how, for people."""


class Refused(Failure):
    """The server answered that it will not; ``status`` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class Server:
    """One server, and who we are to it. Open it with ``opened``."""

    def __init__(self, client: httpx.AsyncClient, patience: float = PATIENCE) -> None:
        self._client = client
        self._patience = patience

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, url: str, token: str, patience: float = PATIENCE
    ) -> AsyncIterator[Server]:
        """Open it until the context is left.

        Args:
            url: its public address, with or without ``/api/v1``.
            token: an API key ``tw_…`` or an access token.
            patience: seconds for which it may be away.

        Raises:
            Failure: the address or the token is none.
        """
        if not is_web_address(url) or not url.isascii():
            raise Failure("--server must be http:// or https:// and a host")
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise Failure("--server must not hold a password: give --token, or GUILDHALL_TOKEN")
        if not token:
            raise Failure("--server needs a token: give GUILDHALL_TOKEN, or --token")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise Failure("The token must be one word of ASCII")
        async with httpx.AsyncClient(
            base_url=url.rstrip("/").removesuffix(BASE) + BASE,
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30, read=SILENCE),
        ) as client:
            yield cls(client, patience)

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask for JSON; what may be repeated is repeated while the server is away.

        Raises:
            Refused: with the server's own words.
            Lost: it was away for too long.
        """
        answer = await self._insist(method, path, body, headers)
        try:
            return json.loads(answer)
        except ValueError:
            raise Refused(200, "The server's answer cannot be understood: is it Guildhall?") from (
                None
            )

    async def fetch(self, path: str) -> bytes:
        """Fetch a file.

        Raises:
            Refused: there is none.
            Lost: the server was away for too long.
        """
        return await self._insist("GET", path, None, None)

    async def _insist(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> bytes:
        tries = _Tries(self._patience)
        while True:
            try:
                async with self._client.stream(method, path, json=body, headers=headers) as answer:
                    content = await _read(answer)
                if answer.status_code in _AWAY:
                    await tries.again(f"it answers {answer.status_code}", _pause_of(answer))
                    continue
            except httpx.TransportError as error:
                await tries.again(type(error).__name__)
                continue
            if not answer.is_success:
                raise _refusal(answer.status_code, content)
            return content

    async def events(self, run_id: str) -> AsyncIterator[Mapping[str, Any]]:
        """Give the events of a run as they come, each once and in order, until ``done``.

        Raises:
            Refused: the server will not tell.
            Lost: it was away for too long.
        """
        tries, seen = _Tries(self._patience), 0
        while True:
            headers = {"accept": "text/event-stream"}
            if seen:
                headers["last-event-id"] = str(seen)
            try:
                async with self._client.stream(
                    "GET", f"/runs/{run_id}/events", headers=headers
                ) as answer:
                    if answer.status_code == 204:
                        return  # we have seen the last one
                    if answer.status_code in _AWAY:
                        await tries.again(f"it answers {answer.status_code}", _pause_of(answer))
                        continue
                    if not answer.is_success:
                        raise _refusal(answer.status_code, await _read(answer))
                    async for event in _events(answer):
                        tries.succeeded()
                        number = event.get("seq")
                        if not isinstance(number, int) or number <= seen:
                            continue
                        seen = number
                        yield event
                        if event.get("kind") == "done":
                            return
                await tries.again("its stream ended")
            except httpx.TransportError as error:
                await tries.again(type(error).__name__)


class _Tries:
    """Trying again, with growing pauses, until patience ends."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.succeeded()

    def succeeded(self) -> None:
        """Begin anew."""
        self._until = asyncio.get_running_loop().time() + self._patience
        self._pause = 0.25

    async def again(self, reason: str, pause: float = 0.0) -> None:
        """Wait before the next try.

        Raises:
            Lost: there was one too many.
        """
        # Not everybody who lost a server at once comes back at once.
        pause = max(pause, self._pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        if asyncio.get_running_loop().time() + pause > self._until:
            raise Lost(f"The server cannot be reached ({reason}).")
        await asyncio.sleep(pause)
        self._pause = min(LONGEST_PAUSE, self._pause * 2)


async def _events(answer: httpx.Response) -> AsyncIterator[Mapping[str, Any]]:
    """Read server-sent events; ours hold their whole content in one line of JSON."""
    rest = b""
    async for piece in answer.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise httpx.ReadError("a line is too long")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            try:
                event = json.loads(line[5:])
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


async def _read(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for piece in answer.aiter_bytes():
        content += piece
        if len(content) > LARGEST:
            raise Refused(answer.status_code, "The server's answer is too large.")
    return bytes(content)


def _pause_of(answer: httpx.Response) -> float:
    said = answer.headers.get("retry-after", "")
    return min(float(said), 3600.0) if said.isascii() and said.isdigit() else 0.0


def _refusal(status: int, content: bytes) -> Refused:
    detail = ""
    try:
        said = json.loads(content)
        detail = str(said.get("detail") or "") if isinstance(said, dict) else ""
    except ValueError:
        pass
    if status == 401:
        detail = "The server does not take this token: it is unknown, expired or revoked."
    elif 300 <= status < 400:
        detail = "The server sends us elsewhere: give --server the address where it really is."
    return Refused(status, detail or f"The server answers {status}.")
