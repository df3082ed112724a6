"""What is so about the page as a whole: its address, title, traffic, who is logged in."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from playwright.async_api import ElementHandle

from services.runs.engine.actions.acting import bounded
from services.runs.engine.actions.concepts import plain
from services.runs.engine.browser.models import Request
from services.runs.engine.checks.looking import (
    TOUCH,
    Eye,
    Seen,
    Spot,
    compare,
    quoted,
    short,
    squeezed,
)
from services.runs.engine.resolver.models import Candidate

_LOG_OUT: Final = re.compile(r"\b(log ?out|sign ?out|log ?off)\b")
_ACCOUNT: Final = re.compile(r"^(my )?(account|profile|user|avatar)( menu)?$")
_CONTROLS: Final = frozenset({"button", "link", "menuitem", "clickable"})
_ERRORS: Final = ".error, [role=alert], .invalid-feedback, .field-error, .error-message"
_FIELDS: Final = "input:not([type=hidden]), select, textarea"
_BAD_LEVELS: Final = frozenset({"error", "exception", "assert"})


async def url(eye: Eye) -> Seen:
    """Look at the page's address."""
    here = eye.stage.page.url
    path = eye.text("path_is")
    holds = compare(eye, here, is_exact=True)
    if path is not None:
        holds = holds and _path(path) == _path(here, with_query="?" in path)
    return Seen(holds, f"the address {here[:500]}")


def _path(address: str, *, with_query: bool | None = None) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    path = unquote(parts.path).rstrip("/") or "/"
    has_query = "?" in address if with_query is None else with_query
    return f"{path}?{parts.query}" if has_query else path


async def title(eye: Eye) -> Seen:
    """Look at the page's title."""
    said = (await eye.reading()).title
    return Seen(compare(eye, said), f"the title {quoted(said)}")


async def request(eye: Eye) -> Seen:
    """Look whether the page has made such a request since the case began."""
    method, part, status = eye.text("method"), eye.text("url") or "", eye.number("status")
    made = [one for one in eye.stage.requests(eye.scene.mark) if part in one.url]
    if method is not None:
        made = [one for one in made if one.method == method.strip().upper()]
    fit = [one for one in made if status is None or one.status == status]
    if fit:
        return Seen(True, _told(fit[-1]))
    if made:
        return Seen(False, ", ".join(_told(one) for one in made[-3:]))
    return Seen(False, "no such request")


def _told(request: Request) -> str:
    outcome = request.failure or request.status or "no answer yet"
    return f"{request.method} {request.url[:200]}: {outcome}"


async def no_console_errors(eye: Eye) -> Seen:
    """Look whether the console is free of errors since the case began."""
    lines = [one for one in eye.stage.console(eye.scene.mark) if one.level in _BAD_LEVELS]
    if not lines:
        return Seen(True, "no errors")
    return Seen(False, f"{len(lines)} errors, the first {quoted(lines[0].text)}")


async def logged_in(eye: Eye) -> Seen:
    """Look for a way to log out or an account menu, and that no password is asked for."""
    seen = [one for one in (await eye.reading()).candidates if one.visible]
    if any(one.input_type == "password" for one in seen):
        return Seen(False, "a password is asked for")
    controls = [one for one in seen if one.role in _CONTROLS]
    ways = [one for one in controls if _LOG_OUT.search(plain(one.name))]
    ways = ways or [one for one in controls if _is_account_menu(one)]
    if ways:
        return Seen(True, f"the {ways[0].role} {quoted(ways[0].name)}")
    return Seen(False, "neither a way to log out nor an account menu")


def _is_account_menu(candidate: Candidate) -> bool:
    if candidate.expanded is None and candidate.role == "link":
        return False
    return bool(_ACCOUNT.match(" ".join(candidate.name.casefold().split())))


async def error_shown(eye: Eye) -> Seen:
    """Look for an error: an alert, a field marked invalid, something of class ``error``."""
    if eye.hint is not None:
        return await _error_at(eye, await eye.spot())
    for one in (await eye.reading()).candidates:
        if one.visible and one.invalid:
            return Seen(True, f"{quoted(one.name)} is marked invalid")
    said = await _said([handle for _, handle in await eye.all_of(_ERRORS, 50)])
    if said:
        return Seen(True, f"the error {quoted(said)}")
    for notice in await eye.stage.notices(eye.scene.mark):
        if notice.role == "alert" and notice.text.strip():
            return Seen(True, f"the error {quoted(notice.text)}")
    return Seen(False, "no error")


async def _error_at(eye: Eye, spot: Spot) -> Seen:
    """Look for the error of a field or region."""
    marked = await bounded(spot.handle.get_attribute("aria-invalid"), TOUCH) == "true"
    if marked or (spot.candidate is not None and spot.candidate.invalid):
        return Seen(True, f"{spot.name} is marked invalid")
    inside = f"{_ERRORS}, [aria-invalid=true]"
    said = await _said(await bounded(spot.handle.query_selector_all(f"css={inside}"), TOUCH))
    around: ElementHandle | None = spot.handle
    for _ in range(2):
        if said or around is None:
            break
        around = await bounded(around.query_selector("xpath=.."), TOUCH)
        # What stands with several fields is not the error of this one.
        if around is None or len(await bounded(around.query_selector_all(f"css={_FIELDS}"), 2)) > 1:
            break
        said = await _said(await bounded(around.query_selector_all(f"css={_ERRORS}"), TOUCH))
    if said:
        return Seen(True, f"the error {quoted(said)}")
    return Seen(False, f"no error at {spot.name}")


async def _said(handles: list[ElementHandle]) -> str:
    """Give the text of the first of them that is visible and says something."""
    for handle in handles[:50]:
        if await bounded(handle.is_visible(), TOUCH):
            text = squeezed(await bounded(handle.inner_text(), TOUCH))
            if text or await bounded(handle.get_attribute("aria-invalid"), TOUCH) == "true":
                return short(text) or "a field is marked invalid"
    return ""
