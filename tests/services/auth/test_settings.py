from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.auth.settings import AuthSettings
from shared.secret import encode_base64url
from shared.settings import SettingsError, read

SEEDS = [encode_base64url(bytes([number]) * 32) for number in range(6)]
GOOD = {
    "GUILDHALL_DATABASE_URL": "postgres://guildhall_auth@127.0.0.1/guildhall",
    "GUILDHALL_ROOT_SECRET": encode_base64url(b"r" * 32),
    "GUILDHALL_SIGNING_KEYS": SEEDS[0],
}


def settings(**values: Any) -> AuthSettings:
    return AuthSettings.model_validate(GOOD | values)


def test_the_defaults() -> None:
    found = settings()
    assert found.public_url == "http://127.0.0.1:8000"
    assert found.data_dir == Path("var")
    assert found.seeds() == (bytes(32),)
    assert found.sender == "Guildhall <no-reply@127.0.0.1>"


def test_seeds_stand_in_the_order_given() -> None:
    text = f" {SEEDS[1]},{SEEDS[2]}\n{SEEDS[3]}\t"
    assert [seed[0] for seed in settings(GUILDHALL_SIGNING_KEYS=text).seeds()] == [1, 2, 3]


def test_the_services_own_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GUILDHALL_AUTH_PUBLIC_URL", "https://guild.example/")
    monkeypatch.setenv("GUILDHALL_PUBLIC_URL", "https://other.example")
    assert read(AuthSettings).public_url == "https://guild.example"


def test_every_problem_is_named_and_no_secret_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_SIGNING_KEYS", "hunter2hunter2")
    monkeypatch.setenv("GUILDHALL_SMTP_URL", "imap://user:hunter2@mail.example")
    with pytest.raises(SettingsError) as raised:
        read(AuthSettings)
    text = str(raised.value)
    assert "GUILDHALL_AUTH_SIGNING_KEYS" in text
    assert "GUILDHALL_AUTH_SMTP_URL" in text
    assert "GUILDHALL_AUTH_DATABASE_URL" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "values",
    [
        {"GUILDHALL_SIGNING_KEYS": " "},
        {"GUILDHALL_SIGNING_KEYS": encode_base64url(b"short")},
        {"GUILDHALL_SIGNING_KEYS": SEEDS[0] + "="},
        {"GUILDHALL_SIGNING_KEYS": " ".join(SEEDS[:5])},
        {"GUILDHALL_SIGNING_KEYS": f"{SEEDS[0]} {SEEDS[0]}"},
        {"GUILDHALL_PUBLIC_URL": "guild.example"},
        {"GUILDHALL_PUBLIC_URL": "ftp://guild.example"},
        {"GUILDHALL_SMTP_URL": "smtp://"},
        {"GUILDHALL_SMTP_URL": "smtp://mail.example:mail"},
        {"GUILDHALL_ADMIN_EMAIL": "root@mail.example"},
        {"GUILDHALL_ADMIN_PASSWORD": "long enough"},
        {"GUILDHALL_ADMIN_EMAIL": "root@mail.example", "GUILDHALL_ADMIN_PASSWORD": "seven c"},
        {"GUILDHALL_ADMIN_EMAIL": "root", "GUILDHALL_ADMIN_PASSWORD": "long enough"},
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(**values)


def test_no_secret_shows_itself() -> None:
    shown = repr(settings(GUILDHALL_SMTP_URL="smtp://user:hunter2@mail.example"))
    assert SEEDS[0] not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("brand", ["TRIPWIRE", "UPLIFTR"])
def test_the_names_of_the_runs_surface_count_too(
    monkeypatch: pytest.MonkeyPatch, brand: str
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(f"{brand}_ADMIN_EMAIL", "root@mail.example")
    monkeypatch.setenv(f"{brand}_ADMIN_PASSWORD", "long enough")
    monkeypatch.setenv(f"{brand}_DEPLOYMENT_MODE", "cloud")
    monkeypatch.setenv(f"{brand}_BASE_URL", "https://dashboard.example/")
    found = read(AuthSettings)
    assert found.admin_email == "root@mail.example"
    assert found.admin_password is not None
    assert found.deployment_mode == "cloud"
    assert found.link_base == "https://dashboard.example"
    monkeypatch.setenv("GUILDHALL_WEB_URL", "https://ours.example")
    assert read(AuthSettings).link_base == "https://ours.example"


def test_setup_is_open_in_development_and_where_it_is_opened() -> None:
    safe = {"GUILDHALL_PASSWORD_MEMORY": "65536", "GUILDHALL_PASSWORD_PASSES": "3"}
    assert not settings(**safe).is_setup_open
    assert settings(GUILDHALL_SETUP_OPEN="1").is_setup_open
    assert settings(GUILDHALL_PROFILE="development").is_setup_open
    assert settings().link_base == settings().public_url


@pytest.mark.parametrize(
    "values",
    [
        {"GUILDHALL_DEPLOYMENT_MODE": "on-premise"},
        {"GUILDHALL_WEB_URL": "dashboard.example"},
        {"GUILDHALL_SETUP_OPEN": "perhaps"},
        {"TRIPWIRE_ADMIN_EMAIL": "root@mail.example"},
    ],
)
def test_a_bad_word_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(**values)
