"""Reports and pictures as files: whole or not at all, and nowhere else."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guildhall.failures import Failure
from guildhall.runs.keeping import Folder, opened
from tests.guildhall.runs_support import outcome
from tests.services.runs.engine.pictures_support import png


async def broken_off() -> AsyncIterator[bytes]:
    yield b"half"
    raise OSError("the source is gone")


async def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out")
    await folder.put("shots/a.png", b"whole")
    for source in (broken_off(), broken_off()):
        with pytest.raises(OSError, match="gone"):
            await folder.put("shots/a.png", source)
    assert [path.name for path in (tmp_path / "out" / "shots").iterdir()] == ["a.png"]
    assert (tmp_path / "out" / "shots" / "a.png").read_bytes() == b"whole"
    # Whoever may look into the folder may read reports.
    assert stat.S_IMODE((tmp_path / "out/shots/a.png").stat().st_mode) & stat.S_IRUSR


@pytest.mark.parametrize(
    "path", ["../a", "/etc/a", "a/../../b", ".hidden", "a//b", "", "a b", "a\n", "a/" * 200 + "a"]
)
async def test_nothing_is_kept_elsewhere(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="no file"):
        await Folder(tmp_path / "out").put(path, b"x")
    assert not list(tmp_path.rglob("*"))


async def test_an_earlier_run_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    ended = outcome("passed", {"passed": 1})
    shots = [{"label": "s1", "note": "", "path": path} for path in ("shots/a.png", "../mine.txt")]
    case = {"id": "first", "title": "A", "verdict": "passed", "shots": shots}
    (tmp_path.parent / "mine.txt").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    await folder.put("shots/a.png", png())
    await folder.report({**ended.report, "cases": [case]})
    assert "data:image/" in (tmp_path / "report.html").read_text()
    folder.clear()
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["notes.txt"]
    assert (tmp_path.parent / "mine.txt").read_text() == "mine"
    # What is no report of ours is left alone.
    (tmp_path / "report.json").write_text('{"theirs": true}')
    folder.clear()
    assert (tmp_path / "report.json").exists()


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="file"):
        opened(tmp_path / "file" / "below")
    assert opened(tmp_path / "a" / "b").is_dir()
