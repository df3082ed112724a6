"""Counters of the installation (learnings contract, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from shared.api import Answer


class Stats(Answer):
    """``GET /v1/admin/stats``: how many there are of each, over all organizations.

    Small tables are counted; of a table over 10,000 rows PostgreSQL's own statistics say about how
    many there are, and the counter's name stands in ``estimated``.
    """

    accounts: int
    verified_accounts: int
    organizations: int
    active_sessions: int
    active_api_keys: int
    machines: int
    waiting: int
    open_erasures: int
    estimated: list[str]


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows of a table are of a kind, and whether that is an estimate."""

    number: int
    is_estimate: bool
