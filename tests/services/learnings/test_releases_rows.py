"""The gateway's table and the service's own agree about who may come in, and with how much."""

from __future__ import annotations

import re

import pytest

from gateway.route_table import ROUTES
from services.learnings.app import SERVICE
from shared.api import Operation

OPERATIONS = [row for row in SERVICE.operations if not row.internal]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: f"{row.method} {row.path}")
def test_the_gateway_lets_in_whom_the_service_expects(operation: Operation) -> None:
    path = re.sub(r"{\w+}", "some", operation.path)
    row = ROUTES.find(path)
    assert row is not None
    assert row.upstream == "learnings"
    assert ROUTES.is_public(row, operation.method, path) == operation.public
    if operation.raw:
        assert row.body_limit >= operation.body_limit
