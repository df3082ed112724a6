from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from services.runs.engine.actions import files
from services.runs.engine.language.models import FileWish
from tests.services.runs.engine.acting_support import House, house_in


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


async def test_a_file_is_made_and_uploaded(house: House) -> None:
    async with house.at("/upload") as actor:
        await actor.do('Upload a 1 KB PNG to "Picture"')
        name = (await actor.read("#named")).partition(" ")[0]
        assert await actor.read("#named") == f"{name} (1024 bytes)"
        await actor.do('Click "Upload files"')
        assert actor.received()["picture"] == f"{name} (image/png, 1024 bytes)"
        assert [done.tool for done in actor.done[:2]] == ["create_file", "upload_file"]


async def test_a_button_that_asks_for_a_file_gets_one(house: House) -> None:
    async with house.at("/upload") as actor:
        await actor.do('Upload a PDF to "Choose a document"', 'Click "Upload files"')
        assert "application/pdf" in actor.received()["paper"]


async def test_a_page_without_a_place_for_files_is_told(house: House) -> None:
    async with house.at("/about", seconds=0.3) as actor:
        assert (await actor.refuses("Upload a PNG")).reason == "not_found"
    async with house.at("/upload", seconds=0.3) as actor:
        refusal = await actor.refuses('Upload a 900 MB PNG to "Picture"')
        assert refusal.reason == "not_supported"


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "pdf", "csv", "json", "txt", "zip", "md"])
def test_files_have_the_wished_size(kind: str) -> None:
    assert len(files.make(FileWish("", kind=kind, size_bytes=20_000))) == 20_000


def test_files_are_of_their_kind() -> None:
    with Image.open(io.BytesIO(files.make(FileWish("an 80x40 PNG", kind="png")))) as image:
        assert (image.size, image.format) == ((80, 40), "PNG")
    stuffed = files.make(FileWish("", kind="png", size_bytes=5000))
    with Image.open(io.BytesIO(stuffed)) as image:
        image.load()
        assert image.format == "PNG"
    pdf = files.make(FileWish("", kind="pdf", size_bytes=4096))
    place = int(pdf.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert pdf.startswith(b"%PDF-")
    assert pdf[place:].startswith(b"xref")
    with zipfile.ZipFile(io.BytesIO(files.make(FileWish("", kind="zip")))) as archive:
        assert archive.testzip() is None


def test_files_are_the_same_every_time() -> None:
    wish = FileWish("", kind="zip", size_bytes=3000)
    assert files.make(wish) == files.make(wish)


@pytest.mark.parametrize(
    ("wished", "name"),
    [
        ("../../etc/passwd", "passwd.txt"),
        ("C:\\temp\\photo.png", "photo.png"),
        ("..", "file-1.txt"),
        ("a\0b.txt", "a_b.txt"),
        ("report", "report.txt"),
        (None, "file-1.txt"),
    ],
)
def test_names_are_plain(wished: str | None, name: str) -> None:
    assert files.name_of(FileWish("", name=wished), 1) == name


def test_what_is_too_large_is_not_made() -> None:
    with pytest.raises(files.TooLarge):
        files.make(FileWish("", kind="txt", size_bytes=files.LARGEST + 1))
    with pytest.raises(files.TooLarge):
        files.make(FileWish("a 99999x99999 PNG", kind="png"))
