"""One call of a tool: the request that its arguments make, and what is shown of the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pydantic_core import from_json

from services.agents.providers.rules.schemas import compact
from services.agents.providers.rules.texts import CUT, storable
from services.agents.providers.rules.tools import PLACEHOLDER, WITH_BODY, Tool
from shared.redaction import SECRET

LONGEST_ARGUMENTS: Final = 32_768
"""Bytes of the arguments of one call."""

LONGEST_TARGET: Final = 8_192
LARGEST_READ: Final = 262_144
"""Bytes that are read of a tool's answer."""

LARGEST_SHOWN: Final = 32_768
"""Bytes of it that a model or a person gets to see."""

SHORTEST_SECRET: Final = 6
"""Characters of a header's value from which on it is taken out of answers."""

_TEXTUAL: Final = re.compile(
    r"text/|application/(?:[\w.+-]*\+)?(?:json|xml|yaml|javascript|x-www-form-urlencoded|x-ndjson)",
    re.IGNORECASE,
)
_OPEN: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Headers whose values are no secrets."""

_SCHEME: Final = re.compile(r"(?:bearer|basic|token|digest)\s+", re.IGNORECASE)


class BadCall(Exception):
    """The call cannot be made; the text says why, to whoever made it."""


@dataclass(frozen=True, slots=True, repr=False)
class ToolRequest:
    """What is sent to a tool."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


def read_arguments(text: str) -> dict[str, Any]:
    """Read arguments that are written as a JSON object; none written are none.

    Raises:
        BadCall: they are something else.
    """
    if not text.strip():
        return {}
    if len(text.encode(errors="replace")) > LONGEST_ARGUMENTS:
        raise BadCall("the arguments are too long")
    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError:
        raise BadCall("the arguments are not JSON") from None
    if not isinstance(found, dict):
        raise BadCall("the arguments are not a JSON object")
    return found


def request_of(tool: Tool, arguments: Mapping[str, Any], key: str) -> ToolRequest:
    """Make the request of one call; of the arguments, only those that the tool declares are sent.

    Args:
        tool: the tool.
        arguments: as the model or the person gave them.
        key: by which the tool can recognize a call that is repeated.

    Raises:
        BadCall: an argument is missing, or does not fit where it goes.
    """
    given = {
        name: value
        for name, value in arguments.items()
        if tool.accepted is None or name in tool.accepted
    }
    missing = sorted(name for name in tool.required if name not in given)
    if missing:
        raise BadCall(f"the argument {missing[0][:64]} is missing")
    placed = set(PLACEHOLDER.findall(tool.url))
    url = _filled(tool.url, {name: _as_text(given[name]) for name in placed})
    rest = {name: value for name, value in given.items() if name not in placed}
    headers = {**tool.headers, "idempotency-key": key}
    content = None
    if tool.method in WITH_BODY:
        content = _json(rest).encode()
        headers.setdefault("content-type", "application/json")
    elif rest:
        pairs = (f"{_quoted(name)}={_quoted(_as_text(value))}" for name, value in rest.items())
        url += ("&" if "?" in url else "?") + "&".join(pairs)
    if len(url) > LONGEST_TARGET:
        raise BadCall("the arguments are too long")
    return ToolRequest(tool.method, url, headers, content)


def _filled(url: str, values: Mapping[str, str]) -> str:
    path, mark, query = url.partition("?")
    in_path = {name for name in PLACEHOLDER.findall(path) if not values[name]}
    if in_path:
        raise BadCall(f"the argument {min(in_path)} is empty")
    filled = PLACEHOLDER.sub(lambda match: _quoted(values[match[1]]), path)
    if path != filled and any(part in (".", "..") for part in urlsplit(filled).path.split("/")):
        raise BadCall("an argument may not lead to another path")
    return filled + mark + PLACEHOLDER.sub(lambda match: _quoted(values[match[1]]), query)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    try:
        text = compact(value)
    except ValueError:
        raise BadCall("the arguments are not JSON") from None
    if len(text) > LONGEST_ARGUMENTS:
        raise BadCall("the arguments are too long")
    return text


def _quoted(text: str) -> str:
    return quote(storable(text), safe="")


def shown(tool: Tool, status: int, content_type: str, body: bytes, *, is_whole: bool) -> str:
    """Give what is shown of a tool's answer: its status and its text, without the tool's secrets.

    Args:
        tool: whose headers' values are taken out, should the answer repeat them.
        status: of the answer.
        content_type: as the answer names it, or empty.
        body: the answer's bytes.
        is_whole: whether these are all.
    """
    if content_type and not _TEXTUAL.match(content_type):
        return f"status {status}, {len(body)} bytes that are no text"
    text = storable(body.decode(errors="replace"))
    for secret in _secrets(tool):
        text = text.replace(secret, SECRET)
        if not is_whole:
            text = _without_beginning(text, secret)
    encoded = text.encode()
    if len(encoded) > LARGEST_SHOWN:
        text, is_whole = encoded[:LARGEST_SHOWN].decode(errors="ignore"), False
    return f"status {status}\n{text}{'' if is_whole else CUT}"


def _secrets(tool: Tool) -> Iterator[str]:
    """Give what an answer must not repeat, the longest first."""
    values = {value for name, value in tool.headers.items() if name not in _OPEN}
    found = values | {_SCHEME.sub("", value, count=1) for value in values}
    for secret in sorted(found, key=lambda each: (-len(each), each)):
        if len(secret) >= SHORTEST_SECRET:
            yield secret


def _without_beginning(text: str, secret: str) -> str:
    """Take away the beginning of a secret that was cut off at the end of a text."""
    for length in range(len(secret) - 1, 0, -1):
        if text.endswith(secret[:length]):
            return text[:-length]
    return text
