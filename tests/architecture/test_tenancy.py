"""Every query of tenant data names its tenant."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from shared.settings import SERVICES
from tests.architecture.tree import ROOT, python_files

_TABLE = re.compile(r"CREATE TABLE (\w+)\.(\w+) \((.*?)\n\);", re.DOTALL)
_STATEMENT = re.compile(r"\b(?:FROM|UPDATE|INTO|JOIN)\s+(\w+\.\w+)")


def tenant_tables() -> set[str]:
    """Tables with an org_id column, by qualified name."""
    found = set()
    for service in SERVICES:
        schema = (ROOT / "services" / service / "schema.sql").read_text()
        for match in _TABLE.finditer(schema):
            if re.search(r"\n\s+org_id ", match[3]):
                found.add(f"{match[1]}.{match[2]}")
    return found


def stores() -> list[Path]:
    return [p for p in python_files("services") if "store" in (p.stem, p.parent.name)]


@pytest.mark.parametrize("path", stores(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_query_of_tenant_data_names_its_tenant(path: Path) -> None:
    tables = tenant_tables()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        source = ast.get_source_segment(path.read_text(), node) or ""
        used = set(_STATEMENT.findall(source)) & tables
        if used and "org_id" not in source:
            # Reading over all tenants must be said where it is done, with its reason.
            assert "all tenants:" in source, f"{node.name} reads {used} without org_id"
