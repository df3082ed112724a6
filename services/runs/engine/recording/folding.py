"""What a recording says twice, and what must not be said at all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from services.runs.engine.recording.models import Act

SHORTEST: Final = 4
"""Characters of a secret that is looked for elsewhere (contract 4.1)."""

_FIELDS: Final = ("fill", "select")
_CAUSES: Final = (
    *("click", "double_click", "press", "check", "uncheck", "select", "back", "forward", "reload"),
    *("open", "arrive", "fill", "hover"),
)


def folded(acts: Sequence[Act]) -> list[Act]:
    """Give acts without what others say already, and without secrets but in their own fields."""
    return _opened(_collapsed(_kept_secret(acts)))


def _kept_secret(acts: Sequence[Act]) -> list[Act]:
    secrets = {act.value for act in acts if act.is_secret and len(act.value) >= SHORTEST}
    found: list[Act] = []
    for act in acts:
        if act.kind == "fill" and act.value in secrets:
            act = replace(act, is_secret=True)
        if any(secret in act.url for secret in secrets):
            parts = urlsplit(act.url)
            path = "/" if any(secret in parts.path for secret in secrets) else parts.path
            act = replace(act, url=urlunsplit((parts.scheme, parts.netloc, path, "", "")))
        says = f"{'' if act.is_secret else act.value} {act.name.text if act.name else ''}"
        if not any(secret in says for secret in secrets) and not any(
            secret in act.url for secret in secrets
        ):
            found.append(act)
    return found


def _collapsed(acts: Sequence[Act]) -> list[Act]:
    """Of successive fills of one field the last counts, and no click is needed to fill it."""
    found: list[Act] = []
    for act in acts:
        if act.kind in _FIELDS or act.kind in ("check", "uncheck"):
            while found and found[-1].name == act.name and found[-1].kind in (act.kind, "click"):
                found.pop()
            # The click that opened it may stand before an earlier fill of the same field.
        if act.kind == "double_click":
            while found and found[-1].name == act.name and found[-1].kind == "click":
                found.pop()
        if act.kind == "heading" and found and found[-1].kind == "heading":
            found.pop()
        found.append(act)
    return found


def _opened(acts: Sequence[Act]) -> list[Act]:
    """Where the page arrives by what was done there is nothing to open."""
    found: list[Act] = []
    has_begun = False
    for act in acts:
        if act.kind == "arrive" and not has_begun:
            act = replace(act, kind="open")
        if act.kind == "open" and found and found[-1] == act:
            continue
        has_begun = has_begun or act.kind in _CAUSES
        found.append(act)
    return found
