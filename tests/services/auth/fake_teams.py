"""The teams service, as far as auth asks it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from shared.principal import ASSERTION_HEADER, Kind, Principal, verify_assertion
from tests.gateway.fake_service import Asked, FakeService, plain

TEAMS_KEY: Final = b"t" * 32


class FakeTeams(FakeService):
    """Answers what auth asks, with ``status``; keeps the questions.

    Attributes:
        tokens: of each question for a number of teams.
        dropped: each question to end memberships.
        exported: each question for a part of an export.
        exports: what those are answered, by ``after``; the others get ``export``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.team_count = 2
        self.status = 200
        self.tokens: list[list[str]] = []
        self.dropped: list[dict[str, Any]] = []
        self.exported: list[dict[str, Any]] = []
        self.export: Any = {"teams": []}
        self.exports: dict[str, Any] = {}
        self.behave = self._answer

    async def _answer(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        caller = verify_assertion(TEAMS_KEY, "teams", asked.header(ASSERTION_HEADER), time.time())
        assert caller == Principal(Kind.SERVICE, "auth")
        assert asked.method == "POST"
        body = json.dumps(self._said(asked.target, asked.json)).encode()
        writer.write(plain(self.status, body, "content-type: application/json"))
        await writer.drain()

    def _said(self, path: str, question: dict[str, Any]) -> Any:
        match path:
            case "/internal/machines/team-count":
                self.tokens.append(question["tokens"])
                return {"team_count": self.team_count}
            case "/internal/machines/drop":
                self.dropped.append(question)
                return {"dropped": 0}
            case "/internal/accounts/export":
                self.exported.append(question)
                return self.exports.get(question.get("after", ""), self.export)
        raise AssertionError(path)


@asynccontextmanager
async def fake_teams() -> AsyncIterator[FakeTeams]:
    """Run the teams service."""
    teams = FakeTeams()
    await teams.start()
    try:
        yield teams
    finally:
        await teams.stop()
