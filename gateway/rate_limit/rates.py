"""The rate classes: how often each may be asked, how its buckets fill, and what it guards.

The numbers are the contracts' (teams section 9, learnings 2.2, runs 13); ``GUILDHALL_RATE_LIMITS``
changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NEVER_REFUSED: Final = frozenset({"device", "health"})
"""Classes that are counted but never answer 429: a 429 would abort a device login (learnings
contract, section 2.2), and a throttled liveness probe would restart the process."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    limit: int
    window: float


_DEFAULTS: Final = {
    "learnings": Rate(500, 60),
    "sync": Rate(500, 60),
    "telemetry": Rate(500, 60),
    "auth": Rate(120, 60),
    "device": Rate(600, 60),
    "runs": Rate(600, 60),
    "signed": Rate(60, 60),
    "signed_address": Rate(600, 60),
    "failed_signature": Rate(120, 60),
    "clone": Rate(60, 60),
    "device_start": Rate(10, 60),
    "device_poll": Rate(60, 60),
    "claim": Rate(10, 60),
    "claim_address": Rate(30, 60),
    "account": Rate(60, 60),
    "agents": Rate(1200, 60),
    "web_login": Rate(10, 60),
    "pages": Rate(600, 60),
    "preflight": Rate(3000, 60),
    "health": Rate(600, 60),
}

CLASSES: Final = frozenset(_DEFAULTS)

FIXED_WINDOWS: Final = frozenset(
    {
        "signed",
        "signed_address",
        "failed_signature",
        "clone",
        "device_start",
        "device_poll",
        "claim",
        "claim_address",
        "web_login",
        "account",
    }
)
"""Classes whose buckets fill at once, a window after their first request."""

GUARDS_SECRETS: Final = frozenset({"auth", "web_login", "claim", "claim_address", "device_start"})
"""Classes that slow down guesses: at passwords, second factors, claim secrets and the short codes
of device logins. They close while a shared store is away, because each gateway alone would let
through a limit's worth of guesses. ``clone`` is open: clone tokens are too long to be guessed, so
its limit keeps load away, as every other class does."""


def default_rates() -> dict[str, Rate]:
    """Give the contracts' rates by class."""
    return dict(_DEFAULTS)


def parse_rates(text: str) -> dict[str, Rate]:
    """Read ``learnings=500/60 auth=120/60``: requests per seconds, separated by white space.

    Raises:
        ValueError: naming the entry that is not understood.
    """
    rates: dict[str, Rate] = {}
    for entry in text.split():
        name, _, value = entry.partition("=")
        limit, _, window = value.partition("/")
        if name not in CLASSES:
            raise ValueError(f"{name!r} is no class; classes are {', '.join(sorted(CLASSES))}")
        if name in rates:
            raise ValueError(f"{name} stands twice")
        if not (limit.isdecimal() and window.isdecimal() and int(limit) and int(window)):
            raise ValueError(f"{entry!r} is not class=requests/seconds")
        rates[name] = Rate(int(limit), float(int(window)))
    return rates
