"""The fixed texts: what is suspected of each kind of failure, and what to do about it."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from services.runs.causes.models import Category, Frame, SeenRequest

LONGEST_SHOWN: Final = 300
"""Characters of a stranger's words in a sentence of ours."""

FIXES: Final[dict[Category, str]] = {
    "backend_error": "Look for this request in the application's log, mend what failed there, and "
    "run the case again.",
    "client_error": "Compare the request with what the server offers: its address, its method, its "
    "limits. One of the two has changed.",
    "network": "See whether the server answers at that address from where the run takes place: "
    "name, port, certificate, firewall.",
    "auth": "See whether the case is logged in at this point, with an account that may do this, "
    "and whether the session has ended.",
    "validation": "Compare what the page sent with what the server accepts: either the form lets "
    "through what it must not, or the server refuses what it should take.",
    "js_error": "Mend the exception in the page's script, or what it was given; then run the case "
    "again.",
    "ui_missing": "See in the screenshot whether the page is the right one and has what is looked "
    "for; if it was changed on purpose, change the suite.",
    "timeout": "See what takes so long, on the page or behind it; if it may, give the case a "
    "larger timeout_ms.",
    "data": "Compare what the page shows with the data behind it; if the value was changed on "
    "purpose, change the expectation.",
}

AT_FRAME: Final = "Begin at {frame}: that is where the application failed. Then run the case again."


def shortened(text: str, most: int = LONGEST_SHOWN) -> str:
    """Put a text on one line, and cut it where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def named(request: SeenRequest) -> str:
    """Name a request without its query, which may hold anything."""
    try:
        parts = urlsplit(request.url)
        place = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else parts.path
    except ValueError:
        place = ""
    return shortened(f"{request.method} {place}".strip() or "a request")


def came_to(request: SeenRequest) -> str:
    """Say what a request came to."""
    if request.status is not None:
        return f"{named(request)} answered {request.status}"
    failure = f": {shortened(request.error, 100)}" if request.error else ""
    return f"{named(request)} got no answer{failure}"


def of_request(request: SeenRequest, category: Category) -> str:
    """Say what is suspected behind a request that failed."""
    said = came_to(request)
    return {
        "backend_error": f"The server failed: {said}.",
        "auth": f"The server refused who asked: {said}.",
        "validation": f"The server refused what was sent: {said}.",
        "data": f"The data stood in the way: {said}.",
        "timeout": f"The server took too long: {said}.",
        "network": f"The server was not reached: {said}.",
    }.get(category, f"The server did not take the request: {said}.")


def fix_of(category: Category, frame: Frame | None = None) -> str:
    """Say what to do."""
    return FIXES[category] if frame is None else AT_FRAME.format(frame=shortened(str(frame), 200))
