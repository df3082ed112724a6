"""Remembering request heads, because clients send the same ones again and again.

What a request line says, and what a block of headers says, depends on nothing but their bytes. So
both are read once, strictly, by the parser, and what is read is found again by the bytes that it
was read from. Only heads of requests without a body are kept, each byte of which the parser has
taken as it stands; whether a credential still holds and what a caller may do is asked every time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import httptools

if TYPE_CHECKING:
    from gateway.pipeline.chain import Pipeline
    from gateway.pipeline.decisions import Destination
    from gateway.pipeline.request_head import Fields

CAPACITY: Final = 1024
"""Request lines, and blocks of headers, that are remembered; then all make room."""

SEEN: Final = 8192
"""Blocks of which it is known that they came once."""

MOST_BYTES: Final = 2048
"""Of a line or a block that is remembered: about 8 MB in all, with what was read from them."""

LONGEST_LINE: Final = 32_768
"""Bytes of a request line that is read without the parser, which counts all bytes of a head."""

_LINE: Final = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) "
    rb"((/[A-Za-z0-9/._~!$&'()*+,;=:@%-]*)(?:\?([A-Za-z0-9/._~!$&'()*+,;=:@%?-]*))?) HTTP/1\.1"
)
"""A request line that any two parsers read alike (RFC 9112 section 3, RFC 3986 section 3.3)."""


class HeadMemory:
    """What was read from the heads of late.

    Args:
        pipeline: says where a request line leads.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._destinations: dict[bytes, Destination] = {}
        self._blocks: dict[bytes, Fields] = {}
        self._seen: set[int] = set()

    def find(self, data: bytes) -> tuple[Destination, Fields] | None:
        """Give what a whole request says, if its headers are known and its line is simple."""
        line, _, block = data.partition(b"\r\n")
        fields = self._blocks.get(block)
        if fields is None:
            return None
        destination = self._destinations.get(line) or self._locate(line)
        if destination is None:
            return None
        return destination, fields

    def keep(self, data: bytes, fields: Fields) -> None:
        """Remember the headers of what the parser took for one whole request without a body."""
        line, _, block = data.partition(b"\r\n")
        if len(block) > MOST_BYTES:
            return
        # Many are sent once only, signed ones always: those must not push out the others.
        name = hash(block)
        if name not in self._seen:
            if len(self._seen) >= SEEN:
                self._seen.clear()
            self._seen.add(name)
            return
        if data.find(b"\r\n\r\n") != len(data) - 4 or _LINE.fullmatch(line) is None:
            return
        _make_room(self._blocks)
        self._blocks[block] = fields

    def locate(self, method: str, url: bytes) -> Destination:
        """Find where a request leads, from what the parser takes for method and target.

        Raises:
            ValueError: it is no target of ours.
        """
        line = b"%b %b HTTP/1.1" % (method.encode("ascii"), url)
        known = self._destinations.get(line) or self._locate(line)
        return known or self._pipeline.locate(method, *read_target(url))

    def _locate(self, line: bytes) -> Destination | None:
        match = _LINE.fullmatch(line)
        if match is None or len(line) > LONGEST_LINE:
            return None
        method, target, raw_path, query = match.groups(b"")
        path = raw_path.decode("ascii")
        if "%" in path:
            path = unquote(path)
        destination = self._pipeline.locate(method.decode("ascii"), target, path, query)
        if len(line) <= MOST_BYTES:
            _make_room(self._destinations)
            self._destinations[line] = destination
        return destination


def read_target(url: bytes) -> tuple[bytes, str, bytes]:
    """Give target, decoded path and query of what stands in a request line.

    Raises:
        ValueError: it is no target of ours.
    """
    try:
        parts = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        raise ValueError("no URL") from None
    target, query = parts.path, parts.query
    if not target or not target.startswith(b"/"):
        raise ValueError("no path")
    path = target.decode("ascii")
    if "%" in path:
        path = unquote(path)
    if query:
        target = b"%b?%b" % (target, query)
    return target, path, query or b""


def _make_room(memory: dict[bytes, Destination] | dict[bytes, Fields]) -> None:
    if len(memory) >= CAPACITY:
        memory.clear()  # what is still sent is soon back; to pick one would cost each newcomer
