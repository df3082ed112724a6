"""What must hold of the compose file whatever runs in it. Starting it is ``make test-compose``."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, Final

import pytest

from guildhall.provision import SCHEMAS
from shared.settings import SERVICES

ROOT: Final = Path(__file__).resolve().parents[2]
COMPOSE: Final = (ROOT / "docker-compose.yml").read_text()
# Without type stubs on this name: PyYAML has none of its own.
SYSTEM: Final[dict[str, Any]] = importlib.import_module("yaml").safe_load(COMPOSE)
CONTAINERS: Final[dict[str, dict[str, Any]]] = SYSTEM["services"]
PROCESSES: Final = sorted(set(CONTAINERS) - {"postgres", "rabbitmq"})
OWNERS: Final = {"worker": "runs", **{name: name for name in SERVICES}}


def required() -> set[str]:
    return set(re.findall(r"\$\{(\w+):\?", COMPOSE))


def optional() -> set[str]:
    return set(re.findall(r"\$\{(\w+):-", COMPOSE))


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_contained(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in container["security_opt"]
    assert {"mem_limit", "pids_limit", "cpus", "logging"} <= set(container)
    assert not {"privileged", "network_mode", "pid"} & set(container)


@pytest.mark.parametrize("name", sorted(set(CONTAINERS) - {"migrate"}))
def test_every_lasting_container_is_watched_and_restarted(name: str) -> None:
    assert CONTAINERS[name]["healthcheck"]["test"][0] == "CMD"
    assert CONTAINERS[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(set(PROCESSES) - {"migrate", "gateway"}))
def test_services_start_on_a_migrated_database_and_a_broker(name: str) -> None:
    assert CONTAINERS[name]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "postgres": {"condition": "service_healthy"},
        "rabbitmq": {"condition": "service_healthy"},
    }


@pytest.mark.parametrize("name", OWNERS)
def test_a_service_holds_its_own_secrets_only(name: str) -> None:
    given = set(CONTAINERS[name]["environment"])
    own = OWNERS[name].upper()
    owned = {v for v in given if re.search(r"(DATABASE_URL|ASSERTION_KEY|DB_PASSWORD)$", v)}
    assert owned == {f"GUILDHALL_{own}_DATABASE_URL", f"GUILDHALL_{own}_ASSERTION_KEY"}
    assert ("GUILDHALL_SIGNING_KEYS" in given) == (name == "auth")
    assert "GUILDHALL_ROOT_SECRET" not in given


def test_the_gateway_knows_every_service_and_no_database() -> None:
    given = CONTAINERS["gateway"]["environment"]
    for service in SERVICES:
        assert given[f"GUILDHALL_{service.upper()}_URL"] == f"http://{service}:8000"
        assert f"GUILDHALL_{service.upper()}_ASSERTION_KEY" in given
    assert "postgres" not in str(given)
    assert "GUILDHALL_SIGNING_KEYS" not in given


@pytest.mark.parametrize(
    ("asker", "asked"),
    [("auth", {"teams"}), ("teams", {"auth"}), ("agents", {"auth", "learnings", "teams"})],
)
def test_a_service_knows_those_whom_it_asks_and_nobody_else(asker: str, asked: set[str]) -> None:
    given = CONTAINERS[asker]["environment"]
    for service in set(SERVICES) - {asker}:
        url, key = f"GUILDHALL_{service.upper()}_URL", f"GUILDHALL_{service.upper()}_SIBLING_KEY"
        assert (url in given) == (key in given) == (service in asked)
        if service in asked:
            assert given[url] == f"http://{service}:8000"
            assert given[key] == CONTAINERS[service]["environment"][key]


def test_agents_reaches_models_and_tools_outside() -> None:
    assert set(CONTAINERS["agents"]["networks"]) == {"inner", "outer"}


def test_every_schema_is_migrated_by_its_own_role() -> None:
    given = CONTAINERS["migrate"]["environment"]
    logins = {f"GUILDHALL_{schema.upper()}_DATABASE_URL" for schema in SCHEMAS}
    assert set(given) == {*logins, "GUILDHALL_BROKER_URL"}
    for schema in SCHEMAS:
        address = given[f"GUILDHALL_{schema.upper()}_DATABASE_URL"]
        assert address.startswith(f"postgres://guildhall_{schema}:")


def test_only_the_gateway_can_be_reached_from_outside() -> None:
    assert [name for name in CONTAINERS if "ports" in CONTAINERS[name]] == ["gateway"]
    assert "${GUILDHALL_BIND:-127.0.0.1}:" in CONTAINERS["gateway"]["ports"][0]
    assert SYSTEM["networks"]["inner"] == {"internal": True}
    for name in ("postgres", "rabbitmq", "migrate", "teams"):
        assert CONTAINERS[name]["networks"] == ["inner"]


def test_the_example_lists_every_variable_and_whether_it_is_required() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    asked = {match[1] for line in lines if (match := re.match(r"(\w+)=$", line))}
    offered = {match[1] for line in lines if (match := re.match(r"#(\w+)=", line))}
    assert asked == required()
    assert offered == optional()
