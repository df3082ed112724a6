"""The worker's settings, by our names and by those that users of the original bring along."""

from __future__ import annotations

import pytest

from services.runs.integrations.models.keys import KEYS, LOG_FILE, SECRETS
from services.runs.integrations.operations.reading import of_environment
from services.runs.settings import RunsSettings
from shared.secret import encode_base64url
from shared.settings import read, read_or_exit

REMOTE = "ws://chrome.test:9222/devtools/browser/8b4f"


@pytest.fixture(autouse=True)
def _usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_RUNS_DATABASE_URL", "postgres://guildhall_runs@127.0.0.1/x")
    monkeypatch.setenv("GUILDHALL_ROOT_SECRET", encode_base64url(bytes(32)))


@pytest.mark.parametrize("name", ["TRIPWIRE_DRIVER", "UPLIFTR_DRIVER", "GUILDHALL_RUNS_DRIVER"])
def test_a_desktop_is_refused_at_start_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(name, "playwright")
    assert read(RunsSettings).driver == "playwright"
    monkeypatch.setenv(name, "desktop")
    with pytest.raises(SystemExit) as left:
        read_or_exit(RunsSettings)
    said = capsys.readouterr().err
    assert left.value.code == 78
    for word in ("GUILDHALL_RUNS_DRIVER", "TRIPWIRE_DRIVER", "desktop is not supported"):
        assert word in said


def test_an_unknown_driver_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPWIRE_DRIVER", "selenium")
    with pytest.raises(SystemExit):
        read_or_exit(RunsSettings)
    assert "playwright" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["TRIPWIRE_CDP", "UPLIFTR_CDP"])
def test_a_remote_browser_by_its_other_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, REMOTE)
    assert read(RunsSettings).browser_endpoint == REMOTE
    monkeypatch.setenv("GUILDHALL_BROWSER_ENDPOINT", "wss://ours.test/")
    assert read(RunsSettings).browser_endpoint == "wss://ours.test/"


def test_an_address_of_another_kind_says_where_the_right_one_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPWIRE_CDP", "http://chrome.test:9222")
    with pytest.raises(SystemExit):
        read_or_exit(RunsSettings)
    said = capsys.readouterr().err
    assert "TRIPWIRE_CDP" in said
    assert "/json/version" in said
    assert "chrome.test" not in said


def test_plans_have_a_time_zone_that_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert str(read(RunsSettings).zone_of_plans()) == "UTC"
    monkeypatch.setenv("GUILDHALL_RUNS_PLAN_TIME_ZONE", "Europe/Berlin")
    assert str(read(RunsSettings).zone_of_plans()) == "Europe/Berlin"
    for wrong in ("Nowhere/At_all", "../etc/passwd", "Europe"):
        monkeypatch.setenv("GUILDHALL_RUNS_PLAN_TIME_ZONE", wrong)
        with pytest.raises(SystemExit):
            read_or_exit(RunsSettings)
        assert "must name a time zone" in capsys.readouterr().err


def test_other_systems_are_known_by_the_names_of_the_contract(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"LOG_BACKEND": "Loki", "NOTIFY_ON": "always"}
    given = {key.name: words.get(key.name, f"value-{key.name}") for key in (*KEYS, LOG_FILE)}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = read(RunsSettings)
    assert of_environment(settings) == {**given, "LOG_BACKEND": "loki"}
    assert not any(given[name] in repr(settings) for name in SECRETS)
    assert settings.run_url("run_1") == "http://127.0.0.1:8000/api/v1/runs/run_1"
    monkeypatch.setenv("UPLIFTR_BASE_URL", "https://dashboard.test/")
    assert read(RunsSettings).run_url("run_1") == "https://dashboard.test/runs/run_1"
    monkeypatch.setenv("NOTIFY_ON", "sometimes")
    with pytest.raises(SystemExit):
        read_or_exit(RunsSettings)
    said = capsys.readouterr().err
    assert "NOTIFY_ON" in said
    assert "failure, always" in said
