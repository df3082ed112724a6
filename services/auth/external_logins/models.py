"""Trusted issuers, what their tokens say, and external identities on the wire and in rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from shared.agents_wire import Timestamp
from shared.api import Answer, Body, Query

LONGEST_TOKEN: Final = 32_768
"""Characters of an ID token; group lists make them long."""

LONGEST_SUBJECT: Final = 255
"""Characters of ``sub`` (OpenID Connect Core, section 2)."""

DEFAULT_PREFIX: Final = "oidc"

# What stands below /auth itself, or may one day.
_RESERVED: Final = frozenset({"verify", "verify-email", "device", "code", "login", "logout"})


def _is_issuer(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isascii():
        raise ValueError("must be https:// and a host, in ASCII")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must have no user, query or fragment")
    _ = parts.port  # raises ValueError when it is no port
    return value


def _is_free(value: str) -> str:
    if value in _RESERVED:
        raise ValueError("is reserved; choose another")
    return value


def _is_domain(value: str) -> str:
    if "@" in value or "." not in value:
        raise ValueError("must be a domain, such as example.org")
    return value.lower()


class TrustedIssuer(BaseModel):
    """An OpenID Connect issuer that this installation trusts, as the settings name it.

    Attributes:
        name: in ``/auth/<name>``.
        issuer: as discovery and tokens write it, to the letter.
        client_id: under which the issuer knows this installation.
        client_secret: None for a public client.
        label: on the button of the sign-in page.
        scopes: asked for at sign-in.
        groups_claim: the claim that lists the groups of a subject.
        sign_in: whether people may sign in with it.
        agents: whether its ID tokens are taken at ``/api/v0/auth/external``.
        trusted_email: whether its word that an address is verified is believed.
        allowed_domains: of addresses that may sign in; empty for all.
        auto_register: whether a stranger's first sign-in makes an account.
        subject_prefix: in front of its subjects on the agents surface.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$"), AfterValidator(_is_free)]
    issuer: Annotated[str, Field(max_length=500), AfterValidator(_is_issuer)]
    client_id: Annotated[str, Field(min_length=1, max_length=500)]
    client_secret: SecretStr | None = None
    label: Annotated[str, Field(max_length=60)] = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    sign_in: bool = True
    agents: bool = False
    trusted_email: bool = False
    allowed_domains: tuple[Annotated[str, AfterValidator(_is_domain)], ...] = ()
    auto_register: bool = False
    subject_prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]{0,30}$")] = DEFAULT_PREFIX

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not (self.sign_in or self.agents):
            raise ValueError("sign_in or agents must be true")
        if self.auto_register and not self.trusted_email:
            raise ValueError("auto_register needs trusted_email")
        if "openid" not in self.scopes:
            raise ValueError("scopes must hold openid")
        return self

    @property
    def title(self) -> str:
        """The issuer's name for people."""
        return self.label or self.name.replace("-", " ").title()

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, where https is not asked for in development."""
        host = urlsplit(self.issuer).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    @property
    def is_https(self) -> bool:
        """Whether it is reached over TLS; its endpoints then must be too."""
        return self.issuer.startswith("https://")


_ISSUERS: Final = TypeAdapter(tuple[TrustedIssuer, ...])


def read_issuers(text: str) -> tuple[TrustedIssuer, ...]:
    """Read the setting ``issuers``: a JSON list of objects, one an issuer.

    Raises:
        ValueError: naming every problem, and no value.
    """
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON list of objects") from None
    try:
        issuers = _ISSUERS.validate_python(document)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        raise ValueError("; ".join(_said(fault["loc"], fault["msg"]) for fault in faults)) from None
    taken = [issuer for issuer in issuers if issuer.agents]
    problems = [f"name {name} stands twice" for name in _doubled(each.name for each in issuers)]
    clients = _doubled(f"{each.client_id} at {each.issuer}" for each in taken)
    problems += [f"agents has {client} twice" for client in clients]
    meant = {(each.subject_prefix, each.issuer) for each in taken}
    prefixes = _doubled(prefix for prefix, _ in meant)
    problems += [f"two issuers of agents have the subject_prefix {prefix}" for prefix in prefixes]
    if problems:
        raise ValueError("; ".join(problems))
    return issuers


def _doubled(values: Iterable[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if count > 1)


def _said(loc: tuple[str | int, ...], message: str) -> str:
    place = ".".join(str(part) for part in loc)
    return f"{place}: {message}" if place else message


@dataclass(frozen=True, slots=True)
class Provider:
    """One button of the sign-in page.

    Attributes:
        name: signing in begins at ``/auth/<name>``.
        label: for people.
    """

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What an issuer says of itself (OpenID Connect Discovery 1.0, section 3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    names_itself: bool
    """Whether it sends ``iss`` with every answer (RFC 9207), so that its absence is a forgery."""
    secret_in_body: bool
    """Whether it takes the client secret only in the form, not as HTTP Basic."""


@dataclass(frozen=True, slots=True, repr=False)
class TokenAnswer:
    """What the token endpoint gave for a code."""

    id_token: str
    access_token: str | None


@dataclass(frozen=True, slots=True)
class IdClaims:
    """The verified content of an ID token.

    Attributes:
        issuer: ``iss``.
        subject: ``sub``, unique within the issuer and never reassigned.
        email: the address, or None.
        email_verified: true only where the issuer says ``true``.
        name: what to call the person; empty if it does not say.
        groups: of the claim that the settings name.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str
    groups: tuple[str, ...]


class ProviderConfig(Body):
    """Which issuer's token is shown, and for which client it was made."""

    issuer: Annotated[str, Field(max_length=500)]
    client_id: Annotated[str, Field(max_length=500)]


class ExternalLogin(Body):
    """``POST /api/v0/auth/external`` (agents contract, section 3).

    Form 1 shows an issuer's ID token; form 2 names a subject.
    """

    provider: Annotated[str | None, Field(max_length=50)] = None
    token: Annotated[str | None, Field(max_length=LONGEST_TOKEN, repr=False)] = None
    provider_config: ProviderConfig | None = None
    subject: Annotated[str | None, Field(min_length=1, max_length=300)] = None


class ExternalPrincipal(Answer):
    """Whom a token was exchanged for."""

    user: str
    namespace: str | None = None
    provider: str


class ExternalToken(Answer):
    """The answer to form 1."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a token's type, not a token
    expires_at: Timestamp
    service_account: ExternalPrincipal


class BeginQuery(Query):
    """``GET /auth/{provider}``."""

    redirect_to: str = ""


class CallbackQuery(Query):
    """``GET /auth/{provider}/callback`` (RFC 6749, section 4.1.2; RFC 9207)."""

    state: Annotated[str, Field(repr=False)] = ""
    code: Annotated[str, Field(repr=False)] = ""
    error: str = ""
    iss: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Begun:
    """A sign-in that leaves for an issuer.

    Attributes:
        address: where the browser goes.
        cookie: the value that binds the answer to this browser.
    """

    address: str
    cookie: str


@dataclass(frozen=True, slots=True, repr=False)
class PendingLogin:
    """A row of ``auth.external_login`` that was just used up.

    ``account_id`` is the account that a new identity is to be linked to, or None to sign in.
    """

    nonce: str
    sealed_verifier: bytes
    return_to: str
    account_id: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """An external identity of an account, as its owner sees it."""

    issuer: str
    subject: str
    created_at: datetime
    last_login_at: datetime


@dataclass(frozen=True, slots=True)
class Linked:
    """The account behind an identity, and whether it may act."""

    account_id: str
    is_barred: bool
