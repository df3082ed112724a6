"""A valid request for every operation, made from its models where nothing else is said."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from shared.api import Operation

BY_NAME: dict[str, Any] = {
    "email": "somebody@mail.example",
    "new_email": "somebody-else@mail.example",
    "password": "no such password 1",
    "new_password": "a new password of mine 1",
    "name": "Somebody",
    "token": "no-such-token",
    "code": "000000",
    "digest": "0" * 64,
    "role": "member",
    "user_code": "ABCD-EFGH",
    "org_id": "org_one",
}
"""By the name of a field or parameter."""


def path_of(operation: Operation, parameters: dict[str, str]) -> str:
    """Fill a path with parameters: by ``path:name`` if given so, else by name."""

    def value(match: re.Match[str]) -> str:
        name = match[1].partition(":")[0]
        return parameters.get(f"{operation.path}:{name}", parameters.get(name, "unknown"))

    return re.sub(r"{([\w:]+)}", value, operation.path)


def body_of(model: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    """Make a body of a model's required fields."""
    schema = model.model_json_schema()
    made = {
        name: _value(name, schema["properties"][name], schema.get("$defs", {}))
        for name in schema.get("required", ())
    }
    return made | given


def _value(name: str, schema: dict[str, Any], defs: dict[str, Any]) -> Any:
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if name in BY_NAME:
        return BY_NAME[name]
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for choice in schema.get("anyOf", ()):
        return _value(name, choice, defs)
    kinds: dict[str, Any] = {
        "string": "something",
        "integer": 1,
        "number": 1,
        "boolean": True,
        "array": [],
        "object": {},
    }
    return kinds[schema["type"]]
