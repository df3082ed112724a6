"""Taking an issuer's ID token on the agents surface (agents contract, section 3).

A token may be shown more than once while it holds, an hour after it was issued at most: clients
keep one and sign in again with it, and nothing in it says that it was meant for one use.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record_alone
from services.auth.external_logins.models import ExternalLogin, ExternalPrincipal, ExternalToken
from services.auth.external_logins.operations.issuers import Issuers
from services.auth.external_logins.rules import steps
from services.auth.external_logins.rules.id_tokens import BadIdToken
from services.auth.service_accounts.operations import open_subject_session
from services.auth.sessions.operations import Desk
from shared.db import Database
from shared.errors import BadRequest, Fault, Invalid, Unauthenticated
from shared.log import get_logger

BRIDGED: Final = frozenset({"oauth2", "saml"})

log = get_logger()


async def exchange_token(
    desk: Desk, issuers: Issuers, login: ExternalLogin, origin: Origin
) -> ExternalToken:
    """Open a session for the subject of an ID token.

    Raises:
        BadRequest: the provider is not ``oidc``.
        Invalid: a field is missing.
        Unauthenticated: the token does not hold, or its issuer or client is none of ours.
        Unavailable: the issuer's keys cannot be had.
    """
    if login.provider is not None and login.provider != "oidc":
        raise BadRequest(_unsupported(login.provider))
    config, token = login.provider_config, login.token
    if login.provider is None or config is None or token is None:
        raise Invalid([Fault(("body", name), "Field required", "missing") for name in _gaps(login)])
    issuer = issuers.of_token(config.issuer, config.client_id)
    if issuer is None:
        raise await _refused(desk.database, "", "unknown issuer", origin)
    try:
        claims = await issuer.read(token)
    except BadIdToken as error:
        raise await _refused(desk.database, issuer.trusted.name, error.reason, origin) from None
    others = (each.trusted for each in issuers.for_agents if each is not issuer)
    subject = steps.subject_of(issuer.trusted, claims)
    groups = steps.groups_of(issuer.trusted, claims, others)
    async with desk.database.transaction() as connection:
        opened = await open_subject_session(connection, desk, subject, groups, origin)
    return ExternalToken(
        token=opened.access_token,
        expires_at=datetime.now(UTC) + timedelta(seconds=opened.expires_in),
        service_account=ExternalPrincipal(user=subject, provider=login.provider),
    )


def _unsupported(provider: str) -> str:
    if provider in BRIDGED:
        return (
            f"Unsupported external provider '{provider}': put an OpenID Connect bridge in front"
            " of it, and trust that as an issuer"
        )
    return "Unsupported external provider"


def _gaps(login: ExternalLogin) -> list[str]:
    fields = ("provider", "token", "provider_config")
    return [name for name in fields if getattr(login, name) is None]


async def _refused(database: Database, issuer: str, reason: str, origin: Origin) -> Unauthenticated:
    log.info("external token refused", issuer=issuer, reason=reason)
    detail = {"issuer": issuer, "reason": reason}
    event = AuditEvent("external_login.opened", origin, refused=True, detail=detail)
    await record_alone(database, event)
    return Unauthenticated()
