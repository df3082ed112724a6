"""Use cases of external logins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.auth.external_logins.models import Provider
from services.auth.external_logins.operations.issuers import Issuers
from services.auth.external_logins.operations.sign_in import (
    begin,
    finish,
    list_for,
    sweep,
    unlink,
    unlink_all,
)
from services.auth.external_logins.operations.tokens import exchange_token
from services.auth.external_logins.rules.steps import cookie_in
from services.auth.external_logins.rules.steps import set_cookie as browser_cookie
from services.auth.settings import AuthSettings
from shared.fetch import Fetcher

__all__ = [
    "Issuers",
    "begin",
    "browser_cookie",
    "cookie_in",
    "exchange_token",
    "finish",
    "list_for",
    "open_issuers",
    "providers",
    "sweep",
    "unlink",
    "unlink_all",
]


@asynccontextmanager
async def open_issuers(settings: AuthSettings) -> AsyncIterator[Issuers]:
    """Open what speaks to the trusted issuers; nothing is fetched before it is needed."""
    async with Fetcher.opened(settings.targets()) as fetcher:
        yield Issuers(settings.trusted_issuers(), fetcher)


def providers(settings: AuthSettings) -> tuple[Provider, ...]:
    """List the issuers that people can sign in with, for the buttons of the sign-in page."""
    return tuple(
        Provider(issuer.name, issuer.title)
        for issuer in settings.trusted_issuers()
        if issuer.sign_in
    )
