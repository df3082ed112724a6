"""OpenAPI 3.1 from the operation table.

Component names carry the service's name, so that the gateway can lay the documents of all services
into one without a clash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shared.api import Operation
from shared.surfaces import Surface

VERSION: Final = "3.1.0"

BEARER: Final = {
    "bearer_auth": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token (JWT) or an API key.",
    }
}

_STRING: Final = {"type": "string"}
_FAULT: Final = {
    "type": "object",
    "properties": {"loc": {"type": "array", "items": {}}, "msg": _STRING, "type": _STRING},
    "required": ["loc", "msg", "type"],
}
_ERROR_SCHEMAS: Final[Mapping[Surface, dict[str, Any]]] = {
    Surface.LEARNINGS: {
        "type": "object",
        "properties": {"detail": {"anyOf": [_STRING, {"type": "array", "items": _FAULT}]}},
        "required": ["detail"],
    },
    Surface.RUNS: {
        "type": "object",
        "properties": {
            "type": _STRING,
            "detail": _STRING,
            "error": {
                "type": "object",
                "properties": {
                    "type": _STRING,
                    "message": _STRING,
                    "details": {"type": "array", "items": {"type": "object"}},
                },
                "required": ["type", "message"],
            },
        },
        "required": ["type", "detail", "error"],
    },
    Surface.TEAMS: {
        "type": "object",
        "properties": {"error": _STRING, "reason": _STRING},
        "required": ["error"],
    },
    Surface.AGENTS: {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {"code": _STRING, "message": _STRING, "details": {}},
                "required": ["code", "message"],
            },
            "message": _STRING,
        },
        "required": ["error", "message"],
    },
}
_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")


def document(service: str, version: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """Build the OpenAPI document of one service; internal operations and pages are left out.

    Args:
        service: prefixed to component names.
        version: of Guildhall.
        operations: the rows of all resources.
    """
    public = [operation for operation in operations if not (operation.internal or operation.page)]
    references, definitions = _schemas(service, public)
    paths: dict[str, dict[str, Any]] = {}
    for operation in public:
        item = paths.setdefault(_template(operation), {})
        item[operation.method.lower()] = _operation(service, operation, references)
    errors = {
        _error_name(service, surface): _ERROR_SCHEMAS[surface]
        for surface in {operation.surface for operation in public}
    }
    return {
        "openapi": VERSION,
        "info": {"title": f"Guildhall {service}", "version": version},
        "paths": paths,
        "components": {"schemas": definitions | errors, "securitySchemes": BEARER},
    }


def merge(title: str, version: str, documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay the documents of several services into one."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for part in documents:
        for path, item in part["paths"].items():
            paths[path] = paths.get(path, {}) | item
        schemas |= part["components"]["schemas"]
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": version},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": BEARER},
    }


_Key = tuple[type[BaseModel], JsonSchemaMode]


def _schemas(
    service: str, operations: Sequence[Operation]
) -> tuple[dict[_Key, dict[str, Any]], dict[str, Any]]:
    wanted: list[_Key] = []
    for operation in operations:
        for model, mode in ((operation.body, "validation"), (operation.answer, "serialization")):
            if model is not None and (model, mode) not in wanted:
                wanted.append((model, mode))  # type: ignore[arg-type]  # mypy widens the literal
    template = "#/components/schemas/" + service + ".{model}"
    made, definitions = models_json_schema(wanted, ref_template=template)
    references: dict[_Key, dict[str, Any]] = {key: made[key] for key in wanted}
    named = {f"{service}.{name}": schema for name, schema in definitions.get("$defs", {}).items()}
    return references, named


def _error_name(service: str, surface: Surface) -> str:
    return f"{service}.{surface.capitalize()}Error"


def _operation(
    service: str, operation: Operation, references: Mapping[_Key, dict[str, Any]]
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": _operation_id(operation),
        "tags": [operation.tag or operation.surface.capitalize()],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": _responses(service, operation, references),
        "security": [] if operation.public else [{"bearer_auth": []}],
    }
    if operation.body is not None:
        schema = references[operation.body, "validation"]
        result["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    elif operation.raw:
        content = {"application/octet-stream": {"schema": _STRING | {"format": "binary"}}}
        result["requestBody"] = {"required": True, "content": content}
    if operation.scope is not None:
        result["description"] = f"Needs the scope `{operation.scope}`."
    elif operation.admin:
        result["description"] = "Needs a person with the admin role."
    return result


def _template(operation: Operation) -> str:
    """Give the path as documents write it: without what a parameter must look like."""
    return _PARAMETER.sub(r"{\1}", operation.path)


def _operation_id(operation: Operation) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", _template(operation)).strip("_")
    return f"{operation.method.lower()}_{words}"


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _STRING}
        for name in _PARAMETER.findall(operation.path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema(mode="validation")
    required, named = schema.get("required", []), schema.get("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _spelled_out(field, named),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _spelled_out(schema: Any, named: Mapping[str, Any]) -> Any:
    """Put definitions where they are referred to: a parameter has no place for them of its own."""
    if isinstance(schema, list):
        return [_spelled_out(each, named) for each in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _spelled_out(named[reference.rpartition("/")[2]], named)
    return {key: _spelled_out(value, named) for key, value in schema.items()}


def _responses(
    service: str, operation: Operation, references: Mapping[_Key, dict[str, Any]]
) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Success"}
    if operation.answer is not None:
        schema = references[operation.answer, "serialization"]
        success["content"] = {"application/json": {"schema": schema}}
    elif operation.media_type:
        success["content"] = {operation.media_type: {"schema": _STRING}}
    name = _error_name(service, operation.surface)
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    responses = {str(operation.status): success}
    for status in sorted(_error_statuses(operation)):
        responses[str(status)] = {"description": _REASONS[status], "content": content}
    return responses


_REASONS: Final = {
    400: "The request cannot be understood",
    401: "No credential, or one that does not hold",
    403: "The caller may not do this",
    404: "Nothing there, or another tenant's",
    409: "The state of the resource forbids it",
    412: "The file is another one by now",
    413: "The body is too large",
    415: "The body is not JSON",
    416: "The range begins behind the end",
    422: "One or more fields are wrong",
    429: "Too many requests; Retry-After says when to come back",
    500: "Internal error",
    502: "What another system had to give could not be got",
    503: "A needed part is down; Retry-After says when to come back",
}


def _error_statuses(operation: Operation) -> set[int]:
    statuses = {429, 500, 503, *operation.errors}
    if not operation.public:
        statuses |= {401, 403}
    if operation.body is not None:
        statuses |= {400, 413, 415, 422}
    elif operation.raw:
        statuses |= {400, 413}
    if operation.query is not None:
        statuses.add(422)
    if _PARAMETER.search(operation.path):
        statuses |= {404, 422}
    return statuses
