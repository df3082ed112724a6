"""What a push of knowledge must look like."""

from __future__ import annotations

from typing import Any, Final

from shared.errors import BadRequest

LONGEST: Final = 100_000
"""Bytes (teams contract, section 4.1)."""


def read_content(body: Any) -> str:
    """Read the text of ``POST /api/teams/knowledge``.

    Raises:
        BadRequest: there is none, or it is too long.
    """
    if "content" not in body:
        raise BadRequest("content is required")
    content = body["content"]
    if not isinstance(content, str):
        raise BadRequest("content must be a string")
    if len(content) > LONGEST or len(content.encode()) > LONGEST:
        raise BadRequest("knowledge exceeds maximum size of 100,000 bytes")
    return content


def summary(before: str, after: str) -> str:
    """Say in a few words what a push changed, for the list of versions."""
    grown = len(after.encode()) - len(before.encode())
    return f"knowledge {grown:+d} bytes" if grown else "knowledge changed"
