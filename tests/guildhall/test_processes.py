from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guildhall.processes import Plan, Process
from guildhall.secret_files import Secrets
from guildhall.settings import CommandSettings
from shared.secret import derive, encode_base64url
from shared.settings import SERVICES, assertion_purpose

ROOT = bytes(range(32))
SECRETS = Secrets(ROOT, "the-signing-seeds", "the-admin-password", frozenset())
MACHINE = {
    "PATH": "/bin",
    "HOME": "/home/somebody",
    "AWS_SECRET_ACCESS_KEY": "not ours",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
    "GUILDHALL_PORT": "9000",
    "GUILDHALL_ROOT_SECRET": "opens-everything",
    "GUILDHALL_DATABASE_URL": "postgres://admin:admin-word@db/guildhall",
    "GUILDHALL_LOG_LEVEL": "warning",
    "GUILDHALL_TEAMS_LOG_LEVEL": "debug",
}


def database_url(schema: str) -> str:
    return f"postgres://guildhall_{schema}:{schema}-word@127.0.0.1:5432/guildhall"


def plan(data_dir: Path, machine: dict[str, str] | None = None, **values: Any) -> Plan:
    given = {f"GUILDHALL_{name.upper()}": value for name, value in values.items()}
    settings = CommandSettings.model_validate(
        {"GUILDHALL_DATA_DIR": data_dir, "GUILDHALL_PORT": 9000, **given}
    )
    return Plan(settings, SECRETS, database_url, MACHINE if machine is None else machine)


def every(plan: Plan) -> dict[str, Process]:
    return {process.name: process for process in [plan.gateway(), *plan.services()]}


def key(service: str) -> str:
    return encode_base64url(derive(ROOT, assertion_purpose(service)))


def test_the_system_is_the_gateway_the_services_and_the_run_worker(tmp_path: Path) -> None:
    processes = every(plan(tmp_path))
    assert set(processes) == {"gateway", *SERVICES, "runs work"}
    # Who takes a request says at once that there is work; a relay elsewhere would have to look.
    assert "GUILDHALL_RUNS_SERVE_BACKGROUND" not in processes["runs"].environment
    assert processes["runs work"].arguments == ("work",)
    assert processes["gateway"].ready_url == "http://127.0.0.1:9000/health/ready"
    assert processes["teams"].ready_url == "http://127.0.0.1:9004/health/ready"


def test_a_service_that_only_serves_gets_a_worker(tmp_path: Path) -> None:
    machine = {**MACHINE, "GUILDHALL_LEARNINGS_SERVE_BACKGROUND": "off"}
    assert "learnings work" in every(plan(tmp_path, machine))
    assert "auth work" not in every(plan(tmp_path, machine))


@pytest.mark.parametrize("name", ["gateway", *SERVICES, "runs work"])
def test_each_process_holds_its_own_secrets_only(tmp_path: Path, name: str) -> None:
    values = " ".join(every(plan(tmp_path))[name].environment.values())
    own = name.split()[0]
    for service in SERVICES:
        assert (f"{service}-word" in values) == (service == own)
        assert (key(service) in values) == (own in ("gateway", service))
    assert ("the-signing-seeds" in values) == (own == "auth")
    assert "opens-everything" not in values
    assert "admin-word" not in values
    assert "not ours" not in values
    assert encode_base64url(ROOT) not in values


def test_the_keys_of_an_object_store_go_to_who_keeps_files_there(tmp_path: Path) -> None:
    machine = {**MACHINE, "GUILDHALL_ARTIFACTS_URL": "s3://bucket/prefix"}
    processes = every(plan(tmp_path, machine))
    holders = {n for n, process in processes.items() if "not ours" in process.environment.values()}
    assert holders == {"learnings", "runs", "runs work"}


def test_what_suites_may_name_goes_to_the_worker_of_runs_alone(tmp_path: Path) -> None:
    machine = {**MACHINE, "E2E_PASSWORD": "of-a-test-account", "GH_TOKEN": "of-a-machine"}
    processes = every(plan(tmp_path, machine))
    assert {n for n, one in processes.items() if "E2E_PASSWORD" in one.environment} == {"runs work"}
    assert not [n for n, one in processes.items() if "of-a-machine" in one.environment.values()]


def test_credentials_of_trackers_go_to_runs_alone(tmp_path: Path) -> None:
    processes = every(plan(tmp_path, {**MACHINE, "GITHUB_TOKEN": "of-a-tracker"}))
    holders = {n for n, one in processes.items() if "of-a-tracker" in one.environment.values()}
    assert holders == {"runs", "runs work"}


def test_where_browsers_are_is_told_to_the_worker_of_runs_alone(tmp_path: Path) -> None:
    processes = every(plan(tmp_path, {**MACHINE, "PLAYWRIGHT_BROWSERS_PATH": "/opt/browsers"}))
    told = {n for n, one in processes.items() if "/opt/browsers" in one.environment.values()}
    assert told == {"runs work"}


def test_opentelemetrys_variables_go_to_who_makes_spans(tmp_path: Path) -> None:
    processes = every(plan(tmp_path))
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    assert {n for n, process in processes.items() if name in process.environment} == {"gateway"}


def test_a_variable_of_one_process_wins_over_the_one_for_all(tmp_path: Path) -> None:
    processes = every(plan(tmp_path))
    assert processes["auth"].environment["GUILDHALL_LOG_LEVEL"] == "warning"
    assert processes["teams"].environment["GUILDHALL_TEAMS_LOG_LEVEL"] == "debug"
    assert "GUILDHALL_LOG_LEVEL" not in processes["teams"].environment


def test_an_assertion_key_that_is_given_reaches_both_ends(tmp_path: Path) -> None:
    given = encode_base64url(b"g" * 32)
    processes = every(plan(tmp_path, {**MACHINE, "GUILDHALL_AUTH_ASSERTION_KEY": given}))
    for name in ("gateway", "auth"):
        assert given in processes[name].environment.values()
        assert key("auth") not in processes[name].environment.values()


def test_services_listen_at_home_even_where_the_gateway_does_not(tmp_path: Path) -> None:
    processes = every(plan(tmp_path, profile="production", host="192.0.2.7"))
    hosts = {
        name: next(v for k, v in process.environment.items() if k.endswith("_HOST"))
        for name, process in processes.items()
    }
    assert hosts.pop("gateway") == "192.0.2.7"
    assert set(hosts.values()) == {"127.0.0.1"}


def test_the_bus_is_the_database_unless_a_broker_is_given(tmp_path: Path) -> None:
    def brokers(planned: Plan) -> set[str]:
        return {
            value
            for process in every(planned).values()
            for name, value in process.environment.items()
            if name.endswith("BROKER_URL")
        }

    assert brokers(plan(tmp_path)) == {database_url("bus")}
    assert brokers(plan(tmp_path, broker_url="amqp://a:b@mq/")) == {"amqp://a:b@mq/"}


@pytest.mark.parametrize("name", ["gateway", *SERVICES])
def test_each_process_reads_its_environment_without_complaint(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guildhall.processes import settings_class
    from shared.settings import read

    machine = {"PATH": "/bin"}
    real = Secrets(ROOT, encode_base64url(b"s" * 32), "the-admin-password", frozenset())
    settings = CommandSettings.model_validate({"GUILDHALL_DATA_DIR": tmp_path})
    process = every(Plan(settings, real, database_url, machine))[name]
    for variable, value in process.environment.items():
        monkeypatch.setenv(variable, value)
    loaded = read(settings_class(name))
    assert loaded.profile == "development"
