"""Composition root of the auth service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from pydantic import SecretStr
from starlette.types import ASGIApp

from services.auth import consumers
from services.auth.accounts import operations as people
from services.auth.accounts import routes as accounts
from services.auth.accounts.operations import ensure_administrator
from services.auth.api_keys import routes as api_keys
from services.auth.audit_events import routes as audit_events
from services.auth.device_logins import operations as devices
from services.auth.device_logins import routes as device_logins
from services.auth.erasures import routes as erasures
from services.auth.external_logins import operations as external
from services.auth.external_logins import routes as external_logins
from services.auth.invitations import operations as letters_of_invitation
from services.auth.invitations import routes as invitations
from services.auth.machines import routes as machines
from services.auth.mail.operations import MailSender, Transmit, by_smtp, into_folder
from services.auth.organizations import routes as organizations
from services.auth.pages import routes as pages
from services.auth.password_resets import operations as lost_passwords
from services.auth.password_resets import routes as password_resets
from services.auth.passwords.operations import Passwords
from services.auth.refresh_tokens import operations as refresh_tokens
from services.auth.role_bindings import routes as role_bindings
from services.auth.roles import routes as roles
from services.auth.roles.operations import Access
from services.auth.service_accounts import operations as principals
from services.auth.service_accounts import routes as service_accounts
from services.auth.sessions import routes as sessions
from services.auth.sessions.operations import Desk, SessionChecks, sweep
from services.auth.settings import AuthSettings
from services.auth.setup import routes as setup
from services.auth.signing_keys import routes as signing_keys
from services.auth.signing_keys.operations import KeyRing, open_key_ring
from services.auth.stats import routes as stats
from services.auth.throttles import operations as throttles
from services.auth.two_factor import operations as second_factors
from services.auth.two_factor import routes as two_factor
from services.auth.users import routes as users
from services.auth.waitlist import routes as waitlist
from services.auth.web_sessions import routes as web_sessions
from shared import service
from shared.bus import Transport
from shared.db import Database
from shared.log import get_logger
from shared.service import Resources, Service, Sweep
from shared.siblings import Siblings
from shared.vault import Vault

log = get_logger()


@asynccontextmanager
async def open_resources(
    settings: AuthSettings, database: Database, transport: Transport
) -> AsyncIterator[Resources]:
    """Open what endpoints need beside the database, and see that an administrator is there."""
    async with AsyncExitStack() as stack:
        passwords = await stack.enter_async_context(Passwords.opened(_hasher(settings)))
        mail = await stack.enter_async_context(
            MailSender.opened(database, _transmit(settings), settings.sender, settings.host_name)
        )
        if settings.admin_email is not None and settings.admin_password is not None:
            password = settings.admin_password.get_secret_value()
            await ensure_administrator(database, passwords, settings.admin_email, password)
        await principals.ensure_bootstrap(
            database,
            passwords,
            _shown(settings.service_admin_password),
            is_development=settings.is_development,
        )
        issuers = await stack.enter_async_context(external.open_issuers(settings))
        siblings = await stack.enter_async_context(Siblings.opened("auth", settings.siblings()))
        keys = await open_key_ring(database, settings.seeds())
        vault = Vault(settings.key_for_secrets())
        yield {
            AuthSettings: settings,
            Passwords: passwords,
            MailSender: mail,
            KeyRing: keys,
            Vault: vault,
            Siblings: siblings,
            external.Issuers: issuers,
            SessionChecks: SessionChecks({principals.SESSION_PREFIX: principals.check_session}),
            Access: Access(database),
            Desk: Desk(database, passwords, vault, keys, settings.public_url),
        }


def _hasher(settings: AuthSettings) -> PasswordHasher:
    return PasswordHasher(time_cost=settings.password_passes, memory_cost=settings.password_memory)


def _shown(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _transmit(settings: AuthSettings) -> Transmit:
    if settings.smtp_url is not None:
        return by_smtp(settings.smtp_url.get_secret_value(), settings.host_name)
    if not settings.is_development:
        log.warning("mail is written to files", reason="GUILDHALL_SMTP_URL is not set")
    return into_folder(settings.data_dir / "mail")


SWEEPS: Final[Sequence[Sweep]] = (
    sweep,
    refresh_tokens.sweep,
    second_factors.sweep,
    throttles.sweep,
    devices.sweep,
    letters_of_invitation.sweep,
    people.sweep,
    lost_passwords.sweep,
    external.sweep,
    principals.sweep,
)


def sweeps(resources: Resources) -> Sequence[Sweep]:
    """Give the clean-ups; none needs a resource."""
    return SWEEPS


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
        *audit_events.OPERATIONS,
        *two_factor.OPERATIONS,
        *password_resets.OPERATIONS,
        *erasures.OPERATIONS,
        *users.OPERATIONS,
        *setup.OPERATIONS,
        *invitations.OPERATIONS,
        *waitlist.OPERATIONS,
        *stats.OPERATIONS,
        *device_logins.OPERATIONS,
        *machines.OPERATIONS,
        *web_sessions.OPERATIONS,
        *pages.OPERATIONS,
        *service_accounts.OPERATIONS,
        *roles.OPERATIONS,
        *role_bindings.OPERATIONS,
        *external_logins.OPERATIONS,
    ),
    subscriptions=consumers.subscriptions,
    open_resources=open_resources,
    sweeps=sweeps,
    on_refused=audit_events.note_refusal,
)


def create_app(settings: AuthSettings) -> ASGIApp:
    """Make the ASGI app; its lifespan opens and closes the service."""
    return service.create_app(SERVICE, settings)
