"""Getting what suites are made of: a site as a browser sees it, or a document."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from services.runs.errands import operations as errands
from services.runs.errands.models import ErrandFailed
from services.runs.generations.models import GenerateRequest, Material
from services.runs.settings import RunsSettings
from shared.bus import Transport
from shared.db import Database
from shared.errors import BadGateway, BadRequest
from shared.fetch import NO_ADDRESS, NOT_ALLOWED, Exchanged, Fetcher, FetchFailed
from shared.vault import Vault

FETCH_SECONDS: Final = 15.0
"""For a document, redirects included."""

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of a document."""

MOST_REDIRECTS: Final = 5

ERRAND_SECONDS: Final = 38.0
"""For a site, waiting for a worker included; with the model's, less than a key is held for."""

CRAWL_SECONDS: Final = 30.0
"""For looking at it; what was seen by then counts."""

MOST_PAGES: Final = 40

REFUSED: Final = (
    "{field} may not be reached: only http and https, and no private network unless "
    "GUILDHALL_URL_ALLOW (or TRIPWIRE_URL_ALLOW) lists its host"
)

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = {
    "accept": "text/html, text/markdown, text/plain, application/json, application/yaml, */*",
    "user-agent": "Guildhall",
}


@dataclass(frozen=True, slots=True)
class Means:
    """With what things are got."""

    database: Database
    transport: Transport
    vault: Vault
    fetcher: Fetcher
    settings: RunsSettings


def failed(why: str) -> BadGateway:
    """Make the error of section 2.1 for a generation that came to nothing."""
    return BadGateway(f"No suite could be made: {why}", code="generation_error")


async def material(means: Means, org_id: str, request: GenerateRequest) -> Material:
    """Get what cases are made of.

    Raises:
        BadRequest: ``url_not_allowed``: an address may not be reached.
        BadGateway: ``generation_error``: what was asked for could not be got.
    """
    for field in ("base_url", "url"):
        await _admit(means.fetcher, field, getattr(request, field))
    if request.kind == "url":
        return await _site(means, org_id, request)
    assert request.base_url is not None  # the rules saw to it
    text = request.text or ""
    if not text.strip():
        assert request.url is not None  # likewise
        text = await document(means.fetcher, request.url)
    return Material("", request.base_url, text=text)


async def _admit(fetcher: Fetcher, field: str, url: str | None) -> None:
    if url is None:
        return
    try:
        await fetcher.check(url)
    except FetchFailed as refused:
        if refused.reason in (NOT_ALLOWED, NO_ADDRESS):
            raise BadRequest(REFUSED.format(field=field), code="url_not_allowed") from None
        # A name that is not known here may be known where the suite is run.
        if field == "url":
            raise failed("the host of url is not known") from None


async def document(fetcher: Fetcher, url: str) -> str:
    """Fetch a document; each redirect is checked like the first address.

    Raises:
        BadRequest: ``url_not_allowed``.
        BadGateway: ``generation_error``.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + FETCH_SECONDS
    for _ in range(MOST_REDIRECTS + 1):
        answer = await _exchange(fetcher, url, until - clock())
        if answer.status not in _REDIRECTS or not answer.location:
            return _text(answer)
        try:
            url = urljoin(url, answer.location)
        except ValueError:
            raise failed("url sends on to something that is no address") from None
    raise failed(f"url sends on more than {MOST_REDIRECTS} times")


async def _exchange(fetcher: Fetcher, url: str, seconds: float) -> Exchanged:
    try:
        return await fetcher.exchange(
            "GET", url, _HEADERS, seconds=max(seconds, 0.001), most=LARGEST
        )
    except FetchFailed as refused:
        if refused.reason in (NOT_ALLOWED, NO_ADDRESS):
            raise BadRequest(REFUSED.format(field="url"), code="url_not_allowed") from None
        raise failed("url could not be reached, or gave no whole answer in time") from None


def _text(answer: Exchanged) -> str:
    if not 200 <= answer.status < 300:
        raise failed(f"url answered with status {answer.status}")
    if not answer.is_whole:
        raise failed(f"what url gives has more than {LARGEST} bytes")
    text = answer.body.decode("utf-8-sig", errors="replace")
    if "\x00" in text or not text.strip():
        raise failed("what url gives is no text")
    return text


async def _site(means: Means, org_id: str, request: GenerateRequest) -> Material:
    assert request.url is not None  # the rules saw to it
    order: dict[str, Any] = {
        "url": request.url,
        "pages": MOST_PAGES,
        "seconds": CRAWL_SECONDS,
    }
    if request.auth is not None:
        order["auth"] = request.auth.model_dump(exclude_none=True)
    try:
        found = await errands.perform(
            means.database,
            means.transport,
            means.vault,
            org_id,
            kind="crawl",
            order=order,
            seconds=ERRAND_SECONDS,
        )
    except ErrandFailed as error:
        if error.code == "url_not_allowed":
            raise BadRequest(REFUSED.format(field="url"), code="url_not_allowed") from None
        raise failed(error.reason) from None
    return Material("", _base_of(request), site=dict(found))


def _base_of(request: GenerateRequest) -> str:
    """Give what the suite is for: a deep page stands for its site."""
    assert request.url is not None  # the rules saw to it
    parts = urlsplit(request.base_url or request.url)
    return request.base_url or f"{parts.scheme}://{parts.netloc}"
