"""What is wrong before anything is run leaves with 3; what goes wrong with us, never with 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from guildhall.cli import app
from guildhall.runs import running
from tests.guildhall.runs_support import TWO


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "configure", lambda *_: None)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "good.yaml").write_text(TWO)
    (tmp_path / "bad.yaml").write_text("suite: [x")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("run",), {}, "Missing argument"),
        (("run", "x", "--nonsense"), {}, "No such option"),
        (("run", "good.yaml", "--jobs", "0"), {}, "--jobs"),
        (("nonsense",), {}, "No such command"),
        (("run", "nothing/**"), {}, "there is no suite"),
        (("run", "bad.yaml"), {}, "bad.yaml:1:"),
        (("run", "good.yaml", "--case", "third"), {}, "No suite has a case third"),
        (("run", "good.yaml", "--file-issues", "trello"), {}, "file_issues knows"),
        (("run", "good.yaml", "--out", "good.yaml"), {}, "good.yaml:"),
        (("run", "good.yaml"), {"TRIPWIRE_DRIVER": "desktop"}, "desktop is not supported"),
        (("run", "good.yaml"), {"UPLIFTR_DRIVER": "desktop"}, "desktop is not supported"),
        (("run", "good.yaml"), {"GUILDHALL_RUNS_CHROMIUM": "/nowhere"}, "apt install chromium"),
        (("run", "good.yaml", "--server", "http://x"), {}, "needs a token"),
        (("run", "good.yaml"), {"GUILDHALL_SERVER": "nowhere"}, "must be http://"),
        (("run", "good.yaml", "--server", "http://[", "--token", "x"), {}, "must be http://"),
        (("test-url", "nowhere", "Open /"), {}, "must be http://"),
        (("test-url", "http://[::1", "Open /"), {}, "must be http://"),
        (("test-url", "http://127.0.0.1:9", " ; then "), {}, "no instructions"),
        (("test-url", "http://127.0.0.1:9", "Open /"), {"TRIPWIRE_DRIVER": "desktop"}, "desktop"),
    ],
)
def test_what_is_wrong_before_anything_is_run(
    arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    done = CliRunner().invoke(app, ["runs", *arguments], env=environment)
    assert (done.exit_code, said in done.output) == (3, True), done.output
    assert "Traceback" not in done.output


def test_a_fault_of_ours_is_no_failed_case(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(running, "find", fail)
    done = CliRunner().invoke(app, ["runs", "run", "good.yaml"])
    assert (done.exit_code, "ZeroDivisionError" in done.output) == (2, True)
    monkeypatch.delattr(running, "run_suites")
    done = CliRunner().invoke(app, ["runs", "run", "good.yaml"])
    assert (done.exit_code, "ImportError" in done.output) == (2, True)


def test_help_names_the_exit_statuses() -> None:
    done = CliRunner().invoke(app, ["runs", "--help"])
    assert done.exit_code == 0
    assert "2: some were broken" in " ".join(done.output.replace("│", " ").split())
