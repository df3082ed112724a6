from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guildhall.env_file import env_file
from guildhall.provision import SCHEMAS
from shared import VERSION
from shared.secret import decode_base64url
from shared.settings import SERVICES
from tests.support.ports import free_ports
from tests.support.postgres import DatabaseUrls

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "guildhall", *arguments),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def values(env: str) -> dict[str, str]:
    lines = [line for line in env.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_help_lists_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("up", "migrate", "doctor", "events", "runs", "secrets", "version"):
        assert re.search(rf"^\W*{command} ", done.stdout, re.MULTILINE), command


def test_version() -> None:
    assert run("version").stdout == f"{VERSION}\n"


def test_wrong_settings_are_all_named_without_their_values() -> None:
    done = run(
        "up", GUILDHALL_PORT="eighty", GUILDHALL_HOST="192.0.2.7", GUILDHALL_ROOT_SECRET="shh!"
    )
    assert done.returncode == 78
    assert "GUILDHALL_PORT" in done.stderr
    assert "GUILDHALL_ROOT_SECRET" in done.stderr
    assert "eighty" not in done.stderr
    assert "shh!" not in done.stderr


def test_development_is_refused_on_a_public_address(tmp_path: Path) -> None:
    done = run("up", GUILDHALL_HOST="192.0.2.7", GUILDHALL_DATA_DIR=str(tmp_path / "var"))
    assert done.returncode == 78
    assert "GUILDHALL_PROFILE=production" in done.stderr
    assert not (tmp_path / "var").exists()


def test_production_names_the_missing_secret(tmp_path: Path) -> None:
    done = run("migrate", GUILDHALL_PROFILE="production", GUILDHALL_DATA_DIR=str(tmp_path / "var"))
    assert done.returncode == 1
    assert done.stderr.strip() == "GUILDHALL_ROOT_SECRET is missing"


def test_migrate_uses_the_logins_it_is_given(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    given = {f"GUILDHALL_{s.upper()}_DATABASE_URL": database_urls.url(s) for s in SCHEMAS}
    done = run("migrate", **given, GUILDHALL_DATA_DIR=str(tmp_path / "var"))
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [[s, "current"] for s in SCHEMAS]
    assert not (tmp_path / "var").exists()


def test_migrate_leaves_the_bus_alone_where_another_broker_carries_events(
    database_urls: DatabaseUrls,
) -> None:
    given = {f"GUILDHALL_{s.upper()}_DATABASE_URL": database_urls.url(s) for s in SERVICES}
    done = run("migrate", **given, GUILDHALL_BROKER_URL="amqp://a:b@127.0.0.1:1/")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(SERVICES)


def test_the_doctor_changes_nothing_on_a_fresh_machine(tmp_path: Path) -> None:
    done = run("doctor", GUILDHALL_DATA_DIR=str(tmp_path / "var"), GUILDHALL_PORT=str(free_ports()))
    assert done.returncode == 0, done.stdout
    assert "is made at the first start" in done.stdout
    assert not (tmp_path / "var").exists()


def test_the_doctor_says_where_runs_get_a_browser(tmp_path: Path) -> None:
    folders = {"GUILDHALL_DATA_DIR": str(tmp_path), "GUILDHALL_PORT": str(free_ports())}
    done = run("doctor", **folders, GUILDHALL_RUNS_CHROMIUM="/nowhere/chromium")
    assert done.returncode == 0, done.stdout  # everything else works
    assert re.search(r"^warning +browser +/nowhere/chromium is no program", done.stdout, re.M)
    assert "apt install chromium" in done.stdout
    assert "GUILDHALL_RUNS_CHROMIUM" in done.stdout


def test_the_doctor_names_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    given = {f"GUILDHALL_{s.upper()}_DATABASE_URL": "postgres://a:b@127.0.0.1:1/x" for s in SCHEMAS}
    done = run(
        "doctor", **given, GUILDHALL_DATA_DIR=str(tmp_path), GUILDHALL_PORT=str(free_ports())
    )
    assert done.returncode == 1
    assert re.search(r"^broken +database auth +cannot log in", done.stdout, re.MULTILINE)


@pytest.mark.slow
def test_the_doctor_names_a_broker_that_cannot_be_reached(tmp_path: Path) -> None:
    broker = "amqp://guildhall:very-secret@127.0.0.1:1/"
    done = run(
        "doctor",
        GUILDHALL_BROKER_URL=broker,
        GUILDHALL_DATA_DIR=str(tmp_path),
        GUILDHALL_PORT=str(free_ports()),
    )
    assert done.returncode == 1
    assert re.search(r"^broken +broker ", done.stdout, re.MULTILINE), done.stdout
    assert "very-secret" not in done.stdout + done.stderr


def test_replay_wants_to_know_which() -> None:
    assert run("events", "replay", "--service", "auth").returncode == 2
    assert run("events", "replay", "--service", "auth", "--all", "7").returncode == 2
    assert run("events", "replay", "7").returncode == 2


def test_the_env_file_fills_everything_the_example_requires() -> None:
    required = re.findall(r"^([A-Z_]+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    filled = values(env_file())
    assert set(filled) == set(required)
    for name, value in filled.items():
        assert len(decode_base64url(value)) == 32, name
    assert len(set(filled.values())) == len(filled)
    assert not set(filled.values()) & set(values(env_file()).values())


def test_secrets_prints_the_env_file_alone() -> None:
    assert values(run("secrets").stdout).keys() == values(env_file()).keys()
