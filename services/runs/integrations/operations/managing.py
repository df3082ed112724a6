"""Showing, changing and trying an organization's settings (contract, 3.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from services.runs.integrations import rules, store
from services.runs.integrations.models import (
    KEYS,
    MASK,
    URLS,
    Outcome,
    SettingsChange,
    SettingsShown,
    Trackers,
    Tried,
)
from services.runs.integrations.operations.channels import configured, say
from services.runs.integrations.operations.reading import values
from services.runs.settings import RunsSettings
from shared.bus import outbox
from shared.contracts.runs import SettingsChanged
from shared.db import Connection, Database
from shared.errors import BadRequest, Fault, Invalid
from shared.fetch import NO_ADDRESS, Fetcher, FetchFailed
from shared.fetch import NOT_ALLOWED as CLOSED
from shared.log import get_logger
from shared.principal import Principal
from shared.vault import Vault

NOT_ALLOWED: Final = (
    "{name}: this address may not be reached: only http and https, no user and password in it, "
    "and no private network unless GUILDHALL_URL_ALLOW (or TRIPWIRE_URL_ALLOW) lists its host"
)

log = get_logger()


async def show(
    database: Database, vault: Vault, settings: RunsSettings, org_id: str
) -> SettingsShown:
    """Give what holds for an organization, secrets masked."""
    held = await _held(database, vault, settings, org_id)
    names = (key.name for key in KEYS if key.name in held)
    return SettingsShown.model_validate({name: rules.shown(name, held[name]) for name in names})


async def change(
    database: Database,
    vault: Vault,
    settings: RunsSettings,
    fetcher: Fetcher,
    principal: Principal,
    wanted: SettingsChange,
) -> SettingsShown:
    """Store what is given; null and what looks like a masked value keep what is there.

    Only keys that are given are written, so two who change different ones lose nothing. Says
    settings.changed, with names only.

    Raises:
        BadRequest: ``url_not_allowed``: an address may not be reached.
        Invalid: a value makes no sense.
    """
    given = wanted.model_dump(exclude_none=True)
    kept = {name: value for name, value in given.items() if not value.startswith(MASK)}
    cleared = [name for name, value in kept.items() if not value]
    written = _checked({name: value for name, value in kept.items() if value})
    await _refuse_closed(fetcher, written)
    sealed = {name: vault.seal(value.encode()) for name, value in written.items()}
    if kept:
        async with database.transaction() as connection:
            await store.lock(connection, principal.org)
            await store.clear(connection, principal.org, cleared)
            await store.write(connection, principal.org, sealed)
            told = SettingsChanged(
                org_id=principal.org,
                account_id=principal.account or principal.subject,
                written=tuple(sorted(written)),
                cleared=tuple(sorted(cleared)),
            )
            await outbox.add(connection, told)
        log.info(
            "settings changed",
            org_id=told.org_id,
            by=told.account_id,
            written=told.written,
            cleared=told.cleared,
        )
    return await show(database, vault, settings, principal.org)


def _checked(given: Mapping[str, str]) -> dict[str, str]:
    found, faults = {}, list[Fault]()
    for name, value in given.items():
        try:
            found[name] = rules.checked(name, value)
        except Invalid as error:
            faults.extend(error.faults)
    if faults:
        raise Invalid(faults)
    return found


async def _refuse_closed(fetcher: Fetcher, written: Mapping[str, str]) -> None:
    names = [name for name in URLS if name in written]
    found = await asyncio.gather(*(_is_closed(fetcher, written[name]) for name in names))
    for name, is_closed in zip(names, found, strict=True):
        if is_closed:
            raise BadRequest(NOT_ALLOWED.format(name=name), code="url_not_allowed")


async def _is_closed(fetcher: Fetcher, url: str) -> bool:
    """Tell whether an address may not be reached; a name may come to be known some other day."""
    try:
        await fetcher.check(url)
    except FetchFailed as failed:
        return failed.reason in (CLOSED, NO_ADDRESS)
    return False


async def test_notification(
    database: Database,
    vault: Vault,
    settings: RunsSettings,
    fetcher: Fetcher,
    principal: Principal,
) -> Outcome:
    """Say something in every channel, and tell what came of it.

    Raises:
        BadRequest: there is no channel.
    """
    held = await _held(database, vault, settings, principal.org)
    channels = configured(held)
    if not channels:
        raise BadRequest(
            "No channel is configured: set SLACK_WEBHOOK_URL, TEAMS_WEBHOOK_URL or WEBHOOK_URL"
        )

    async def tried(channel: str) -> Tried:
        message = rules.test_message(channel)
        said = await say(fetcher, held, channel, message, f"dlv_{uuid4().hex}")
        return Tried(channel=channel, ok=not said.error, error=said.error or None)

    results = await asyncio.gather(*map(tried, channels))
    log.info("channels tried", org_id=principal.org, channels=channels)
    return Outcome(ok=all(each.ok for each in results), results=list(results))


async def trackers(
    database: Database, vault: Vault, settings: RunsSettings, org_id: str
) -> Trackers:
    """Tell which trackers have complete credentials."""
    held = await _held(database, vault, settings, org_id)
    return Trackers.model_validate(rules.trackers(held))


async def _held(
    database: Database, vault: Vault, settings: RunsSettings, org_id: str
) -> Mapping[str, str]:
    async with database.connection() as connection:
        return await values(connection, vault, settings, org_id)


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all that an organization has stored."""
    await store.forget(connection, org_id)
