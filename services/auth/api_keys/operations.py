"""Use cases of API keys."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from services.auth.api_keys import rules, store
from services.auth.api_keys.models import (
    ID_PREFIX,
    ApiKeyItem,
    CreatedApiKey,
    KeyStanding,
    KeyVerdict,
    NewApiKey,
)
from services.auth.organizations.operations import require_visible
from shared.bus import outbox
from shared.contracts.auth import ApiKeyCreated, ApiKeyRevoked
from shared.db import Connection, Database
from shared.errors import NotFound
from shared.ids import new_id
from shared.pagination import TOTAL_CAP, Page, PageQuery, page_of
from shared.principal import Principal


async def create(
    database: Database, principal: Principal, org_id: str, wanted: NewApiKey
) -> CreatedApiKey:
    """Make a key that acts for the caller in an organization. Says api_key.created.

    Raises:
        NotFound: the organization is not one the caller administers.
        Invalid: the expiry is over.
        Forbidden: a scope is not the caller's to grant.
    """
    rules.check_expiry(wanted.expires_at, datetime.now(UTC))
    scopes = rules.granted(wanted.scopes, principal.is_platform_admin)
    key, key_id = rules.key_of(secrets.token_bytes(32)), new_id(ID_PREFIX)
    prefix = rules.prefix_of(key)
    async with database.transaction() as connection:
        await require_visible(connection, principal, org_id)
        created_at = await store.insert(
            connection,
            org_id,
            key_id,
            principal.account,
            wanted.name,
            prefix,
            rules.digest_of(key),
            scopes,
            wanted.expires_at,
        )
        created = ApiKeyCreated(key_id=key_id, org_id=org_id, account_id=principal.account)
        await outbox.add(connection, created)
    return CreatedApiKey(
        id=key_id,
        name=wanted.name,
        key=key,
        prefix=prefix,
        scopes=scopes,
        created_at=created_at,
        expires_at=wanted.expires_at,
    )


async def list_keys(
    database: Database, principal: Principal, org_id: str, query: PageQuery
) -> Page[ApiKeyItem]:
    """List an organization's keys, newest first.

    Raises:
        NotFound: the organization is not one the caller administers.
    """
    async with database.connection() as connection:
        await require_visible(connection, principal, org_id)
        items = await store.list_live(connection, org_id, query.page_size, query.offset)
        total = await store.count_live(connection, org_id, TOTAL_CAP)
    return page_of(items, total, query)


async def revoke(database: Database, principal: Principal, org_id: str, key_id: str) -> None:
    """Revoke a key, and with it every token bought with it. Says api_key.revoked.

    Raises:
        NotFound: no such key, or not in an organization the caller administers.
    """
    async with database.transaction() as connection:
        await require_visible(connection, principal, org_id)
        if not await store.revoke(connection, org_id, key_id):
            raise NotFound
        await outbox.add(connection, ApiKeyRevoked(key_id=key_id, org_id=org_id))


async def check(database: Database, key: str) -> KeyVerdict:
    """Tell whether a key that somebody shows holds."""
    return await check_digest(database, rules.digest_of(key))


async def check_digest(database: Database, digest: bytes) -> KeyVerdict:
    """Tell whether the key of this SHA-256 holds, and note that it was used."""
    async with database.connection() as connection:
        return await _decide(connection, await store.find_by_digest(connection, digest))


async def check_id(database: Database, org_id: str, key_id: str) -> KeyVerdict:
    """Tell whether a key by which a token was bought still holds, and note that it was used."""
    async with database.connection() as connection:
        return await _decide(connection, await store.find_by_id(connection, org_id, key_id))


async def _decide(connection: Connection, standing: KeyStanding | None) -> KeyVerdict:
    verdict = rules.verdict(standing)
    if standing is not None and verdict.active and not standing.is_use_noted:
        await store.note_use(connection, standing.org_id, standing.id)
    return verdict
