from __future__ import annotations

from pathlib import Path

import pytest

from guildhall.settings import CommandSettings
from shared.settings import SettingsError, read


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "guildhall.example"])  # noqa: S104
def test_development_stays_at_home(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_HOST", host)
    with pytest.raises(SettingsError, match="loopback address only"):
        read(CommandSettings)
    monkeypatch.setenv("GUILDHALL_PROFILE", "production")
    assert read(CommandSettings).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_addresses_are_home(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_HOST", host)
    assert read(CommandSettings).is_development


def test_the_ports_follow_the_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_PORT", "9100")
    assert read(CommandSettings).ports() == {
        "gateway": 9100,
        "auth": 9101,
        "learnings": 9102,
        "runs": 9103,
        "teams": 9104,
        "agents": 9105,
        "gateway metrics": 9109,
    }


def test_a_port_must_leave_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_PORT", "65530")
    with pytest.raises(SettingsError, match="GUILDHALL_PORT"):
        read(CommandSettings)


def test_the_data_dir_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(CommandSettings).directory == tmp_path.resolve() / "var"
