"""The client of one model service: bounded in time, in size, and in how much it asks at once.

The address is the operator's own, so it may be private; it is never shown, nor is the key.
"""

from __future__ import annotations

import asyncio
import datetime
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from pydantic_core import from_json

from shared.bounded_transport import BoundedTransport
from shared.log import get_logger

LARGEST: Final = 1_048_576
"""Bytes of an answer."""

CONNECT_S: Final = 10.0
"""Seconds until a connection stands; the rest has the whole answer's limit."""

AWAY: Final = "The model service cannot be reached; try again later."
GARBAGE: Final = "The model service's answer cannot be understood."
TOO_LARGE: Final = "The model service's answer is too large."

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
"""Between two requests, where the service does not say how long to wait."""

_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?")

log = get_logger()


class ModelServiceFailed(Exception):
    """There is no answer. ``reason`` is a sentence for people, without addresses and secrets."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, repr=False)
class _Answer:
    """A status, and the body where it is a success."""

    status: int
    retry_after: str = ""
    body: bytes = b""


class Endpoint:
    """One address of a model service. Open it with ``opened``."""

    def __init__(
        self, client: httpx.AsyncClient, name: str, url: str, concurrency: int, retries: int
    ) -> None:
        self._client = client
        self._name = name
        self._url = url
        self._retries = retries
        self._turns = asyncio.Semaphore(concurrency)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        name: str,
        url: str,
        headers: Mapping[str, str],
        trust: ssl.SSLContext,
        *,
        concurrency: int,
        retries: int,
    ) -> AsyncIterator[Endpoint]:
        """Open the client; it closes with the context.

        Args:
            name: of the service, for logs.
            url: of the operation.
            headers: of every request, the key among them.
            trust: certificates.
            concurrency: requests at once; more wait.
            retries: of a request that the service had no time or no health for.
        """
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=concurrency)
        async with httpx.AsyncClient(
            transport=BoundedTransport(trust, limits),
            headers={
                **headers,
                "accept": "application/json",
                "accept-encoding": "identity",
                "content-type": "application/json",
            },
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
        ) as client:
            yield cls(client, name, url, concurrency, retries)

    async def ask(self, content: bytes, deadline: float) -> dict[str, Any]:
        """Post JSON, and give the JSON object that is answered.

        Args:
            content: the body.
            deadline: by the loop's clock; no pause goes beyond. The caller ends what does.

        Raises:
            ModelServiceFailed: there was no such answer, also not when asked again.
        """
        for attempt in range(self._retries + 1):
            answer = await self._once(content)
            if answer is not None and 200 <= answer.status < 300:
                return _object(answer.body)
            status = answer.status if answer is not None else None
            log.info("model service failed", service=self._name, status=status, attempt=attempt)
            if answer is not None and not is_worth_repeating(answer.status):
                break
            if attempt < self._retries:
                retry_after = answer.retry_after if answer is not None else ""
                now = datetime.datetime.now(datetime.UTC)
                pause = pause_before(attempt, retry_after, now)
                if asyncio.get_running_loop().time() + pause >= deadline:
                    break
                await asyncio.sleep(pause)
        raise ModelServiceFailed(AWAY if answer is None else reason_of(answer.status))

    async def _once(self, content: bytes) -> _Answer | None:
        """Ask once; None if no whole answer came."""
        try:
            async with (
                self._turns,
                self._client.stream("POST", self._url, content=content) as response,
            ):
                if not 200 <= response.status_code < 300:
                    return _Answer(response.status_code, response.headers.get("retry-after", ""))
                return _Answer(response.status_code, body=await _body(response))
        except (httpx.TransportError, httpx.InvalidURL) as error:
            log.info("model service away", service=self._name, reason=type(error).__name__)
            return None


async def _body(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ModelServiceFailed(GARBAGE)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST:
            raise ModelServiceFailed(TOO_LARGE)
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise ModelServiceFailed(GARBAGE) from None
    if not isinstance(document, dict):
        raise ModelServiceFailed(GARBAGE)
    return document


def is_worth_repeating(status: int) -> bool:
    """Tell whether the same request may fare better a little later."""
    return status in (408, 429) or status >= 500


def pause_before(attempt: int, retry_after: str, now: datetime.datetime) -> float:
    """Give the seconds to wait before a request is repeated.

    Args:
        attempt: how often it was repeated before.
        retry_after: the header of that name (RFC 9110, section 10.2.3), or empty.
        now: in UTC.
    """
    own = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * (1 << min(attempt, 10)))
    text = retry_after.strip()
    if _SECONDS.fullmatch(text):
        return max(own, float(text))
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return own
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.UTC)
    return max(own, (then - now).total_seconds())


def reason_of(status: int) -> str:
    """Say what a status other than success means, to people."""
    if 300 <= status < 400:
        return "The model service sent us elsewhere, where we do not follow."
    if status in (401, 403):
        return "The model service did not accept our key; an operator must look at its settings."
    if status == 404:
        return "The model service does not know the model."
    if status == 429:
        return "The model service is busy; try again later."
    if status >= 500 or status == 408:
        return "The model service has trouble; try again later."
    return "The model service did not take the question; it may be too long for the model."
