"""Uploading a file that is made for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import FileChooser, Locator, Page

from services.runs.engine.actions import files
from services.runs.engine.actions.acting import Hand, bounded
from services.runs.engine.actions.locating import PAUSE
from services.runs.engine.actions.models import Found, Impossible
from services.runs.engine.actions.pointing import locate
from services.runs.engine.browser.grips import Grip
from services.runs.engine.language.models import FileWish, Upload
from services.runs.engine.resolver.models import Candidate, Scored


async def upload(hand: Hand, intent: Upload) -> None:
    """Make the file, and give it to the field named, or to the only one that takes files."""
    if intent.field is None:
        found = Found(await _only_field(hand), "rule", 100.0)
    else:
        found = await locate(hand, intent.field, "upload")
    path = await _make(hand, intent.file)
    text = f"Upload {path.name} to “{found.candidate.name}”"
    if found.candidate.input_type == "file":

        async def give(grip: Grip, seconds: float) -> None:
            await grip.locator.set_input_files(path, timeout=seconds * 1000)

        await hand.touch("upload_file", found, give, value=path.name, text=text)
        return

    async def ask(grip: Grip, seconds: float) -> None:
        await _through_chooser(hand.stage.page, grip.locator, path, seconds)

    await hand.touch("upload_file", found, ask, value=path.name, text=text)


async def _through_chooser(page: Page, one: Locator, path: Path, seconds: float) -> None:
    """Click what opens the browser's own file dialog, and answer that."""
    chosen: asyncio.Future[FileChooser] = asyncio.get_running_loop().create_future()

    def take(chooser: FileChooser) -> None:
        if not chosen.done():
            chosen.set_result(chooser)

    page.on("filechooser", take)
    try:
        await one.click(timeout=seconds * 1000)
        try:
            chooser = await asyncio.wait_for(asyncio.shield(chosen), seconds / 2)
        except TimeoutError:
            raise Impossible("not_editable", "It takes no file, and asks for none.") from None
        await bounded(chooser.set_files(path, timeout=seconds * 1000), seconds)
    finally:
        page.remove_listener("filechooser", take)


async def _only_field(hand: Hand) -> Candidate:
    clock = asyncio.get_running_loop().time
    deadline = clock() + hand.scene.timeout
    while True:
        reading = await hand.stage.read()
        fields = [one for one in reading.candidates if one.input_type == "file" and one.enabled]
        shown = [one for one in fields if one.visible] or fields
        here = [one for one in shown if one.form and one.form == hand.scene.last_form] or shown
        if len(here) == 1:
            return here[0]
        if clock() >= deadline:
            near = tuple(Scored(one, 0.0) for one in here[:5])
            if near:
                raise Impossible("ambiguous", "Several fields take files; say which.", near)
            raise Impossible("not_found", "No field of the page takes files.")
        await asyncio.sleep(PAUSE)


async def _make(hand: Hand, wish: FileWish) -> Path:
    """Write the file into a folder of its own in the run's scratch folder."""
    scene = hand.scene
    scene.files += 1
    folder = scene.scratch / "uploads" / f"{id(scene):x}-{scene.files}"
    path = folder / files.name_of(wish, scene.files)

    async def work() -> None:
        try:
            content = await asyncio.to_thread(files.make, wish)
        except files.TooLarge as large:
            raise Impossible("not_supported", str(large)) from large
        await asyncio.to_thread(_write, path, content)

    text = f"Make {path.name}"
    await hand.do("create_file", work, value=path.name, text=text, settles=False)
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
