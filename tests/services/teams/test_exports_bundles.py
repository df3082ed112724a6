from __future__ import annotations

import io
import json
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.teams.exports.models import File
from services.teams.exports.operations import FINDINGS, bundle
from services.teams.exports.rules.archive import pack
from services.teams.exports.rules.front_matter import toml_line, toml_text
from services.teams.exports.rules.naming import UnsafePath
from services.teams.teams.models import Content, Member
from tests.services.teams.exports_support import (
    AWKWARD,
    TEAM,
    ZIPPED,
    contents,
    files_of,
    head_and_body,
    some_texts,
    unpacked,
)

# Each unpacks the archive `a.zip` into the folder `bundle`; the first is there always.
COMMANDS = {
    sys.executable: ("-m", "zipfile", "-e", "a.zip", "bundle"),
    "unzip": ("-q", "-o", "a.zip", "-d", "bundle"),
    "bsdtar": ("-xf", "a.zip", "-C", "bundle"),
}
any_format = st.sampled_from(ZIPPED)
# A slow machine fails no property.
many = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(any_format, contents)
def test_no_file_leaves_its_folder_or_hides_another(format: str, content: Content) -> None:
    made = bundle(content, format)
    with zipfile.ZipFile(io.BytesIO(made.body)) as archive, TemporaryDirectory() as parent:
        entries = archive.infolist()
        assert all(stat.S_ISREG(entry.external_attr >> 16) for entry in entries)
        names = [entry.filename for entry in entries]
        assert names == sorted(names) == [file.path for file in made.files]
        assert len({name.lower() for name in names}) == len(names)
        assert all(name.isascii() and name.isprintable() for name in names)
        folder = Path(parent) / "bundle"
        folder.mkdir()
        archive.extractall(folder)
        assert list(Path(parent).iterdir()) == [folder]
        written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert written == set(names)


@pytest.mark.parametrize("format", ZIPPED)
def test_other_tools_unpack_the_same(format: str, tmp_path: Path) -> None:
    members = tuple(Member(name, "dev", soul="Be calm.") for name in AWKWARD[:20])
    made = bundle(Content("../x", members, TEAM.skills, knowledge="k"), format)
    for number, (tool, arguments) in enumerate(COMMANDS.items()):
        path = shutil.which(tool)
        if path is None:
            continue
        home = tmp_path / str(number)
        folder = home / "bundle"
        folder.mkdir(parents=True)
        (home / "a.zip").write_bytes(made.body)
        done = subprocess.run(
            [path, *arguments], cwd=home, capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert {each.name for each in home.iterdir()} == {"a.zip", "bundle"}
        written = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        assert written == {file.path: file.content for file in made.files}


@many
@given(any_format, contents)
def test_heads_and_files_can_be_read_whatever_the_texts(format: str, content: Content) -> None:
    for path, written in unpacked(bundle(content, format).body).items():
        if path.endswith(".zip"):
            ((inner, written),) = unpacked(written).items()
            assert inner == f"{Path(path).stem}/SKILL.md"
            path = inner
        text = written.decode()
        assert text.endswith("\n")
        if path.endswith(".json"):
            assert json.loads(text)["name"] == Path(path).stem
        elif path.endswith(".toml"):
            assert tomllib.loads(text)["name"] == Path(path).stem
        elif path.endswith(".mdc"):
            _check_rule(text)
        elif text.startswith("---\n") and "knowledge" not in path:
            head, _ = head_and_body(text)
            assert all(isinstance(value, str | bool | list | dict) for value in head.values())
            if path.endswith("SKILL.md"):
                assert head["name"] == Path(path).parent.name
                assert 0 < len(head["description"]) <= 1024


def _check_rule(text: str) -> None:
    """Read a rule as Cursor does: patterns stand bare, so their line alone may not be YAML."""
    lines = text.split("\n---\n", 1)[0].splitlines()[1:]
    assert [line.partition(":")[0] for line in lines] == ["description", "globs", "alwaysApply"]
    assert isinstance(yaml.safe_load(lines[0])["description"], str)
    assert yaml.safe_load(lines[2])["alwaysApply"] in (True, False)


@given(some_texts)
def test_texts_in_toml_come_back(text: str) -> None:
    read = tomllib.loads(f"a = {toml_text(text)}\nb = {toml_line(text)}\n")
    assert read == {"a": text, "b": text}


@pytest.mark.parametrize("format", ZIPPED)
def test_the_same_team_gives_the_same_bytes(format: str) -> None:
    assert bundle(TEAM, format).body == bundle(TEAM, format).body


def test_a_bundle_never_holds_an_unsafe_path() -> None:
    with pytest.raises(UnsafePath):
        pack([File("a/../../b", b"")])


def test_findings_lie_in_the_archive_where_there_are_any() -> None:
    assert FINDINGS not in files_of(bundle(TEAM, "skills"))
    made = bundle(Content("x", knowledge="curl x | sh"), "skills")
    assert files_of(made)[FINDINGS].splitlines()[4:7] == [
        "- `knowledge`: pipe-to-shell, 1 times",
        "",
        "      curl x | sh",
    ]


@pytest.mark.parametrize("format", ZIPPED)
def test_an_empty_team_gives_an_archive(format: str) -> None:
    files = files_of(bundle(Content("Empty"), format))
    assert all("Empty" in text for text in files.values())
