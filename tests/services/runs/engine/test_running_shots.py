"""Pictures that cannot be taken."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from playwright.async_api import Error

from services.runs.engine.browser.models import Download, Gone, NotReached, PageStuck
from services.runs.engine.browser.stage import Stage
from services.runs.engine.running.play import Play
from services.runs.engine.running.shots import Camera
from services.runs.engine.running.telling import Teller


class Restless:
    """A stage whose page goes away whenever it is to be photographed."""

    downloads: tuple[Download, ...] = ()

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def screenshot(self) -> bytes:
        raise self._error


@pytest.mark.parametrize("error", [PageStuck("x"), Gone("x"), NotReached("x"), Error("x")])
async def test_a_page_that_goes_away_costs_a_picture_and_no_verdict(error: Exception) -> None:
    stage = cast(Stage, Restless(error))
    camera = Camera(cast(Play, None), stage, "a", 1, cast(Teller, None))
    await camera.take("s1", "Click", "s1")
    assert camera.shots == []


class Album(list[str]):
    """An outlet and a play that remember the names of files."""

    async def store(self, path: str, source: Path) -> None:
        self.append(path)


class Still(Restless):
    async def screenshot(self) -> bytes:
        return b"picture"


async def test_cases_whose_ids_look_alike_keep_their_own_pictures(tmp_path: Path) -> None:
    album = Album()
    play = SimpleNamespace(outlet=album, assignment=SimpleNamespace(scratch=tmp_path))
    teller = SimpleNamespace(shot=_ignored)
    for case_id in ("a-b", "a/b", "a b", "a[1]", "a-1-", "x" * 70, "x" * 71, "\ud800", "../../b"):
        stage = cast(Stage, Still(Gone("")))
        camera = Camera(cast(Play, play), stage, case_id, 1, cast(Teller, teller))
        await camera.take("s1", "Click", "s1")
    assert len(set(album)) == 9
    assert album[0] == "shots/a-b-1-001.png"


async def _ignored(_: object) -> None:
    pass
