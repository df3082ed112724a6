"""Errors with a machine word beside the message, whoever refuses (learnings contract, 2.1)."""

from __future__ import annotations

import pytest

from tests.gateway.conftest import House, house

NAMED = [
    "/v1/auth/device/approve",
    "/v1/proprietary/packages/core/1.0",
    "/v1/me/proprietary-license",
]


@pytest.mark.parametrize("path", NAMED)
async def test_gateway_names_its_own_errors(home: House, path: str) -> None:
    answer = await home.client.get(path)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Invalid or expired token", "error": "unauthorized"}


@pytest.mark.parametrize("path", ["/v1/auth/device/token", "/v1/proprietary/entitlement"])
async def test_too_large_a_body_is_named(home: House, path: str) -> None:
    answer = await home.client.post(path, content=b"x" * 3_000_000)
    assert answer.status_code == 413
    assert answer.json() == {"detail": "Request body too large", "error": "too_large"}


async def test_used_up_budget_is_named() -> None:
    async with house(rate_limits="learnings=1/60") as home:
        headers = home.bearer()
        for status in (200, 429):
            answer = await home.client.get("/v1/me/proprietary-license", headers=headers)
            assert answer.status_code == status
        assert answer.json()["error"] == "rate_limited"
        assert answer.json()["detail"].startswith("Rate limit exceeded.")
        assert "error" not in (await home.client.get("/v1/learnings", headers=headers)).json()
