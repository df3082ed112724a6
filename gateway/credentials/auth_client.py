"""What the gateway asks of auth: whether sessions and API keys hold, and the public keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json, to_json

from gateway.upstream.fetch import fetch
from gateway.upstream.upstream import Upstream
from shared.errors import ServiceError, Unavailable
from shared.log import get_logger
from shared.principal import ASSERTION_HEADER, Kind, Principal, sign_assertion
from shared.tokens import VerifyKey, read_jwks

TIMEOUT: Final = 2.0
"""Seconds that auth has for an answer."""

ASSERTION_REUSE: Final = 10.0
"""Seconds that our own assertion is used again."""

GATEWAY: Final = Principal(Kind.SERVICE, "gateway")

log = get_logger()


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SessionStanding(_Answer):
    """How auth sees a session: whether it holds, and as what its holder acts there.

    ``kind`` is empty where the session's id says enough; ``groups`` are an external subject's.
    """

    active: bool
    role: str = ""
    scopes: tuple[str, ...] = ()
    kind: Kind | Literal[""] = ""
    groups: tuple[str, ...] = ()


class KeyStanding(_Answer):
    """How auth sees an API key; ``expires_at`` in Unix seconds, or None."""

    active: bool
    key_id: str | None = None
    account_id: str | None = None
    org_id: str | None = None
    role: str | None = None
    scopes: tuple[str, ...] = ()
    expires_at: float | None = None


AnswerT = TypeVar("AnswerT", bound=_Answer)


class AuthClient:
    """Asks auth over the gateway's own pool.

    Args:
        upstream: auth.
        key: the assertion key shared with auth.
        wall: Unix seconds; replaceable in tests.
    """

    def __init__(
        self, upstream: Upstream, key: bytes, wall: Callable[[], float] = time.time
    ) -> None:
        self._upstream = upstream
        self._key = key
        self._wall = wall
        self._assertion = b""
        self._renew_at = 0.0

    async def check_session(self, session: str, account: str, org: str) -> SessionStanding:
        """Ask whether a session holds.

        Raises:
            Unavailable: auth gave no answer.
        """
        question = {"session_id": session, "account_id": account, "org_id": org}
        return await self._ask("/internal/sessions/check", question, SessionStanding)

    async def check_key(self, digest: str) -> KeyStanding:
        """Ask whether an API key holds; ``digest`` is the hexadecimal SHA-256 of the key.

        Raises:
            Unavailable: auth gave no answer.
        """
        return await self._ask("/internal/api-keys/check", {"digest": digest}, KeyStanding)

    async def verify_keys(self) -> dict[str, VerifyKey]:
        """Get the public keys, by ``kid``.

        Raises:
            Unavailable: auth gave none.
        """
        raw = await self._fetch("GET", "/.well-known/jwks.json", b"")
        try:
            return read_jwks(from_json(raw))
        except ValueError as error:
            log.error("key set not understood", reason=str(error))
            raise Unavailable from error

    async def _ask(self, path: str, question: dict[str, str], kind: type[AnswerT]) -> AnswerT:
        raw = await self._fetch("POST", path, to_json(question))
        try:
            return kind.model_validate_json(raw)
        except ValidationError:
            log.error("answer of auth not understood", path=path)
            raise Unavailable from None

    async def _fetch(self, method: str, path: str, body: bytes) -> bytes:
        headers = [(ASSERTION_HEADER.encode(), self._asserted())]
        if body:
            headers.append((b"content-type", b"application/json"))
        try:
            answer = await fetch(self._upstream, method, path, headers, body, timeout=TIMEOUT)
        except ServiceError as error:
            # Whatever is wrong with auth, to the caller it is away; a 401 would end their session.
            raise Unavailable from error
        if answer.status != 200:
            log.error("auth refused the gateway", path=path, status=answer.status)
            raise Unavailable
        return answer.body

    def _asserted(self) -> bytes:
        now = self._wall()
        if not self._renew_at - ASSERTION_REUSE <= now < self._renew_at:
            self._assertion = sign_assertion(self._key, "auth", GATEWAY, now).encode()
            self._renew_at = now + ASSERTION_REUSE
        return self._assertion
