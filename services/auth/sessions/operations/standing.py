"""Whether sessions hold, and which ones a person has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from services.auth.api_keys import operations as api_keys
from services.auth.api_keys.models import ID_PREFIX as KEY_PREFIX
from services.auth.sessions import rules, store
from services.auth.sessions.models import SessionCheck, SessionItem, SessionVerdict
from shared.db import Database
from shared.pagination import TOTAL_CAP, Page, PageQuery, page_of
from shared.principal import Kind, Principal

SWEEP_BATCH: Final = 10_000


@dataclass(frozen=True, slots=True)
class SessionChecks:
    """Who answers for sessions that are kept elsewhere, by how their ids begin.

    Each is asked with the session's id and its subject.
    """

    by_prefix: Mapping[str, Callable[[Database, str, str], Awaitable[SessionVerdict]]]


async def check(database: Database, others: SessionChecks, asked: SessionCheck) -> SessionVerdict:
    """Tell whether the session of a token still holds, and with which role and scopes.

    The session of a token that was bought with an API key is that key. Notes that the session was
    used, at most once a minute.
    """
    for prefix, answer in others.by_prefix.items():
        if asked.session_id.startswith(prefix):
            return await answer(database, asked.session_id, asked.account_id)
    if asked.session_id.startswith(KEY_PREFIX):
        key = await api_keys.check_id(database, asked.org_id, asked.session_id)
        if not key.active or key.account_id != asked.account_id:
            return SessionVerdict(active=False)
        return SessionVerdict(active=True, kind=Kind.API_KEY, role=key.role, scopes=key.scopes)
    async with database.connection() as connection:
        standing = await store.find_standing(
            connection, asked.org_id, asked.session_id, asked.account_id
        )
        if standing is None:
            return SessionVerdict(active=False)
        if not standing["is_use_noted"]:
            await store.note_use(connection, asked.org_id, asked.session_id, asked.account_id)
    return SessionVerdict(
        active=True,
        kind=Kind.USER,
        role=rules.role_of(standing["role"], standing["platform_admin"]),
        scopes=rules.scopes_of(standing["platform_admin"]),
    )


async def list_sessions(
    database: Database, principal: Principal, query: PageQuery
) -> Page[SessionItem]:
    """List the caller's sessions that hold, newest first.

    Raises:
        Forbidden: no person is calling.
    """
    principal.require_person()
    async with database.connection() as connection:
        items = await store.list_live(
            connection, principal.account, principal.session, query.page_size, query.offset
        )
        total = await store.count_live(connection, principal.account, TOTAL_CAP)
    return page_of(items, total, query)


async def sweep(database: Database) -> None:
    """Drop sessions that expired long ago."""
    async with database.connection() as connection:
        while await store.delete_expired(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass
