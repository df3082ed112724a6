"""Messages to channels: how they are signed, what an answer means, and the one that only tries."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from pydantic_core import to_json

from services.runs.integrations.models.cards import card
from shared import VERSION

LONGEST_WAIT: Final = 3600.0
"""Seconds that a channel may have us wait."""

_FAILURES: Final = {
    "took too long": "It did not answer in time.",
    "name not resolved": "Its host name is not known.",
    "address not allowed": "Its address may not be reached: no private network unless "
    "GUILDHALL_URL_ALLOW (or TRIPWIRE_URL_ALLOW) lists its host.",
    "not an address": "It is not an address of http or https.",
}
_REFUSED: Final = "It answered, and did not take the message."
_FINAL: Final = frozenset({400, 410, 413, 422})
_FINAL_THERE: Final = {"slack": frozenset({401, 403, 404}), "teams": frozenset({401, 403, 404})}

_TEST: Final = "Guildhall can reach this channel. Runs of plans will be told of here."


def headers(
    channel: str, values: Mapping[str, str], body: bytes, message_id: str
) -> dict[str, str]:
    """Give a message's headers; an address of one's own gets a signature, if there is a secret.

    Args:
        channel: one of ``CHANNELS``.
        values: what holds for the organization.
        body: that is signed: HMAC-SHA256 in hexadecimal.
        message_id: the same each time that this message is tried.
    """
    found = {
        "content-type": "application/json",
        "accept": "*/*",
        "user-agent": f"Guildhall-Notifications/{VERSION}",
    }
    if channel == "webhook":
        found["x-delivery-id"] = message_id
        if secret := values.get("WEBHOOK_SECRET"):
            digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            found["x-signature"] = f"sha256={digest}"
    return found


def error_of_failure(reason: str) -> str:
    """Say for people why there was no answer; ``reason`` as ``FetchFailed`` has it."""
    return _FAILURES.get(reason, "It cannot be reached.")


def error_of_answer(channel: str, status: int, beginning: bytes) -> str:
    """Say for people why an answer is none that we want; empty where it is.

    Nothing of what was answered is repeated: it is a stranger's.
    """
    if 300 <= status < 400:
        return f"It answered {status}: redirects are not followed."
    if not 200 <= status < 300:
        return f"It answered {status}."
    if channel == "slack" and beginning.strip().lower() not in (b"ok", b""):
        return _REFUSED
    # Teams' connectors answer 200 whatever happened, and tell of failures in the text.
    if channel == "teams" and b"failed" in beginning.lower():
        return _REFUSED
    return ""


def is_final(channel: str, status: int) -> bool:
    """Tell whether the same message would be answered like this again."""
    return status in _FINAL or status in _FINAL_THERE.get(channel, ())


def seconds_to_wait(text: str) -> float:
    """Read ``Retry-After``: seconds, or a date; what is neither asks for nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT)


def test_message(channel: str) -> bytes:
    """Make the message that only tries whether a channel can be reached."""
    return to_json(_test(channel))


def _test(channel: str) -> dict[str, Any]:
    if channel == "slack":
        section = {"type": "section", "text": {"type": "plain_text", "text": _TEST}}
        return {"text": _TEST, "blocks": [section]}
    if channel == "teams":
        return card([{"type": "TextBlock", "text": _TEST, "wrap": True}])
    return {"event": "test", "message": _TEST}
