"""Composition root of the auth service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from services.auth.accounts import routes as accounts
from services.auth.accounts.operations import ensure_administrator
from services.auth.api_keys import routes as api_keys
from services.auth.mail.operations import MailSender, Transmit, by_smtp, into_folder
from services.auth.organizations import routes as organizations
from services.auth.passwords.operations import Passwords
from services.auth.sessions import routes as sessions
from services.auth.sessions.operations import sweep
from services.auth.settings import AuthSettings
from services.auth.signing_keys import routes as signing_keys
from services.auth.signing_keys.operations import KeyRing, open_key_ring
from shared import service
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger
from shared.service import SWEEP_INTERVAL, Resources, Service

log = get_logger()


@asynccontextmanager
async def open_resources(settings: AuthSettings, database: Database) -> AsyncIterator[Resources]:
    """Open what endpoints need beside the database, and see that an administrator is there."""
    async with AsyncExitStack() as stack:
        passwords = await stack.enter_async_context(Passwords.opened())
        mail = await stack.enter_async_context(
            MailSender.opened(database, _transmit(settings), settings.sender, settings.host_name)
        )
        if settings.admin_email is not None and settings.admin_password is not None:
            password = settings.admin_password.get_secret_value()
            await ensure_administrator(database, passwords, settings.admin_email, password)
        keys = await open_key_ring(database, settings.seeds())
        sweeper = asyncio.create_task(_sweep(database), name="session sweep")
        stack.push_async_callback(_cancel, sweeper)
        yield {AuthSettings: settings, Passwords: passwords, MailSender: mail, KeyRing: keys}


def _transmit(settings: AuthSettings) -> Transmit:
    if settings.smtp_url is not None:
        return by_smtp(settings.smtp_url.get_secret_value(), settings.host_name)
    if not settings.is_development:
        log.warning("mail is written to files", reason="GUILDHALL_SMTP_URL is not set")
    return into_folder(settings.data_dir / "mail")


async def _sweep(database: Database) -> None:
    while True:
        try:
            await sweep(database)
        except Unavailable:
            log.info("sweep postponed", reason="database unavailable")
        await asyncio.sleep(SWEEP_INTERVAL)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


SERVICE: Final = Service(
    name="auth",
    settings=AuthSettings,
    migrations=Path(__file__).parent / "migrations",
    operations=(
        *accounts.OPERATIONS,
        *sessions.OPERATIONS,
        *api_keys.OPERATIONS,
        *organizations.OPERATIONS,
        *signing_keys.OPERATIONS,
    ),
    open_resources=open_resources,
)


def create_app(settings: AuthSettings) -> ASGIApp:
    """Make the ASGI app; its lifespan opens and closes the service."""
    return service.create_app(SERVICE, settings)
