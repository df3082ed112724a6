"""Decisions about webhooks: which addresses, how messages are signed, when to try again.

Messages follow the Standard Webhooks specification: headers ``webhook-id``, ``webhook-timestamp``
and ``webhook-signature``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import httpx
from pydantic_core import to_json

from services.learnings.webhooks.models import Due, Health, Outcome
from shared import VERSION
from shared.errors import Forbidden, Invalid
from shared.principal import Principal
from shared.targets import Address, TargetPolicy, read_address

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how secrets begin, not one of them
SECRET_SIZE: Final = 32
"""Random bytes of a secret; the specification asks for 24 to 64."""

DELAYS: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds before the second and each later attempt; one attempt more than delays, over 3 days."""

JITTER: Final = 0.2
"""Share by which a delay may be longer, so that what failed at once is not retried at once."""

LONGEST_FAILING: Final = timedelta(days=5)
MOST_GIVEN_UP: Final = 10
"""Deliveries given up in a row, after which a webhook is disabled."""

LONGEST_REST: Final = 60.0
"""Seconds that a failing address is left alone at most, so that it takes no turns of others."""

SHOWN: Final = 1_024
"""Characters of an answer that are kept to be shown."""

GONE: Final = 410

_ERRORS: Final = {
    "took too long": "timeout",
    "name not resolved": "not_resolved",
    "address not allowed": "not_allowed",
    "not an address": "not_allowed",
    "ConnectError": "not_connected",
}


def org_of(principal: Principal) -> str:
    """Say whose webhooks are meant.

    Raises:
        Forbidden: the caller acts in no organization.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    return principal.org


def check_url(url: str, policy: TargetPolicy) -> None:
    """Refuse an address that nothing could be delivered to.

    What a name resolves to is looked at again before every delivery; here only what is written.

    Raises:
        Invalid: it is none, is not https, or names an address that may not be reached.
    """
    try:
        parts = httpx.URL(url)
        host, port = parts.raw_host.decode("ascii"), parts.port
    except (httpx.InvalidURL, ValueError):
        raise _wrong_url("is not an address") from None
    if parts.scheme not in (("https", "http") if policy.allow_private else ("https",)):
        raise _wrong_url("must begin with https://")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if not host or parts.userinfo or parts.fragment or not 0 < port < 65_536:
        raise _wrong_url("must be a host with a path, without user, password and fragment")
    address = _literal(host)
    if address is None:
        labels = host.removesuffix(".").split(".")
        if len(host) > 253 or not all(0 < len(label) < 64 for label in labels):
            raise _wrong_url("is not an address")
    elif not policy.permits(host, port, address):
        raise _wrong_url("names an address that may not be reached")


def _wrong_url(why: str) -> Invalid:
    return Invalid.field("body", "url", msg=why)


def _literal(host: str) -> Address | None:
    """Read a host that is an address, in any of the spellings that resolvers understand."""
    try:
        return read_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return read_address(socket.inet_ntoa(socket.inet_aton(host)))
    except (OSError, ValueError):
        return None


def secret_text(key: bytes) -> str:
    """Write a secret as receivers configure it."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message: HMAC-SHA256 over id, time and body, joined by dots."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers_of(keys: Sequence[bytes], due: Due, timestamp: int, body: bytes) -> dict[str, str]:
    """Write the headers of one attempt, signed under each key."""
    signatures = [signature(key, due.message_id, timestamp, body) for key in keys]
    return {
        "content-type": "application/json",
        "accept": "*/*",
        "user-agent": f"Guildhall-Webhooks/{VERSION}",
        "webhook-id": due.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def body_of(kind: str, at: datetime, data: str) -> str:
    """Write a message around data that is JSON already."""
    time = to_json(at).decode()
    return f'{{"type":"{kind}","timestamp":{time},"data":{data}}}'


def error_of_failure(reason: str) -> str:
    """Name the class of what went wrong before there was a status."""
    return _ERRORS.get(reason, "broken_off")


def error_of_status(status: int) -> str:
    """Name the class of an answer; empty for success, which only 2xx is."""
    if 200 <= status < 300:
        return ""
    if status == GONE:
        return "gone"
    return "redirect" if 300 <= status < 400 else "status"


def shown(beginning: bytes) -> str:
    """Give what is kept of an answer: text that PostgreSQL can store."""
    text = beginning[: 4 * SHOWN].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return text[:SHOWN]


def delay_after(attempt: int, error: str) -> float | None:
    """Say how many seconds after a failed attempt the next one comes; None where none does.

    Args:
        attempt: its number, from 1.
        error: its class; empty for success.
    """
    if not error or error == "gone" or attempt > len(DELAYS):
        return None
    return DELAYS[attempt - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311 - spreads load


def health_after(health: Health, outcomes: Sequence[Outcome], now: datetime) -> Health:
    """Tell how an address stands after some more attempts; a success makes good what was before."""
    for outcome in outcomes:
        if not outcome.error:
            health = Health()
            continue
        health = replace(
            health,
            failures=health.failures + 1,
            failing_since=health.failing_since or now,
            given_up=health.given_up + (outcome.delay_s is None),
        )
    return health


def reason_to_disable(health: Health, outcomes: Sequence[Outcome], now: datetime) -> str | None:
    """Say why nothing more should be delivered to an address; None if it should."""
    if any(outcome.error == "gone" for outcome in outcomes):
        return "gone"
    long_failing = health.failing_since is not None and now - health.failing_since > LONGEST_FAILING
    return "failing" if long_failing or health.given_up >= MOST_GIVEN_UP else None


def rest_after(health: Health) -> float:
    """Say how many seconds an address is left alone: none at first, then longer and longer."""
    if health.failures < 3:
        return 0.0
    return min(2.0 ** min(health.failures - 3, 10), LONGEST_REST)
