"""Which ids logs are asked for, when, and where they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from services.runs.causes.models import (
    AHEAD,
    BACK,
    Backend,
    Datadog,
    Elasticsearch,
    HttpLogs,
    LogFile,
    Loki,
    NoLines,
    Question,
    SeenCase,
)
from services.runs.causes.rules.lines import moment_of
from services.runs.causes.rules.symptoms import ranked_requests

MOST_IDS: Final = 3
"""Ids that are asked for one case."""

EVERYTHING: Final = '{job=~".+"}'
"""Loki's streams unless a selector is configured (contract 9)."""

_DATADOG: Final = "datadoghq.com"
_SITE: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")

# What stands in an answer's header is a stranger's: too short an id would match anything.
_ID: Final = re.compile(r"(?=[^0-9]{0,127}[0-9])[A-Za-z0-9][A-Za-z0-9_.:=/+-]{7,127}")


def is_id(text: str | None) -> bool:
    """Tell whether a text can be asked for: an id, and no word that any line may have."""
    return text is not None and _ID.fullmatch(text) is not None


def questions_of(
    case: SeenCase, own: str, base_url: str, now: float, *, only_own: bool
) -> list[Question]:
    """Say which lines are wanted of a case: those of its worst requests, and of its own trace.

    Args:
        case: that did not pass.
        own: the trace id that its requests carried.
        base_url: of the tested application.
        now: Unix time, for requests that do not say theirs.
        only_own: whether ids that a server made up are left out.
    """
    times: dict[str, float] = {}
    for request in ranked_requests(case.network_errors, base_url):
        at = moment_of(request.ts) or now
        for found in (request.trace_id, request.request_id):
            if found is not None and is_id(found) and (found == own or not only_own):
                times.setdefault(found, at)
    wanted = list(times.items())[:MOST_IDS]
    if own not in times:
        # A server may answer 200 and tell of its failure in the log alone.
        wanted = [*wanted[: MOST_IDS - 1], (own, now)]
    return [Question(each, at - BACK, at + AHEAD) for each, at in wanted]


def backend_of(values: Mapping[str, str], environment: Mapping[str, str]) -> Backend | None:
    """Give where an organization's logs are; None where that is not configured.

    Args:
        values: what holds for it (contract 3.7).
        environment: what the installation says. A file of its machine is read only where it says
            so itself: no organization opens one.

    Raises:
        NoLines: something is missing, or makes no sense.
    """
    word = values.get("LOG_BACKEND", "")
    if not word:
        return None
    if word == "file" and environment.get("LOG_BACKEND") != "file":
        raise NoLines("LOG_BACKEND file is open only where the installation sets it.")
    make = _BACKENDS.get(word)
    if make is None:
        raise NoLines("LOG_BACKEND is none that is known.")
    return make(values)


def is_installations(values: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Tell whether logs are those of the installation, and not an organization's own."""
    key = _PLACES.get(values.get("LOG_BACKEND", ""), "")
    if key == "DD_SITE":
        return values.get("DD_APP_KEY") == environment.get("DD_APP_KEY")
    return values.get(key) == environment.get(key)


def _loki(values: Mapping[str, str]) -> Backend:
    selector = values.get("LOKI_SELECTOR", "").strip() or EVERYTHING
    if not selector.startswith("{") or "}" not in selector or not selector.isprintable():
        raise NoLines('LOKI_SELECTOR is no selector such as {app="shop"}.')
    return Loki(_url(values, "LOKI_URL"), selector)


def _datadog(values: Mapping[str, str]) -> Backend:
    site = (values.get("DD_SITE") or _DATADOG).strip().lower()
    if not _SITE.fullmatch(site):
        raise NoLines("DD_SITE is no host such as datadoghq.eu.")
    keys = _needed(values, "DD_API_KEY"), _needed(values, "DD_APP_KEY")
    return Datadog(f"https://api.{site}", *keys)


def _elasticsearch(values: Mapping[str, str]) -> Backend:
    index = values.get("ES_INDEX", "").strip() or "*"
    if index.startswith("_") or not index.strip("."):
        raise NoLines("ES_INDEX names no index.")
    return Elasticsearch(_url(values, "ES_URL"), index, values.get("ES_API_KEY", ""))


def _http(values: Mapping[str, str]) -> Backend:
    return HttpLogs(_url(values, "LOG_HTTP_URL"), values.get("LOG_HTTP_TOKEN", ""))


def _file(values: Mapping[str, str]) -> Backend:
    return LogFile(_needed(values, "LOG_FILE"))


_BACKENDS: Final[Mapping[str, Callable[[Mapping[str, str]], Backend]]] = {
    "loki": _loki,
    "datadog": _datadog,
    "elasticsearch": _elasticsearch,
    "http": _http,
    "file": _file,
}
_PLACES: Final[Mapping[str, str]] = {
    "loki": "LOKI_URL",
    "datadog": "DD_SITE",
    "elasticsearch": "ES_URL",
    "http": "LOG_HTTP_URL",
    "file": "LOG_FILE",
}
"""By which key it can be told whose logs they are."""


def _needed(values: Mapping[str, str], key: str) -> str:
    found = values.get(key, "").strip()
    if not found:
        raise NoLines(f"{key} is not set.")
    return found


def _url(values: Mapping[str, str], key: str) -> str:
    found = _needed(values, key)
    try:
        parts = urlsplit(found)
    except ValueError:
        raise NoLines(f"{key} is no address.") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise NoLines(f"{key} is no address of http or https.")
    return found
