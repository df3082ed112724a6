"""Which suites are meant by what was typed, and which of their cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from guildhall.failures import Failure
from guildhall.runs.finding import find, load
from tests.guildhall.runs_support import TWO


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for place in (
        "a.tripwire.yaml",
        "in/b.upliftr.yml",
        "in/deep/c.tripwire.yaml",
        "in/plain.yaml",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(TWO)
    (tmp_path / "in" / "README.md").write_text("no suite")
    (tmp_path / "odd[1].tripwire.yaml").write_text(TWO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("places", "found"),
    [
        (["a.tripwire.yaml"], ["a.tripwire.yaml"]),
        (["in/plain.yaml"], ["in/plain.yaml"]),
        (["in"], ["in/b.upliftr.yml", "in/deep/c.tripwire.yaml"]),
        (["in/**"], ["in/b.upliftr.yml", "in/deep/c.tripwire.yaml"]),
        (
            ["**/*.tripwire.yaml"],
            ["a.tripwire.yaml", "in/deep/c.tripwire.yaml", "odd[1].tripwire.yaml"],
        ),
        (["in/*.yaml"], ["in/plain.yaml"]),
        (["odd[1].tripwire.yaml"], ["odd[1].tripwire.yaml"]),
        (
            ["in/deep", "./in/deep/c.tripwire.yaml", "a.*"],
            ["in/deep/c.tripwire.yaml", "a.tripwire.yaml"],
        ),
    ],
)
def test_files_folders_and_patterns(here: Path, places: list[str], found: list[str]) -> None:
    assert [str(path) for path in find(places)] == found


@pytest.mark.parametrize("place", ["nothing.yaml", "in/README*", "x/**", "", "\0"])
def test_what_leads_to_nothing_is_said(here: Path, place: str) -> None:
    with pytest.raises(Failure, match="there is no suite"):
        find(["a.tripwire.yaml", place])


def test_every_problem_is_told_with_its_place(here: Path) -> None:
    bad = here / "bad.tripwire.yaml"
    bad.write_text("suite: X\nid: x\nbase_url: http://x\ncases:\n  - id: a\n    steps: [{}]\n")
    Path("latin.yaml").write_bytes(b"suite: \xff\n")
    Path("large.yaml").write_text("#" * (1024 * 1024 + 1))
    paths = [bad, Path("latin.yaml"), Path("large.yaml"), Path("gone.yaml")]
    with pytest.raises(Failure) as told:
        load(paths)
    text = str(told.value)
    assert f"{bad}:5: cases[0].title" in text
    assert f"{bad}:6: cases[0].steps[0]" in text
    assert "latin.yaml: it is no UTF-8" in text
    assert "large.yaml: a suite may have at most" in text
    assert "gone.yaml: No such file" in text


def test_suites_get_folders_that_no_other_has(here: Path) -> None:
    (here / "In").mkdir(exist_ok=True)
    (here / "In" / "A.tripwire.yaml").write_text(TWO)
    one, two = load([Path("a.tripwire.yaml"), Path("In/A.tripwire.yaml")])
    assert (one.folder, two.folder) == ("a", "A-2")
    assert load([Path("odd[1].tripwire.yaml")])[0].folder == ""
    odd = load([Path("odd[1].tripwire.yaml"), Path("a.tripwire.yaml")])[0]
    assert odd.folder == "odd-1"


def test_cases_and_tags_choose(here: Path) -> None:
    (here / "other.yaml").write_text(TWO.replace("first", "third").replace("p0", "p3"))
    paths = [Path("a.tripwire.yaml"), Path("other.yaml")]
    assert [suite.cases for suite in load(paths)] == [None, None]
    # What a case depends on comes along; suites without the case stay out.
    assert [suite.cases for suite in load(paths, ["second"])] == [
        ("first", "second"),
        ("third", "second"),
    ]
    assert [(suite.file, suite.cases) for suite in load(paths, ["third"])] == [
        ("other.yaml", ("third",))
    ]
    assert [suite.file for suite in load(paths, [], ["p0"])] == ["a.tripwire.yaml"]
    with pytest.raises(Failure, match="No suite has a case fourth"):
        load(paths, ["first", "fourth"])
    with pytest.raises(Failure, match="tags nothing"):
        load(paths, [], ["nothing"])
