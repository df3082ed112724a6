"""Schemathesis against our own OpenAPI document, through the gateway: bad input is never a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from tests.support.stack import MakeStack
from tests.system.people import joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]
EXAMPLES = 15
"""Requests per operation; enough for every sort of fault that a schema suggests."""


async def test_no_request_is_answered_with_a_server_error(make_stack: MakeStack) -> None:
    stack = make_stack(GUILDHALL_RATE_LIMITS="learnings=1000000/60 auth=1000000/60")
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=20) as client:
        person = await joined(client, stack.mail_directory, "fuzz@example.com")
        document = (await client.get("/openapi.json")).json()
    assert fuzz(stack.base_url, document, person.headers) == []


def fuzz(base_url: str, document: dict[str, Any], headers: dict[str, str]) -> list[str]:
    """Call every operation with what its schema allows and forbids; give what went wrong."""
    # The end of the session would make every later request the same 401, and the stream has none.
    left_out = ["/v1/auth/logout", "/v1/learnings/stream"]
    schema: Any = schemathesis.openapi.from_dict(document).exclude(path=left_out)
    failures: list[str] = []
    with httpx.Client(base_url=base_url, timeout=20, headers=headers) as client:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in (
                schemathesis.GenerationMode.POSITIVE,
                schemathesis.GenerationMode.NEGATIVE,
            ):
                call_all(client, operation, mode, failures)
    return failures


def call_all(
    client: httpx.Client, operation: Any, mode: schemathesis.GenerationMode, failures: list[str]
) -> None:
    """Send generated requests to one operation."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any) -> None:
        kwargs = case.as_transport_kwargs(base_url=str(client.base_url))
        answer = client.request(
            kwargs["method"],
            kwargs["url"],
            params=kwargs.get("params"),
            json=kwargs.get("json"),
            content=kwargs.get("data"),
        )
        if answer.status_code >= 500 or not answer.headers.get("x-ratelimit-limit"):
            failures.append(f"{case.method} {case.path}: {answer.status_code} {answer.text[:200]}")

    try:
        send()
    except Unsatisfiable:
        # An operation without any input cannot be called wrongly.
        assert mode is schemathesis.GenerationMode.NEGATIVE
