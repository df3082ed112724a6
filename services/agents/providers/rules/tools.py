"""Reading an agent's tools: which of the JSON is an HTTP tool, and what is wrong with the rest.

A tool is an object with ``type`` or ``kind`` ``"http"``, or OpenAI's ``{"type": "function",
"function": {…}}`` that also has a ``url``. The author's word decides whom the tool reaches, and
nothing a model says: only path and query of the address have placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from services.agents.providers.rules.schemas import compact
from services.agents.providers.rules.texts import shortened, storable

MOST_TOOLS: Final = 32
LONGEST_SECONDS: Final = 30.0
DEFAULT_SECONDS: Final = 10.0
LONGEST_SCHEMA: Final = 16_384
"""Characters of the JSON schema of a tool's parameters."""

LONGEST_URL: Final = 2_000
LONGEST_DESCRIPTION: Final = 1_000
LONGEST_HEADER: Final = 8_192
MOST_HEADERS: Final = 20
MOST_TRIGGERS: Final = 10
LONGEST_TRIGGER: Final = 100

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]{0,63})\}")

# What both model services take for a name.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_OURS: Final = re.compile(
    r"(?:host|connection|keep-alive|content-length|transfer-encoding|te|trailer|upgrade|expect"
    r"|accept-encoding|idempotency-key|proxy-.*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, repr=False)
class Tool:
    """An HTTP endpoint that an agent may call.

    Attributes:
        name: as models and people call it.
        description: for both.
        method: in capitals.
        url: with ``{placeholders}`` in path and query.
        headers: sent as they are; secrets may be among them.
        parameters: the JSON schema of its arguments, shown to models.
        accepted: the arguments it is sent, in the order of their declaration; None for any.
        required: those that must be there.
        seconds: for one call.
        triggers: phrases by which the built-in provider knows that it is wanted.
    """

    name: str
    description: str
    method: str
    url: str
    headers: Mapping[str, str]
    parameters: Mapping[str, Any]
    accepted: tuple[str, ...] | None
    required: frozenset[str]
    seconds: float
    triggers: tuple[str, ...]


def read(tools: Any) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """Read an agent's ``tools``, whatever JSON they are.

    Returns:
        The tools that can be called, and a note on each definition that is ignored.
    """
    found: dict[str, Tool] = {}
    notes: list[str] = []
    listed = tools if isinstance(tools, list | tuple) else [tools] if tools else []
    for number, definition in enumerate(listed[:MOST_TOOLS], 1):
        try:
            tool = _tool(definition)
            if tool.name in found:
                raise ValueError("another tool has this name")
        except ValueError as error:
            notes.append(f"Tool {_shown(definition, number)} is ignored: {error}.")
        else:
            found[tool.name] = tool
    if len(listed) > MOST_TOOLS:
        notes.append(f"Of {len(listed)} tools only the first {MOST_TOOLS} are used.")
    return tuple(found.values()), tuple(notes)


def _shown(definition: Any, number: int) -> str:
    name = _merged(definition).get("name") if isinstance(definition, dict) else None
    return shortened(storable(name), 64) if isinstance(name, str) and name else f"number {number}"


def _merged(definition: dict[str, Any]) -> dict[str, Any]:
    inner = definition.get("function")
    return {**definition, **inner} if isinstance(inner, dict) else definition


def _tool(definition: Any) -> Tool:
    if not isinstance(definition, dict):
        raise ValueError("it is not an object")
    kind = definition.get("type", definition.get("kind"))
    if kind not in ("http", "function"):
        raise ValueError('its type is not "http"')
    fields = _merged(definition)
    name = fields.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("its name must be 1 to 64 letters, digits, _ or -")
    url = _url(fields.get("url"))
    placeholders = tuple(dict.fromkeys(PLACEHOLDER.findall(url)))
    parameters, accepted, required = _parameters(fields.get("parameters"), placeholders)
    return Tool(
        name,
        _description(fields.get("description")),
        _method(fields.get("method", "GET")),
        url,
        _headers(fields.get("headers")),
        parameters,
        accepted,
        required | set(placeholders),
        _seconds(fields.get("timeout")),
        tuple(_triggers(fields.get("triggers", fields.get("trigger")))),
    )


def _url(url: Any) -> str:
    if not isinstance(url, str) or not url:
        raise ValueError("it has no url")
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("its url must be ASCII without blanks, and not too long")
    plain = PLACEHOLDER.sub("x", url)
    if any(mark in plain for mark in "{}\\"):
        raise ValueError("its url has a bad placeholder")
    try:
        parts, whole = urlsplit(plain), urlsplit(url)
        _ = parts.port  # raises ValueError when it is no port
    except ValueError:
        raise ValueError("its url is no address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("its url must be http:// or https:// and a host")
    if parts.netloc != whole.netloc or parts.scheme != whole.scheme or "@" in parts.netloc:
        raise ValueError("its url must name its host plainly, without placeholders or a login")
    return url.partition("#")[0]


def _method(method: Any) -> str:
    found = method.upper() if isinstance(method, str) else ""
    if found not in METHODS:
        raise ValueError(f"its method must be one of {', '.join(METHODS)}")
    return found


def _description(value: Any) -> str:
    return shortened(storable(value).strip(), LONGEST_DESCRIPTION) if isinstance(value, str) else ""


def _headers(headers: Any) -> dict[str, str]:
    if headers is None:
        return {}
    if not isinstance(headers, dict) or len(headers) > MOST_HEADERS:
        raise ValueError(f"its headers must be an object of at most {MOST_HEADERS}")
    found: dict[str, str] = {}
    for name, value in headers.items():
        # Never quoted: what stands here may be a secret.
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise ValueError("a header's name is none")
        if _OURS.fullmatch(name):
            raise ValueError(f"the header {name.lower()} is not its own to set")
        if (
            not isinstance(value, str)
            or len(value) > LONGEST_HEADER
            or (value and not _VALUE.fullmatch(value))
        ):
            raise ValueError(f"the value of the header {name.lower()} is not a line of ASCII")
        if name.lower() in found:
            raise ValueError(f"the header {name.lower()} is there twice")
        found[name.lower()] = value
    return found


def _parameters(
    schema: Any, placeholders: tuple[str, ...]
) -> tuple[Mapping[str, Any], tuple[str, ...] | None, frozenset[str]]:
    """Give the schema, the names that are accepted, and those that must be there."""
    if schema is None:
        schema = {
            "type": "object",
            "properties": {name: {"type": "string"} for name in placeholders},
        }
        if placeholders:
            schema["required"] = list(placeholders)
        return schema, placeholders or None, frozenset(placeholders)
    if not isinstance(schema, dict):
        raise ValueError("its parameters are no JSON schema")
    try:
        if len(compact(schema)) > LONGEST_SCHEMA:
            raise ValueError("too long")
    except ValueError:
        raise ValueError("the schema of its parameters is too long or too deep") from None
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if not isinstance(properties, dict) or schema.get("type", "object") != "object":
        raise ValueError("its parameters must be an object's schema")
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise ValueError("what its parameters require must be a list of names")
    names = tuple(dict.fromkeys((*properties, *required, *placeholders)))
    return {**schema, "type": "object", "properties": properties}, names, frozenset(required)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return DEFAULT_SECONDS
    return float(min(value, LONGEST_SECONDS))


def _triggers(value: Any) -> Iterator[str]:
    listed = value if isinstance(value, list) else [value]
    for phrase in listed[:MOST_TRIGGERS]:
        if isinstance(phrase, str) and phrase.strip() and len(phrase) <= LONGEST_TRIGGER:
            yield phrase.strip()
