"""The authenticators: each says Principal, *not mine*, or *refused*, or that auth must be asked.

*Not mine* is not *refused*: the first lets the next authenticator look, the second ends it. None
of them asks auth about a token whose signature does not hold, nor about a text that cannot be one
of our keys, so that noise costs auth nothing.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.credentials.auth_client import AuthClient, SessionStanding
from gateway.credentials.memory import (
    LIFE,
    REFUSAL_LIFE,
    Credential,
    Credentials,
    Finding,
    Question,
    Refused,
)
from gateway.credentials.signing_keys import SigningKeys
from shared.errors import Unavailable
from shared.log import get_logger
from shared.principal import Kind, Principal
from shared.tokens import MAX_LENGTH, Claims, InvalidToken, verify

_JWT: Final = re.compile(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")
_API_KEY: Final = re.compile(r"(?:trw_live_|trw_dk_|tw_)[A-Za-z0-9_-]+")
_MAX_KEY: Final = 128

KEY_SESSION: Final = "key_"
"""How the ``sid`` of a token bought with an API key begins: it is that key's id."""

FOREIGN_SESSION: Final = "sas_"
"""How the ``sid`` of a service account or an external subject begins; they have no account and no
organization."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class NotMine:
    """The credential is of no kind that the authenticator understands."""


@dataclass(frozen=True, slots=True, repr=False)
class Ask:
    """The credential may hold; auth must be asked."""

    digest: bytes
    question: Question


NOT_MINE: Final = NotMine()


class Authenticator(Protocol):
    """One way to show who is calling."""

    name: str

    def authenticate(self, token: str, digest: bytes) -> Ask | Finding | NotMine:
        """Judge a bearer token that is not remembered.

        Raises:
            Unavailable: it cannot be judged now.
        """


class JwtAuthenticator:
    """Access tokens: the signature first, then auth's word on the session.

    Args:
        auth: whom to ask.
        credentials: what is known of other tokens of a session.
        keys: the public keys.
        issuer: whose tokens hold here.
        clock: seconds, only going forward.
        wall: Unix seconds.
    """

    name = "jwt"

    def __init__(
        self,
        auth: AuthClient,
        credentials: Credentials,
        keys: SigningKeys,
        issuer: str,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._auth = auth
        self._credentials = credentials
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._wall = wall

    def authenticate(self, token: str, digest: bytes) -> Ask | Finding | NotMine:
        """Judge a bearer token; see ``Authenticator``."""
        if len(token) > MAX_LENGTH or not _JWT.fullmatch(token):
            return NOT_MINE
        try:
            claims = verify(token, self._keys.current, self._issuer, self._wall())
        except InvalidToken as error:
            if not self._keys.is_loaded and error.reason == "unknown key":
                raise Unavailable(retry_after=1) from None
            return Refused(f"jwt: {error.reason}")
        question = _question(claims)
        known = self._credentials.asked(question, self._clock())
        if known is not None and isinstance(known.standing, SessionStanding):
            found = self._credential(claims, known.standing, known.fresh_until)
            if found.principal == known.principal:
                found.assertions = known.assertions
            return found
        return Ask(digest, lambda: self._ask(claims))

    async def _ask(self, claims: Claims) -> Finding:
        started = self._clock()
        standing = await self._auth.check_session(*_question(claims))
        if not standing.active:
            return Refused("jwt: session over", started + REFUSAL_LIFE, _tags(claims))
        return self._credential(claims, standing, started + LIFE)

    def _credential(
        self, claims: Claims, standing: SessionStanding, fresh_until: float
    ) -> Credential:
        kind = _kind(claims.sid, standing)
        question = _question(claims)
        principal = Principal(
            kind=kind,
            subject=claims.sid if kind is Kind.API_KEY else claims.sub,
            org=question[2],
            role=standing.role,
            scopes=_narrowed(claims.scopes, standing.scopes),
            session=claims.sid,
            account="" if claims.sid.startswith(FOREIGN_SESSION) else question[1],
            groups=standing.groups,
        )
        until = min(fresh_until, self._clock() + claims.exp - self._wall())
        found = Credential(self.name, principal, until, _tags(claims))
        found.standing, found.asked = standing, question
        return found


def _question(claims: Claims) -> tuple[str, str, str]:
    """Give session, account and organization that auth is asked about."""
    if claims.sid.startswith(FOREIGN_SESSION):
        return claims.sid, claims.sub, ""
    return claims.sid, claims.account or claims.sub, claims.org


def _tags(claims: Claims) -> tuple[str, ...]:
    return tuple({claims.sid, claims.sub, _question(claims)[1]} - {""})


# By how a session's id begins, and where auth names no kind the first one. Never by the subject's
# name: an external subject may be called anything, also like an account.
_KINDS: Final = (
    # A token bought with a key may do what the key may: no admin routes (learnings, section 2).
    (KEY_SESSION, (Kind.API_KEY,)),
    (FOREIGN_SESSION, (Kind.SERVICE_ACCOUNT, Kind.SUBJECT)),
    ("", (Kind.USER,)),
)


def _kind(session: str, standing: SessionStanding) -> Kind:
    """Tell what sort of caller a session belongs to.

    Raises:
        Unavailable: auth and the session's id disagree, so neither is believed.
    """
    kinds = next(kinds for prefix, kinds in _KINDS if session.startswith(prefix))
    kind = standing.kind or kinds[0]
    if kind not in kinds:
        log.error("auth names a kind that the session cannot be of", kind=kind)
        raise Unavailable
    return kind


def _narrowed(wanted: tuple[str, ...] | None, granted: tuple[str, ...]) -> tuple[str, ...]:
    """Cut a token's scopes down to what its session has now."""
    if wanted is None or "*" in wanted:
        return granted
    return wanted if "*" in granted else tuple(scope for scope in wanted if scope in granted)


class ApiKeyAuthenticator:
    """API keys (``trw_live_…``, ``trw_dk_…``, ``tw_…``): auth knows them by their SHA-256.

    Args:
        auth: whom to ask.
        clock: seconds, only going forward.
        wall: Unix seconds.
    """

    name = "api_key"

    def __init__(
        self,
        auth: AuthClient,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._auth = auth
        self._clock = clock
        self._wall = wall

    def authenticate(self, token: str, digest: bytes) -> Ask | Finding | NotMine:
        """Judge a bearer token; see ``Authenticator``."""
        if len(token) > _MAX_KEY or not _API_KEY.fullmatch(token):
            return NOT_MINE
        return Ask(digest, lambda: self._ask(digest))

    async def _ask(self, digest: bytes) -> Finding:
        started = self._clock()
        standing = await self._auth.check_key(digest.hex())
        tags = tuple(tag for tag in (standing.key_id, standing.account_id) if tag)
        left = LIFE if standing.expires_at is None else standing.expires_at - self._wall()
        if not standing.active or not standing.key_id or left <= 0:
            return Refused("api key: unknown or revoked", started + REFUSAL_LIFE, tags)
        principal = Principal(
            kind=Kind.API_KEY,
            subject=standing.key_id,
            org=standing.org_id or "",
            role=standing.role or "",
            scopes=standing.scopes,
            session=standing.key_id,
            account=standing.account_id or "",
        )
        return Credential(self.name, principal, started + min(LIFE, left), tags)


class Bearer:
    """Judges bearer tokens for a row: memory first, then the row's authenticators in order.

    Args:
        credentials: the memory.
        authenticators: those that exist, by name.
    """

    def __init__(
        self, credentials: Credentials, authenticators: Mapping[str, Authenticator]
    ) -> None:
        self._credentials = credentials
        self._authenticators = dict(authenticators)

    def judge(
        self, token: bytes, digest: bytes, names: tuple[str, ...], now: float
    ) -> Credential | Refused | NotMine | Ask:
        """Judge a token.

        Args:
            token: as it was sent.
            digest: its SHA-256; made here if empty.
            names: the row's authenticators.
            now: seconds of the forward-going clock.

        Raises:
            Unavailable: it cannot be judged now.
        """
        digest = digest or hashlib.sha256(token).digest()
        known = self._credentials.find(digest, now)
        if known is not None:
            if isinstance(known, Refused) or known.authenticator in names:
                return known
            return NOT_MINE
        try:
            text = token.decode("ascii")
        except UnicodeDecodeError:
            return NOT_MINE
        for name in names:
            found = self._authenticators[name].authenticate(text, digest)
            if isinstance(found, Credential):
                self._credentials.remember(digest, found)
            if not isinstance(found, NotMine):
                return found
        return NOT_MINE

    async def holds(self, token: bytes, names: tuple[str, ...], now: float) -> bool:
        """Tell whether a token that held still does; it does while nobody can say.

        Args:
            token: as it was sent.
            names: the row's authenticators.
            now: seconds of the forward-going clock.
        """
        try:
            found = self.judge(token, b"", names, now)
            if isinstance(found, Ask):
                found = await self.ask(found)
        except Unavailable:
            return True
        return isinstance(found, Credential)

    async def ask(self, ask: Ask, address: str = "") -> Finding:
        """Ask auth; ``address`` is who shows the credential, where a stranger may.

        Raises:
            Unavailable: no answer.
        """
        return await self._credentials.learn(ask.digest, ask.question, address)
