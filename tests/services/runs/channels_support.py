"""Channels as their owners serve them: Slack, Teams, and a receiver that checks signatures."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.serving import serving

SLACK_PATH: Final = "/services/T0SECRET/B0SECRET/slacksecretpath"
TEAMS_PATH: Final = "/webhookb2/teamssecretpath"
SECRET: Final = "a signing secret of some length"
STRANGERS_WORDS: Final = "a stranger's own words"
CARD: Final = "application/vnd.microsoft.card.adaptive"


@dataclass
class Channels:
    """What was taken by which channel, and how they stand.

    Attributes:
        answers: of each channel, to be given before it behaves as usual.
        requests: paths of everything that came, taken or not.
    """

    url: str = ""
    taken: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    answers: dict[str, list[Response]] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """How an organization configures all of them."""
        return {
            "SLACK_WEBHOOK_URL": self.url + SLACK_PATH,
            "TEAMS_WEBHOOK_URL": self.url + TEAMS_PATH,
            "WEBHOOK_URL": self.url + "/hook",
            "WEBHOOK_SECRET": SECRET,
        }

    def fail(
        self,
        channel: str,
        status: int,
        times: int = 1,
        words: str = STRANGERS_WORDS,
        **headers: str,
    ) -> None:
        """Have a channel answer like that for a while."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = PlainTextResponse(words, status, named)
        self.answers.setdefault(channel, []).extend([answer] * times)

    def of(self, channel: str) -> Sequence[dict[str, Any]]:
        return self.taken.get(channel, [])

    async def slack(self, request: Request) -> Response:
        """Answer as Slack does: plain words, ``ok`` only for a message that it can show."""
        self.requests.append(request.url.path)
        if answer := self._next("slack"):
            return answer
        try:
            message = json.loads(await request.body())
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        if not message.get("text"):
            return PlainTextResponse("no_text", 400)
        for block in message.get("blocks", []):
            text = block["text"]["text"]
            limit = 150 if block["type"] == "header" else 3000
            if block["type"] not in ("header", "section") or not 0 < len(text) <= limit:
                return PlainTextResponse("invalid_blocks", 400)
        self.taken.setdefault("slack", []).append(message)
        return PlainTextResponse("ok")

    async def teams(self, request: Request) -> Response:
        """Answer as Teams' connectors do: ``1`` for a card that it can show."""
        self.requests.append(request.url.path)
        if answer := self._next("teams"):
            return answer
        message = json.loads(await request.body())
        card = message["attachments"][0]
        if message["type"] != "message" or card["contentType"] != CARD:
            return PlainTextResponse("Bad payload received by generic incoming webhook.", 400)
        if card["content"]["type"] != "AdaptiveCard" or not card["content"]["body"]:
            return PlainTextResponse("Webhook message delivery failed with error: HTTP error 400")
        self.taken.setdefault("teams", []).append(message)
        return PlainTextResponse("1")

    async def hook(self, request: Request) -> Response:
        """Take what is signed under the secret, and nothing else."""
        self.requests.append(request.url.path)
        if answer := self._next("webhook"):
            return answer
        body = await request.body()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if request.headers.get("x-signature") != f"sha256={digest}":
            return PlainTextResponse("bad signature", 401)
        self.ids.append(request.headers["x-delivery-id"])
        self.taken.setdefault("webhook", []).append(json.loads(body))
        return Response(status_code=204)

    async def elsewhere(self, request: Request) -> Response:
        """Send whoever comes to the metadata of a cloud."""
        self.requests.append(request.url.path)
        return RedirectResponse("http://169.254.169.254/latest/meta-data/", 307)

    def _next(self, channel: str) -> Response | None:
        waiting = self.answers.get(channel)
        return waiting.pop(0) if waiting else None


@asynccontextmanager
async def channels_open() -> AsyncIterator[Channels]:
    """Serve all channels on one port."""
    channels = Channels()
    routes = [
        Route(SLACK_PATH, channels.slack, methods=["POST"]),
        Route(TEAMS_PATH, channels.teams, methods=["POST"]),
        Route("/hook", channels.hook, methods=["POST"]),
        Route("/elsewhere", channels.elsewhere, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes)) as channels.url:
        yield channels
