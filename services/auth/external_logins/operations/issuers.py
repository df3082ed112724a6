"""What we know of each trusted issuer, and what we ask it (OpenID Connect Core and Discovery)."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote_plus, urlsplit

from services.auth.external_logins.models import (
    Discovery,
    IdClaims,
    TokenAnswer,
    TrustedIssuer,
)
from services.auth.external_logins.operations.kept import Clock, Kept
from services.auth.external_logins.rules.id_tokens import (
    Expected,
    IssuerKey,
    UnknownKey,
    read_keys,
    verify,
    with_userinfo,
)
from shared.errors import NotFound, Unauthenticated, Unavailable
from shared.fetch import Fetcher, FetchFailed
from shared.log import get_logger

DISCOVERY_LIFE: Final = 3600.0
KEYS_LIFE: Final = 600.0
LONGEST_ADDRESS: Final = 2000

log = get_logger()


class Issuer:
    """A trusted issuer and what we know of it."""

    def __init__(self, trusted: TrustedIssuer, fetcher: Fetcher, clock: Clock) -> None:
        self.trusted = trusted
        self._fetcher = fetcher
        self._discovery = Kept(trusted.name, self._fetch_discovery, DISCOVERY_LIFE, clock)
        self._keys = Kept(trusted.name, self._fetch_keys, KEYS_LIFE, clock)

    async def discovery(self) -> Discovery:
        """Give what the issuer says of itself.

        Raises:
            Unavailable: it is away.
        """
        return await self._discovery.get()

    async def read(
        self, token: str, *, nonce: str | None = None, access_token: str | None = None
    ) -> IdClaims:
        """Check one of its ID tokens and give what it says.

        Raises:
            BadIdToken: it does not hold.
            Unavailable: its keys cannot be had.
        """
        trusted = self.trusted
        expected = Expected(
            trusted.issuer, trusted.client_id, trusted.groups_claim, nonce, access_token
        )
        keys = await self._keys.get()
        try:
            return verify(token, keys, expected, time.time())
        except UnknownKey:
            return verify(token, await self._keys.renew(keys), expected, time.time())

    async def identify(self, answer: TokenAnswer, nonce: str) -> IdClaims:
        """Tell who signed in, by the ID token of a code, and by userinfo for what it leaves out.

        Raises:
            BadIdToken: it does not hold, or the two speak of different subjects.
            Unavailable: the issuer is away.
        """
        access = answer.access_token
        claims = await self.read(answer.id_token, nonce=nonce, access_token=access)
        address = (await self.discovery()).userinfo_endpoint
        if claims.email is not None or access is None or address is None:
            return claims
        try:
            given = await self._fetcher.get(address, {"authorization": f"Bearer {access}"})
        except FetchFailed as error:
            raise self._no_answer(error.reason) from None
        if given.status != 200 or given.document is None:
            log.info("userinfo gives nothing", issuer=self.trusted.name, status=given.status)
            return claims
        return with_userinfo(claims, given.document)

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> TokenAnswer:
        """Exchange a code at the token endpoint (OpenID Connect Core, section 3.1.3).

        Raises:
            Unauthenticated: the issuer does not take the code.
            Unavailable: it is away.
        """
        discovery = await self.discovery()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = self._introduce(discovery, form)
        try:
            answer = await self._fetcher.post(discovery.token_endpoint, form, headers)
        except FetchFailed as error:
            raise self._no_answer(error.reason) from None
        if answer.status >= 500 or answer.status == 429:
            raise self._no_answer(str(answer.status))
        document = answer.document or {}
        token, access = document.get("id_token"), document.get("access_token")
        if answer.status != 200 or not isinstance(token, str):
            reason = document.get("error") if answer.status != 200 else "no id_token"
            log.warning("code not taken", issuer=self.trusted.name, reason=str(reason)[:60])
            raise Unauthenticated
        return TokenAnswer(token, access if isinstance(access, str) else None)

    def _introduce(self, discovery: Discovery, form: dict[str, str]) -> dict[str, str]:
        """Say who we are: by HTTP Basic (RFC 6749, section 2.3.1), in the form, or by name only."""
        trusted = self.trusted
        if trusted.client_secret is None:
            form["client_id"] = trusted.client_id
            return {}
        secret = trusted.client_secret.get_secret_value()
        if discovery.secret_in_body:
            form |= {"client_id": trusted.client_id, "client_secret": secret}
            return {}
        pair = f"{quote_plus(trusted.client_id)}:{quote_plus(secret)}"
        return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}

    def _no_answer(self, reason: str) -> Unavailable:
        log.warning("issuer gives no answer", issuer=self.trusted.name, reason=reason)
        return Unavailable("The issuer cannot be reached; try again", retry_after=5)

    async def _fetch_discovery(self) -> Discovery:
        address = f"{self.trusted.issuer.rstrip('/')}/.well-known/openid-configuration"
        answer = await self._fetcher.get(address)
        document = answer.document
        if answer.status != 200 or document is None:
            raise FetchFailed(f"discovery answered {answer.status}")
        if document.get("issuer") != self.trusted.issuer:
            raise FetchFailed("discovery names another issuer")
        userinfo = document.get("userinfo_endpoint")
        methods = document.get("token_endpoint_auth_methods_supported")
        return Discovery(
            authorization_endpoint=self._endpoint(document.get("authorization_endpoint")),
            token_endpoint=self._endpoint(document.get("token_endpoint")),
            jwks_uri=self._endpoint(document.get("jwks_uri")),
            userinfo_endpoint=self._endpoint(userinfo) if userinfo is not None else None,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
            secret_in_body=isinstance(methods, list)
            and "client_secret_post" in methods
            and "client_secret_basic" not in methods,
        )

    def _endpoint(self, address: object) -> str:
        if isinstance(address, str) and address.isascii() and len(address) <= LONGEST_ADDRESS:
            parts = urlsplit(address)
            schemes = ("https",) if self.trusted.is_https else ("https", "http")
            if parts.scheme in schemes and parts.hostname and address.isprintable():
                return address
        raise FetchFailed("discovery names an endpoint that is no address")

    async def _fetch_keys(self) -> tuple[IssuerKey, ...]:
        try:
            discovery = await self.discovery()
        except Unavailable:
            raise FetchFailed("no discovery") from None
        answer = await self._fetcher.get(discovery.jwks_uri)
        if answer.status != 200:
            raise FetchFailed(f"the key set answered {answer.status}")
        try:
            return read_keys(answer.document)
        except ValueError as error:
            raise FetchFailed(str(error)) from None


class Issuers:
    """The issuers that this installation trusts: a resource of the service."""

    def __init__(
        self, trusted: Sequence[TrustedIssuer], fetcher: Fetcher, clock: Clock = time.monotonic
    ) -> None:
        self.all = tuple(Issuer(each, fetcher, clock) for each in trusted)

    @property
    def for_agents(self) -> tuple[Issuer, ...]:
        """Those whose tokens are taken on the agents surface."""
        return tuple(issuer for issuer in self.all if issuer.trusted.agents)

    def of_token(self, issuer: str, client_id: str) -> Issuer | None:
        """Find the one whose tokens for this client are taken on the agents surface."""
        for each in self.for_agents:
            if (each.trusted.issuer, each.trusted.client_id) == (issuer, client_id):
                return each
        return None

    def for_sign_in(self, name: str) -> Issuer:
        """Find the one that people sign in with under a name.

        Raises:
            NotFound: none is configured.
        """
        for each in self.all:
            if each.trusted.name == name and each.trusted.sign_in:
                return each
        raise NotFound("No such way to sign in is set up here")
