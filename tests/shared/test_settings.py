from __future__ import annotations

from typing import ClassVar

import pytest

from shared.secret import encode_base64url
from shared.settings import (
    ServiceSettings,
    SettingsError,
    read,
    read_or_exit,
    settings_config,
    variable_names,
)

ROOT = encode_base64url(bytes(range(32)))


class Auth(ServiceSettings):
    """A service's settings."""

    model_config = settings_config("auth")
    service: ClassVar[str] = "auth"


class Runs(ServiceSettings):
    """Another service's settings."""

    model_config = settings_config("runs")
    service: ClassVar[str] = "runs"


class Foreign(ServiceSettings):
    """Settings that users of another system know by other names."""

    model_config = settings_config("auth", {"port": ("OTHER_PORT", "OLDER_PORT")})
    service: ClassVar[str] = "auth"


def environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"GUILDHALL_{name}", value)


def test_a_services_own_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(
        monkeypatch,
        ROOT_SECRET=ROOT,
        DATABASE_URL="postgres://common",
        AUTH_DATABASE_URL="postgres://own",
        PORT="8001",
        RUNS_PORT="8003",
    )
    auth, runs = read(Auth), read(Runs)
    assert auth.database_url.get_secret_value() == "postgres://own"
    assert runs.database_url.get_secret_value() == "postgres://common"
    assert (auth.port, runs.port) == (8001, 8003)
    assert variable_names(Auth, "port") == ("GUILDHALL_AUTH_PORT", "GUILDHALL_PORT")


def test_assertion_keys_are_derived_or_given(monkeypatch: pytest.MonkeyPatch) -> None:
    own = encode_base64url(b"k" * 32)
    environment(monkeypatch, DATABASE_URL="postgres://x", ROOT_SECRET=ROOT, RUNS_ASSERTION_KEY=own)
    assert read(Runs).key_for_assertions() == b"k" * 32
    assert len(read(Auth).key_for_assertions()) == 32
    assert read(Auth).key_for_assertions() != bytes(range(32))


def test_every_problem_is_named_and_no_value_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(monkeypatch, AUTH_PORT="swordfish", PROFILE="swordfish", ROOT_SECRET="swordfish!")
    with pytest.raises(SettingsError) as caught:
        read(Auth)
    text = "\n".join(caught.value.problems)
    for name in ("AUTH_PORT", "AUTH_PROFILE", "AUTH_ROOT_SECRET", "AUTH_DATABASE_URL: is missing"):
        assert f"GUILDHALL_{name}" in text
    with pytest.raises(SystemExit, match="78"):
        read_or_exit(Auth)
    assert "swordfish" not in text + capsys.readouterr().err


def test_a_short_key_and_no_key_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, DATABASE_URL="postgres://x")
    with pytest.raises(SettingsError, match="assertion_key or root_secret"):
        read(Auth)
    environment(monkeypatch, AUTH_ASSERTION_KEY=encode_base64url(b"short"))
    with pytest.raises(SettingsError, match="32 bytes"):
        read(Auth)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, DATABASE_URL="postgres://u:swordfish@h/d", ROOT_SECRET=ROOT)
    assert "swordfish" not in repr(read(Auth)) + str(read(Auth))
    assert ROOT not in repr(read(Auth))


def test_a_foreign_name_counts_where_ours_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, DATABASE_URL="postgres://x", ROOT_SECRET=ROOT)
    monkeypatch.setenv("OLDER_PORT", "9001")
    assert read(Foreign).port == 9001
    monkeypatch.setenv("OTHER_PORT", "9002")
    assert read(Foreign).port == 9002
    environment(monkeypatch, PORT="9003")
    assert read(Foreign).port == 9003
    ours = ("GUILDHALL_AUTH_PORT", "GUILDHALL_PORT")
    assert variable_names(Foreign, "port") == (*ours, "OTHER_PORT", "OLDER_PORT")
    assert variable_names(Foreign, "host") == ("GUILDHALL_AUTH_HOST", "GUILDHALL_HOST")
