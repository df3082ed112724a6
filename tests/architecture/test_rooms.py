from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from shared.settings import SERVICES
from tests.architecture.tree import ROOT, imports, python_files

SERVICE_ROOMS = {"__init__.py", "__main__.py", "app.py", "settings.py", "consumers.py"}
RESOURCE_ROOMS = {"__init__.py", "routes.py", "operations.py", "store.py", "models.py", "rules.py"}
# Doors that are no resource: they serve callers of a whole service, and stand over its operations.
DOORS = {"teams": {"socket"}}
# A house of its own inside a service, whose rooms the import rules name.
HOUSES = {"runs": {"engine"}}
# The gateway is one process with a room per rule; a new one needs a decision record.
GATEWAY_ROOMS = {
    "__init__.py",
    "__main__.py",
    "app.py",
    "settings.py",
    "route_table.py",
    "authn.py",
    "body_limits.py",
    "credentials.py",
    "documentation.py",
    "pipeline.py",
    "proxy.py",
    "rate_limit.py",
    "upstream.py",
    "websocket.py",
}


def resources() -> list[Path]:
    return sorted(
        folder
        for service in SERVICES
        for folder in (ROOT / "services" / service).iterdir()
        if folder.is_dir()
        and folder.name
        not in {"migrations", "__pycache__", *DOORS.get(service, ()), *HOUSES.get(service, ())}
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_same_rooms_as_every_other(service: str) -> None:
    home = ROOT / "services" / service
    files = {path.name for path in home.glob("*.py")}
    assert {"__init__.py", "__main__.py", "app.py", "settings.py"} <= files <= SERVICE_ROOMS
    assert (home / "migrations").is_dir()
    assert (home / "schema.sql").is_file(), "run make schema"


@pytest.mark.parametrize("folder", resources(), ids=lambda path: f"{path.parent.name}.{path.name}")
def test_a_resource_has_only_the_planned_rooms(folder: Path) -> None:
    files = {path.name for path in folder.glob("*.py")}
    packages = {
        path.name + ".py" for path in folder.iterdir() if path.is_dir() and path.name[0] != "_"
    }
    assert files | packages <= RESOURCE_ROOMS


@pytest.mark.parametrize("folder", resources(), ids=lambda path: f"{path.parent.name}.{path.name}")
def test_a_resource_stands_in_the_import_rules(folder: Path) -> None:
    contract = (ROOT / ".importlinter").read_text()
    assert f"    services.{folder.parent.name}.{folder.name}\n" in contract


def test_the_gateway_has_only_the_planned_rooms() -> None:
    assert {path.name for path in (ROOT / "gateway").glob("*.py")} <= GATEWAY_ROOMS


def test_only_operations_and_doors_of_events_open_transactions() -> None:
    for path in python_files("services"):
        if ".transaction()" in path.read_text():
            assert path.name == "operations.py" or path.parent.name == "operations", path


def test_a_resource_reaches_a_sibling_only_through_operations_and_models() -> None:
    for path in python_files("services"):
        parts = path.relative_to(ROOT / "services").parts
        if len(parts) != 3:
            continue
        service, resource, _ = parts
        pattern = re.compile(rf"services\.{service}\.(\w+)\.(\w+)$")
        for name in imports(path):
            match = pattern.match(name)
            if match and match[1] != resource and match[1] in {f.name for f in resources()}:
                assert match[2] in ("operations", "models"), f"{path} imports {name}"


def test_a_door_calls_operations_and_nobody_but_the_app_knows_it() -> None:
    for path in python_files("services"):
        service, *rooms = path.relative_to(ROOT / "services").parts
        doors = DOORS.get(service, set())
        for name in imports(path):
            match = re.match(rf"services\.{service}\.(\w+)(?:\.(\w+))?", name)
            if match is None:
                continue
            if match[1] in doors:
                assert rooms[0] in {*doors, "app.py"}, f"{path} imports {name}"
            elif rooms[0] in doors and match[2]:
                assert match[2] in ("operations", "models"), f"{path} imports {name}"


def test_every_store_function_takes_a_connection_first() -> None:
    for path in python_files("services"):
        if path.name != "store.py" and path.parent.name != "store":
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.AsyncFunctionDef):
                assert node.args.args, f"{path}: {node.name}"
                assert node.args.args[0].arg == "connection", f"{path}: {node.name}"


def test_shared_modules_have_two_users() -> None:
    files = python_files("gateway", "services", "shared", "guildhall")
    users: dict[str, set[str]] = {}
    for path in files:
        parts = path.relative_to(ROOT).parts
        # A service, the gateway and the command line are the processes that may agree.
        user = ".".join(parts[:2]) if parts[0] in ("services", "shared") else parts[0]
        for name in imports(path):
            if name.startswith("shared."):
                users.setdefault(".".join(name.split(".")[:2]), set()).add(user)
    # What service.py itself composes is used by all five services.
    by_all = {
        f"shared.{name}" for name in ("service", "serving", "api", "middleware", "idempotency")
    }
    for path in (ROOT / "shared").glob("*.py"):
        name = f"shared.{path.stem}"
        if path.stem == "__init__" or name in by_all:
            continue
        assert len(users.get(name, set()) - {f"{name}.py"}) >= 2, f"{name} has one user only"


def test_nothing_asks_which_service_it_is() -> None:
    for path in python_files("shared"):
        assert not re.search(r"if (self\.)?service(\.name)? ?(==|in)", path.read_text()), path
