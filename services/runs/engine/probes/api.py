"""The ``api`` check: a request is sent, and its answer's status and JSON are looked at.

Each address, a redirect's too, is one that the target policy permits (contract, sections 15, 16).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from pydantic_core import from_json, to_json

from services.runs.engine.probes.json_path import is_same, look_up, read_path
from shared.fetch import NO_ADDRESS, NOT_ALLOWED, Exchanged, Fetcher, FetchFailed

SECONDS: Final = 15.0
"""For everything, redirects included."""

LARGEST: Final = 1_048_576
"""Bytes of an answer that are looked at."""

MOST_REDIRECTS: Final = 5
LONGEST_OBSERVED: Final = 1_000

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HARMLESS: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
_PORTS: Final = {"http": 80, "https": 443}

_REASONS: Final = {
    "took too long": f"no whole answer came within {SECONDS:.0f} s",
    "name not resolved": "the host's name is not known",
    "compressed": "the answer is compressed, which was not asked for",
}


class _Absent:
    """Stands for a value that nobody gave; null is one."""


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True, repr=False)
class ApiRequest:
    """What is asked and what is expected.

    Attributes:
        url: http or https.
        method: in capitals.
        status: expected; None: any 2xx.
        json_path: of what is looked at; empty: the whole answer.
        equals: what must stand there; ``ABSENT``: anything.
        headers: sent along; credentials among them stay with the first host.
        body: text is sent as it is, anything else as JSON; None: nothing.
    """

    url: str
    method: str = "GET"
    status: int | None = None
    json_path: str = ""
    equals: Any = ABSENT
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True, repr=False)
class ApiJudged:
    """What came of it; ``is_refused``: the policy does not let us ask, so nothing is decided."""

    passed: bool
    observed: str
    is_refused: bool = False


class _Refused(Exception):
    """An address that may not be asked; the message names its host."""


async def call_api(fetcher: Fetcher, request: ApiRequest) -> ApiJudged:
    """Ask, and judge the answer. What cannot be reached is a failure that says why.

    Raises:
        ValueError: ``json_path`` is none.
    """
    path = read_path(request.json_path)
    try:
        answer = await _follow(fetcher, request)
    except _Refused as refused:
        return ApiJudged(False, str(refused), is_refused=True)
    except FetchFailed as failed:
        reason = _REASONS.get(failed.reason, "the target could not be reached")
        return ApiJudged(False, reason)
    if isinstance(answer, str):
        return ApiJudged(False, answer)
    passed, observed = _judge(answer, request, path)
    return ApiJudged(passed, shortened(observed))


def shortened(text: str) -> str:
    """Give at most as many characters as are shown of what was observed."""
    return text if len(text) <= LONGEST_OBSERVED else text[: LONGEST_OBSERVED - 1] + "…"


async def _follow(fetcher: Fetcher, request: ApiRequest) -> Exchanged | str:
    """Give the last answer, or why no redirect further was followed."""
    clock = asyncio.get_running_loop().time
    until = clock() + SECONDS
    content, headers = _content(request)
    for _ in range(MOST_REDIRECTS + 1):
        answer = await _exchange(fetcher, request, headers, content, until - clock())
        if answer.status not in _REDIRECTS or not answer.location:
            return answer
        target = _target(request.url, answer.location)
        is_elsewhere = _origin(target) != _origin(request.url)
        if answer.status == 303 or (answer.status in (301, 302) and request.method == "POST"):
            method = request.method if request.method == "HEAD" else "GET"
            request, content = replace(request, method=method), None
            headers = {name: value for name, value in headers.items() if name != "content-type"}
        elif is_elsewhere and content is not None:
            return f"status {answer.status}: sent on to another host, which is not given the body"
        if is_elsewhere:
            headers = {name: headers[name] for name in headers if name in _HARMLESS}
        request = replace(request, url=target)
    return f"more than {MOST_REDIRECTS} redirects"


async def _exchange(
    fetcher: Fetcher,
    request: ApiRequest,
    headers: Mapping[str, str],
    content: bytes | None,
    seconds: float,
) -> Exchanged:
    try:
        return await fetcher.exchange(
            request.method,
            request.url,
            headers,
            content,
            seconds=max(seconds, 0.001),
            most=LARGEST,
        )
    except FetchFailed as failed:
        if failed.reason in (NOT_ALLOWED, NO_ADDRESS):
            raise _Refused(_host(request.url)) from None
        raise


def _content(request: ApiRequest) -> tuple[bytes | None, dict[str, str]]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.body is None:
        return None, headers
    if isinstance(request.body, str):
        return request.body.encode(errors="replace"), headers
    return to_json(request.body), {"content-type": "application/json"} | headers


def _judge(answer: Exchanged, request: ApiRequest, path: tuple[str | int, ...]) -> tuple[bool, str]:
    status = answer.status
    passed = status == request.status if request.status is not None else 200 <= status < 300
    observed = f"status {status}"
    if not request.json_path and isinstance(request.equals, _Absent):
        return passed, observed
    if not answer.is_whole:
        return False, f"{observed}, and an answer of more than {LARGEST} bytes"
    try:
        document = from_json(answer.body, allow_inf_nan=False)
    except ValueError:
        return False, f"{observed}, and no JSON"
    place = request.json_path or "$"
    is_there, value = look_up(document, path)
    if not is_there:
        return False, f"{observed}, nothing at {place}"
    observed = f"{observed}, {place} is {_shown(value)}"
    return passed and (isinstance(request.equals, _Absent) or is_same(value, request.equals)), (
        observed
    )


def _shown(value: Any) -> str:
    return to_json(value).decode(errors="replace")


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise _Refused(_host(url)) from None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return url, None, None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
