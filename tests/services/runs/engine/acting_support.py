"""Steps and checks in plain words, on the shop, in one real browser for each file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.runs.engine.actions import foresee, open_address, perform
from services.runs.engine.actions.concepts import origin_of
from services.runs.engine.actions.models import Done, Impossible, Scene
from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import BrowserSettings
from services.runs.engine.browser.stage import Stage
from services.runs.engine.checks.capturing import capture
from services.runs.engine.checks.judging import judge
from services.runs.engine.checks.models import Judged
from services.runs.engine.grammar import Variables
from services.runs.engine.grammar.models import Check
from services.runs.engine.language import parse_capture, parse_claim, parse_step
from shared.targets import TargetPolicy
from tests.support.shop import Served, serving

LOCAL = TargetPolicy(allow_private=True)


@dataclass
class Actor:
    """One page of the shop, and somebody who does what steps say."""

    stage: Stage
    scene: Scene
    served: Served
    captures: dict[str, str]
    done: list[Done] = field(default_factory=list)

    async def do(self, *steps: str) -> None:
        """Do steps, one after the other."""
        parsed = [parse_step(step) for step in steps]
        assert None not in parsed, steps[parsed.index(None)]
        intents = [(number, one) for number, each in enumerate(parsed) for one in each or ()]
        last = -1
        for place, (number, intent) in enumerate(intents):
            if number != last:
                self.scene.actions, last = 0, number
            following = intents[place + 1][1] if place + 1 < len(intents) else None
            foresee(self.stage, following, self.scene)
            await perform(self.stage, intent, self.scene)

    async def refuses(self, *steps: str) -> Impossible:
        """Do steps of which the last is impossible; give why."""
        await self.do(*steps[:-1])
        try:
            await self.do(steps[-1])
        except Impossible as impossible:
            return impossible
        raise AssertionError(f"{steps[-1]} was done")

    async def read(self, css: str = "#outcome") -> str:
        """Give a text of the page."""
        return await self.stage.visible_text(css=css)

    async def sees(self, claim: str, seconds: float = 5.0) -> bool:
        """Judge a claim in words."""
        check = parse_claim(claim)
        assert check is not None, claim
        return (await judge(self.stage, check, self.scene, seconds=seconds)).passed

    async def judge(self, kind: str, seconds: float = 0.3, **parameters: Any) -> Judged:
        """Judge a check."""
        return await judge(self.stage, Check(kind, parameters), self.scene, seconds=seconds)

    async def take(self, source: str) -> str | None:
        """Capture what words say."""
        phrase = parse_capture(source)
        assert phrase is not None, source
        return await capture(self.stage, phrase, self.scene)

    def received(self) -> dict[str, str]:
        """Give the form that came last."""
        return self.served.shop.received[-1][1]

    async def has_received(self, form: Mapping[str, str]) -> None:
        """Wait for a form to have come."""
        async with asyncio.timeout(10):
            while self.received() != form:
                await asyncio.sleep(0.02)

    def told(self) -> list[tuple[str, str]]:
        """Give the actions so far: tool and text."""
        return [(one.tool, one.text) for one in self.done]


@dataclass
class House:
    """A browser and a shop."""

    browsers: Browsers
    served: Served
    scratch: Path

    @asynccontextmanager
    async def at(
        self,
        path: str = "/",
        *,
        env: Mapping[str, str] | None = None,
        fixtures: Mapping[str, str] | None = None,
        generators: Mapping[str, str] | None = None,
        seconds: float = 5.0,
        policy: TargetPolicy = LOCAL,
    ) -> AsyncIterator[Actor]:
        """Open a page in a fresh context."""
        served = self.served
        served.shop.generation = 1
        stage = await self.browsers.stage(width=1280, height=800, tested_origin=served.url)
        captures: dict[str, str] = {}
        origin = origin_of(served.url)
        assert origin is not None
        scene = Scene(
            variables=Variables(
                captures, fixtures or {}, env or {}, {}, generators=generators or {}
            ),
            base_url=served.url,
            origins=frozenset({origin}),
            scratch=self.scratch,
            policy=policy,
            timeout=seconds,
        )
        actor = Actor(stage, scene, served, captures)

        async def note(done: Done) -> None:
            actor.done.append(done)

        try:
            await open_address(stage, served.url + path, scene)
            scene.on_action = note
            yield actor
        finally:
            await stage.close()


@asynccontextmanager
async def house_in(scratch: Path) -> AsyncIterator[House]:
    """Open the browser and the shop of one test module."""
    async with (
        serving() as served,
        Browsers.opened(BrowserSettings(LOCAL, scratch)) as browsers,
    ):
        yield House(browsers, served, scratch)
