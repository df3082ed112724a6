"""Events as they lie in queues and outboxes: what was written once must be readable for ever.

Each golden file holds one event of every kind. A field that is added, with a default, gets its
line here; a field that is renamed or removed would break consumers, and so fails here.
"""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared.bus import Event
from shared.bus.events import decode, encode

GOLDEN = Path(__file__).parent / "golden"
MODULES = ("auth", "learnings", "runs", "teams", "agents")
ENVELOPE: dict[str, Any] = {
    "event_id": UUID("01a2012c-0fbf-7d06-b105-b6f942a5df2b"),
    "occurred_at": datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=UTC),
}


def kinds_of(module: str) -> dict[str, type[Event]]:
    contracts = importlib.import_module(f"shared.contracts.{module}")
    types = [
        value
        for value in vars(contracts).values()
        if isinstance(value, type) and issubclass(value, Event) and hasattr(value, "kind")
    ]
    return {kind.kind: kind for kind in types}


EVERY = [(module, kind) for module in MODULES for kind in kinds_of(module)]


def golden(module: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((GOLDEN / f"{module}.json").read_text())
    return read


@pytest.mark.parametrize("module", MODULES)
def test_every_kind_has_its_golden_event_and_its_publisher(module: str) -> None:
    assert set(kinds_of(module)) == set(golden(module))
    assert {kind.publisher for kind in kinds_of(module).values()} == {module}


@pytest.mark.parametrize(("module", "kind"), EVERY)
def test_an_event_is_written_as_it_always_was(module: str, kind: str) -> None:
    written = golden(module)[kind]
    event = kinds_of(module)[kind].model_validate({**written, **ENVELOPE})
    message = encode(event)
    assert (message.kind, message.id) == (kind, ENVELOPE["event_id"])
    assert json.loads(message.payload) == written


@pytest.mark.parametrize(("module", "kind"), EVERY)
def test_an_event_is_read_as_it_always_was(module: str, kind: str) -> None:
    event_type = kinds_of(module)[kind]
    written = golden(module)[kind]
    message = encode(event_type.model_validate({**written, **ENVELOPE}))
    newer = json.dumps({**written, "added_by_a_newer_publisher": 1}).encode()
    for payload in (json.dumps(written).encode(), newer):
        event = decode(event_type, type(message)(message.id, kind, message.occurred_at, payload))
        assert json.loads(event.model_dump_json()) == written
