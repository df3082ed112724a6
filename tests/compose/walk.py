"""One person's way through the gateway: register, mail, verify, token, record, list."""

from __future__ import annotations

import email
import email.policy
import re
import secrets
from typing import Any, Final

import httpx

from tests.compose.engine import StepFailed, until
from tests.compose.system import System

SUITE: Final = """\
suite: Our own pages
id: own-pages
base_url: http://gateway:8000
cases:
  - id: sign-in
    title: Somebody begins to sign in
    steps:
      - do: Open /users/log-in
      - do: Enter "${email}" into "Email address"
    expect:
      - assert: The "Email address" field is "${email}"
fixtures: {email: {gen: unique_email}}
"""
"""Seen from the worker, the gateway is a private host; the test's settings open it."""

_TOKEN: Final = re.compile(r"token=([A-Za-z0-9._~-]+)")


class Person:
    """Someone who uses the learnings surface through the gateway."""

    def __init__(self, system: System) -> None:
        self.address = f"ada.{secrets.token_hex(4)}@example.org"
        self._password = secrets.token_urlsafe(18)
        self._system = system
        self._client = httpx.Client(base_url=system.address, timeout=20, trust_env=False)

    def register(self) -> None:
        """Register, read the mail and verify the address."""
        who = {"email": self.address, "password": self._password, "name": "Ada"}
        self._call("POST", "/v1/auth/register", 201, json=who)
        until("the verification mail is sent", lambda: self._mailed_token() is not None)
        verified = self._call(
            "POST", "/v1/auth/verify-email", 200, json={"token": self._mailed_token()}
        )
        if verified != {"verified": True}:
            raise StepFailed(f"verify-email answers {verified}")

    def log_in(self) -> None:
        """Buy an access token and carry it from now on."""
        who = {"email": self.address, "password": self._password}
        token = self._call("POST", "/v1/auth/token", 200, json=who)["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def record(self, summary: str) -> str:
        """Record a learning and give its id."""
        body = {"summary": summary, "tags": ["compose"], "impact": 0.8}
        number: str = self._call("POST", "/v1/learnings", 201, json=body)["id"]
        return number

    def learnings(self) -> set[str]:
        """List the ids of this person's learnings."""
        return {item["id"] for item in self._call("GET", "/v1/learnings", 200)["items"]}

    def run_suite(self) -> dict[str, Any]:
        """Have the worker run a suite on our own pages, and give the run once it has ended."""
        self._call("PUT", "/api/v1/suites/own-pages", 200, json={"yaml": SUITE})
        run_id = self._call("POST", "/api/v1/runs", 200, json={"suite": "own-pages"})["run_id"]
        run: dict[str, Any] = {}

        def has_ended() -> bool:
            run.update(self._call("GET", f"/api/v1/runs/{run_id}", 200))
            return run["finished_at"] is not None

        until("the run ends", has_ended, 120)
        return run

    def picture(self, run: dict[str, Any]) -> bytes:
        """Give the first picture of a run."""
        shot = run["report"]["cases"][0]["shots"][0]["path"]
        answer = self._client.get(f"/api/v1/artifacts/{run['run_id']}/{shot}")
        return answer.content if answer.status_code == 200 else b""

    def is_refused_without_token(self) -> bool:
        """Say whether the gateway refuses the same list to a stranger."""
        return httpx.get(f"{self._system.address}/v1/learnings", timeout=20).status_code == 401

    def can_list(self) -> bool:
        """Say whether the list answers 200 at this moment."""
        try:
            return self._client.get("/v1/learnings").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _mailed_token(self) -> str | None:
        for text in re.split(r"^\.\r?$", self._system.mails(), flags=re.MULTILINE):
            message = email.message_from_string(text.lstrip(), policy=email.policy.default)
            part = message.get_body(("plain", "html"))
            if self.address in str(message["To"]) and part is not None:
                found = _TOKEN.search(part.get_content())
                return found[1] if found else None
        return None

    def _call(self, method: str, path: str, status: int, **options: Any) -> Any:
        answer = self._client.request(method, path, **options)
        if answer.status_code != status:
            raise StepFailed(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()
