from __future__ import annotations

import pytest

from tests import prepare
from tests.prepare import Need, main


def need(*, there: bool) -> Need:
    return Need("no-such-package", lambda: there, "everything")


@pytest.fixture(autouse=True)
def _no_installing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_right_to_install", lambda: None)
    monkeypatch.delenv("CI", raising=False)


def test_a_ready_machine_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([need(there=True)]) == 0
    assert capsys.readouterr().out == ""


def test_what_will_be_skipped_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([need(there=False)]) == 0
    assert "no-such-package is not installed: everything will be skipped" in capsys.readouterr().out


def test_in_ci_a_skip_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert main([need(there=False)]) == 1
    assert main([need(there=True)]) == 0


def test_what_is_no_package_installs_itself(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def install() -> str:
        done.append("it")
        return ""

    assert main([Need("it", lambda: bool(done), "everything", install)]) == 0
    assert capsys.readouterr().out == ""


def test_why_it_was_not_installed_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    assert main([Need("it", lambda: False, "everything", lambda: "no network")]) == 1
    assert "it was not installed:\nno network" in capsys.readouterr().out
