"""Guildhall's gateway as a process, before an auth service in which everything holds."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.load import Requests
from bench.process import child, free_port
from bench.rivals import Server
from shared.secret import encode_base64url
from shared.tokens import SigningKey, sign

PATH: Final = "/v1/learnings?page=1"
ISSUER: Final = "http://127.0.0.1:8000"
COMMAND: Final = (sys.executable, "-m", "gateway")
_UNLIMITED: Final = ("learnings", "pages", "signed_address")


@contextmanager
def gateway(
    upstream: int, seed: bytes, *, teams: int = 0, command: Sequence[str] = COMMAND
) -> Iterator[Server]:
    """Run the gateway.

    Args:
        upstream: the port of the service that gets its requests.
        seed: of the key that signs tokens.
        teams: the port of the service that gets its WebSockets, if any.
        command: what to run.
    """
    auth, port = free_port(), free_port()
    stub = [sys.executable, "-m", "bench.stub_auth", str(auth), encode_base64url(seed)]
    environment = {
        "PATH": os.environ["PATH"],
        "GUILDHALL_PORT": str(port),
        "GUILDHALL_METRICS_PORT": "0",
        "GUILDHALL_ROOT_SECRET": encode_base64url(secrets.token_bytes(32)),
        "GUILDHALL_PUBLIC_URL": ISSUER,
        "GUILDHALL_AUTH_URL": f"http://127.0.0.1:{auth}",
        "GUILDHALL_LEARNINGS_URL": f"http://127.0.0.1:{upstream}",
        "GUILDHALL_RATE_LIMITS": " ".join(f"{name}=100000000/60" for name in _UNLIMITED),
        "GUILDHALL_LOG_LEVEL": "error",
    }
    if teams:
        environment["GUILDHALL_TEAMS_URL"] = f"http://127.0.0.1:{teams}"
    with child(stub, auth), child(command, port, environment, is_quiet=True) as process:
        time.sleep(1)  # for the signing keys
        yield Server(process.pid, port)


class Callers:
    """Who asks the gateway, and what.

    Args:
        folder: where their tokens are kept.
        key: that signs them.
    """

    def __init__(self, folder: Path, key: SigningKey) -> None:
        self._folder = folder
        self._key = key
        self._one = self._write("jwt", [self.token("ses_1")])
        self._api_key = self._write("key", ["trw_live_" + secrets.token_urlsafe(32)])

    def with_jwt(self, turn: int, most: int) -> Requests:
        """Ask the same with the same access token."""
        return Requests(PATH, self._one)

    def with_api_key(self, turn: int, most: int) -> Requests:
        """Ask the same with the same API key."""
        return Requests(PATH, self._api_key)

    def for_another_path(self, turn: int, most: int) -> Requests:
        """Ask with the same token for what was never asked for before."""
        return Requests(f"/v1/learnings/L-{turn}x%d?page={turn}", self._one)

    def at_first_sight(self, turn: int, most: int) -> Requests:
        """Ask with tokens that were never seen before, of a session that was."""
        tokens = [self.token("ses_1") for _ in range(most)]
        return Requests(PATH, self._write(f"token{turn}", tokens))

    def in_new_sessions(self, turn: int, most: int) -> Requests:
        """Ask with tokens of sessions that were never seen before."""
        tokens = [self.token(f"ses_{turn}x{number}") for number in range(most)]
        return Requests(PATH, self._write(f"session{turn}", tokens))

    def token(self, session: str) -> str:
        """Make an access token."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": "guildhall",
            "sub": "usr_4fZ8kQ2mN7pR1sT3",
            "sid": session,
            "org": "org_4fZ8kQ2mN7pR1sT3",
            "role": "member",
            "typ": "access",
            "iat": now,
            "exp": now + 3600,
            "jti": secrets.token_hex(8),
        }
        return sign(claims, self._key)

    def _write(self, name: str, lines: list[str]) -> Path:
        file = self._folder / f"{name}.tokens"
        file.write_text("\n".join(lines) + "\n")
        return file
