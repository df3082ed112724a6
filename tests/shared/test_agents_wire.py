"""What things of the agents surface may be called (agents contract, sections 2 and 9)."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.agents_wire import ResourceName

NAMES: TypeAdapter[str] = TypeAdapter(ResourceName)


@pytest.mark.parametrize("name", ["a", "A_b.c-1", "...", ".hidden", "x" * 255])
def test_a_name(name: str) -> None:
    assert NAMES.validate_python(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "é", "a\n", "x" * 256])
def test_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        NAMES.validate_python(name)
