"""Every query of tenant data names its tenant."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, python_files

_TABLE = re.compile(r"CREATE TABLE (\w+)\.(\w+) \((.*?)\n\);", re.DOTALL)
_STATEMENT = re.compile(r"\b(?:FROM|UPDATE|INTO|JOIN)\s+(\w+\.\w+)")


TENANTS = {
    "teams": ("team_id", "token"),
    "agents": ("namespace", "session_id", "owner_id"),
}
"""Columns that name a tenant, where that is no organization: a team, or a machine in its own; a
namespace, a session in one, or the owner of sessions."""


def tenants_of(service: str) -> tuple[str, ...]:
    return TENANTS.get(service, ("org_id",))


def tenant_tables(service: str) -> set[str]:
    """Tables with a column that names a tenant, by qualified name."""
    found = set()
    schema = (ROOT / "services" / service / "schema.sql").read_text()
    columns = "|".join((*tenants_of(service), "org_id"))
    for match in _TABLE.finditer(schema):
        if re.search(rf"\n\s+({columns}) ", match[3]):
            found.add(f"{match[1]}.{match[2]}")
    return found


def stores() -> list[Path]:
    return [p for p in python_files("services") if "store" in (p.stem, p.parent.name)]


@pytest.mark.parametrize("path", stores(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_query_of_tenant_data_names_its_tenant(path: Path) -> None:
    service = path.relative_to(ROOT / "services").parts[0]
    tables, names = tenant_tables(service), tenants_of(service)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        source = ast.get_source_segment(path.read_text(), node) or ""
        used = set(_STATEMENT.findall(source)) & tables
        if used and not any(name in source for name in names):
            # Reading over all tenants must be said where it is done, with its reason.
            wanted = " or ".join(names)
            assert "all tenants:" in source, f"{node.name} reads {used} without {wanted}"
