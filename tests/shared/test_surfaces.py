"""Every error class on every surface, against golden JSON.

``python -m tests.shared.test_surfaces`` rewrites the golden file; read the difference before
committing it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.bus import BusUnavailable
from shared.errors import (
    BadRequest,
    Fault,
    Invalid,
    MethodNotAllowed,
    RateLimited,
    ServiceError,
    Unauthenticated,
    error_classes,
    from_status,
)
from shared.surfaces import Surface, render, surface_of

GOLDEN = Path(__file__).parent / "golden" / "errors.json"


# The one class that lives outside the tree's module: importing it puts it into the tree.
assert BusUnavailable in error_classes()


def example(kind: type[ServiceError]) -> ServiceError:
    """One error of each class, with what the class must carry."""
    if kind is Invalid:
        return Invalid(
            [
                Fault(("body", "email"), "value is not a valid email address", "value_error"),
                Fault(("body", "tags", 2), "Input should be a valid string", "string_type"),
            ]
        )
    if kind is RateLimited:
        return RateLimited(60)
    if kind is MethodNotAllowed:
        return MethodNotAllowed("GET, POST")
    return kind()


def pictures() -> dict[str, dict[str, Any]]:
    """What a client of each surface sees of each error."""
    result: dict[str, dict[str, Any]] = {}
    for kind in error_classes():
        for surface in Surface:
            seen = render(surface, example(kind), "req_1")
            result.setdefault(kind.__name__, {})[surface.value] = {
                "status": seen.status,
                "headers": dict(sorted(seen.headers.items())),
                "body": json.loads(seen.body),
            }
    return result


def test_every_error_on_every_surface_is_golden() -> None:
    assert pictures() == json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("status", range(400, 600))
def test_the_status_map_is_total(status: int) -> None:
    error = from_status(status)
    assert isinstance(error, ServiceError)
    known = {kind.status for kind in error_classes()}
    assert error.status == (status if status in known else 400 if status < 500 else 500)


def test_a_framework_405_keeps_its_allow_header() -> None:
    rendered = render(Surface.RUNS, from_status(405, allow="GET"))
    assert rendered.headers["allow"] == "GET"
    assert json.loads(rendered.body)["type"] == "method_not_allowed"


def test_agents_call_a_broken_body_a_bad_request() -> None:
    error = BadRequest("The body is not valid JSON", code="invalid_json")
    body = json.loads(render(Surface.AGENTS, error).body)
    assert body["error"] == {"code": "BAD_REQUEST", "message": "The body is not valid JSON"}


def test_agents_name_the_first_wrong_fields_in_the_message() -> None:
    error = Invalid([Fault(("body", f"f{n}"), "is wrong", "value_error") for n in range(5)])
    body = json.loads(render(Surface.AGENTS, error).body)
    assert body["message"] == body["error"]["message"]
    assert body["message"] == "Validation failed: f0: is wrong; f1: is wrong; f2: is wrong"
    assert len(body["error"]["details"]) == 5
    told = json.loads(render(Surface.AGENTS, Invalid(error.faults, "Not this one")).body)
    assert told["message"] == "Not this one"


def test_extra_fields_stand_at_the_top() -> None:
    error = Unauthenticated("2FA required", extra={"challenge_token": "c"})
    assert json.loads(render(Surface.LEARNINGS, error).body) == {
        "detail": "2FA required",
        "challenge_token": "c",
    }


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/v1/learnings", Surface.LEARNINGS),
        ("/v1", Surface.LEARNINGS),
        ("/v12", Surface.LEARNINGS),
        ("/api/v1/runs", Surface.RUNS),
        ("/api/v0", Surface.AGENTS),
        ("/api/v10", Surface.TEAMS),
        ("/api/teams", Surface.TEAMS),
        ("/socket/websocket", Surface.TEAMS),
        ("/apix", Surface.LEARNINGS),
        ("/", Surface.LEARNINGS),
    ],
)
def test_a_path_names_its_surface(path: str, surface: Surface) -> None:
    assert surface_of(path) is surface


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(pictures(), indent=2, ensure_ascii=False) + "\n")
