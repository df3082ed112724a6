"""An auth service that knows what a test gave it, and counts what it is asked."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from typing import Any

from shared.principal import ASSERTION_HEADER, Kind, verify_assertion
from shared.tokens import SigningKey, jwks, sign
from tests.gateway.fake_service import Asked, Behaviour, FakeService, echo, plain

ISSUER = "http://guildhall.test"
AUTH_KEY = b"a" * 32


class FakeAuth(FakeService):
    """Answers the three questions of the gateway; everything else as told."""

    def __init__(self) -> None:
        super().__init__()
        self.signing_keys = [SigningKey(secrets.token_bytes(32))]
        self.sessions: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.looked_up: list[Asked] = []
        self.before_answer: asyncio.Event | None = None
        self.otherwise: Behaviour = echo
        self.behave = self._answer

    def token(self, session: str = "ses_1", **changes: object) -> str:
        """Sign a token for a session that holds, unless the test says otherwise."""
        self.sessions.setdefault(session, {"active": True, "role": "member", "scopes": ["*"]})
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": "guildhall",
            "sub": "usr_1",
            "sid": session,
            "org": "org_1",
            "role": "member",
            "typ": "access",
            "iat": now,
            "exp": now + 3600,
            "jti": secrets.token_hex(8),
        }
        return sign(claims | changes, self.signing_keys[0])

    def api_key(self, key_id: str = "key_1", **changes: object) -> str:
        """Make an API key that holds, unless the test says otherwise."""
        key = "trw_live_" + secrets.token_urlsafe(32)
        self.keys[hashlib.sha256(key.encode()).hexdigest()] = {
            "active": True,
            "key_id": key_id,
            "account_id": "usr_1",
            "org_id": "org_1",
            "role": "member",
            "scopes": ["learnings:read"],
            "expires_at": None,
        } | changes
        return key

    async def _answer(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if asked.target == "/.well-known/jwks.json":
            keys = jwks(key.verify_key for key in self.signing_keys)
            writer.write(plain(200, json.dumps(keys).encode()))
            return
        if asked.target == "/health/ready":
            writer.write(plain(200, b"{}"))
            return
        if not asked.target.startswith("/internal/"):
            await self.otherwise(asked, reader, writer)
            return
        who = verify_assertion(AUTH_KEY, "auth", asked.header(ASSERTION_HEADER), time.time())
        assert who.kind is Kind.SERVICE
        assert who.subject == "gateway"
        self.looked_up.append(asked)
        if self.before_answer is not None:
            await self.before_answer.wait()
        found: dict[str, Any] = {"active": False}
        if asked.target == "/internal/sessions/check":
            found = self.sessions.get(asked.json["session_id"], {"active": False, "role": ""})
        elif asked.target == "/internal/api-keys/check":
            found = self.keys.get(asked.json["digest"], found)
        else:
            writer.write(plain(404, b"{}"))
            return
        writer.write(plain(200, json.dumps(found).encode()))
