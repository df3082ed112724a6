from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.route_table import OPERATIONS_WITHOUT_CREDENTIAL, ROUTES, TABLE, RouteTable, Row
from shared.settings import SERVICES
from shared.surfaces import Surface, surface_of

ROW = TABLE[0]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.prefix)
def test_every_row_is_found_and_speaks_its_surface(row: Row) -> None:
    assert ROUTES.find(row.prefix) is row
    assert ROUTES.find(row.prefix + "/x") in TABLE
    assert row.surface is surface_of(row.prefix)


def test_all_services_and_surfaces_are_there() -> None:
    assert {row.upstream for row in TABLE} == set(SERVICES)
    assert {row.surface for row in TABLE} == set(Surface)


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("/v1", "/v1"),
        ("/v1/authors", "/v1"),
        ("/v1/auth", "/v1/auth"),
        ("/v1/auth/device/code", "/v1/auth/device"),
        ("/v1/auth/device/token", "/v1/auth/device/token"),
        ("/v1/admin/organizations/org_1/api-keys/key_1/rotate", "/v1/admin/organizations"),
        ("/v1/admin/installations", "/v1"),
        ("/v1/telemetry/events", "/v1/telemetry"),
        ("/v1/releases/1.2.3/artifact", "/v1/releases"),
        ("/v1/backup/file", "/v1/backup/file"),
        ("/v1/backup/presign", "/v1"),
        ("/v1/proprietary/packages/core/1.0", "/v1/proprietary/packages"),
        ("/v1/proprietary/entitlement", "/v1/proprietary"),
        ("/v1/me/proprietary-license", "/v1/me/proprietary-license"),
        ("/v1/me", "/v1"),
        ("/api/v0/role-bindings/x", "/api/v0/role-bindings"),
        ("/api/v0/rolesx", "/api/v0"),
        ("/api/v1/artifacts/a/b/c/d/e/f/g/h/i/j", "/api/v1/artifacts"),
        ("/api/account/export", "/api/account"),
        ("/api/account/teams", "/api/account/teams"),
        ("/api/auth/device/0abc", "/api/auth/device"),
        ("/api/auth/devices", "/api/auth"),
        ("/api/teams/trc_ak_x/head", "/api/teams"),
        ("/api/teams/clone/trc_cl_x", "/api/teams/clone"),
        ("/api/teams/claim", "/api/teams/claim"),
        ("/socket/websocket", "/socket"),
    ],
)
def test_longest_prefix_wins(path: str, prefix: str) -> None:
    row = ROUTES.find(path)
    assert row is not None
    assert row.prefix == prefix


@pytest.mark.parametrize(
    "path", ["", "/", "/api", "/apis", "/api/v2", "/api/sync", "/v1x", "/internal", "/.well-known"]
)
def test_what_nobody_owns(path: str) -> None:
    assert ROUTES.find(path) is None


def test_public_operations_stand_once() -> None:
    assert len(set(OPERATIONS_WITHOUT_CREDENTIAL)) == len(OPERATIONS_WITHOUT_CREDENTIAL)


@pytest.mark.parametrize(
    "rows",
    [
        (ROW, ROW),
        (replace(ROW, prefix="/internal"),),
        (replace(ROW, prefix="/internal/x"),),
        (replace(ROW, prefix="v1"),),
        (replace(ROW, prefix="/v1/"),),
        (replace(ROW, prefix="/"),),
        (replace(ROW, upstream="billing"),),
        (replace(ROW, rate_class="other"),),
        (replace(ROW, reading_class="other"),),
        (replace(ROW, address_class="other"),),
        (replace(ROW, failure_class="other"),),
        (replace(ROW, authenticators=("signature", "jwt")),),
        (replace(ROW, authenticators=("magic",)),),
        (replace(ROW, authenticators=("ticket",)),),
        (replace(ROW, authenticators=("ticket", "jwt"), is_socket=True),),
        (replace(ROW, authenticators=()),),
    ],
)
def test_faulty_tables_are_noticed(rows: tuple[Row, ...]) -> None:
    with pytest.raises(ValueError, match=r"twice|prefix|service|class|authenticator|nobody"):
        RouteTable(rows, ())


def test_public_operation_needs_a_row() -> None:
    with pytest.raises(ValueError, match="no row"):
        RouteTable((ROW,), [("GET", "/elsewhere")])
