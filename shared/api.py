"""The operation table: one row per public verb, from which routes and documents are made.

A row names the method, the path, who may call and what goes in and out; the endpoint beside it is
thin. ``routes`` turns the rows into Starlette routes that decode, validate, check the scope, call
and encode. No endpoint reads a raw body or builds an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from shared.errors import (
    BadRequest,
    Fault,
    Invalid,
    MethodNotAllowed,
    Unauthenticated,
    UnsupportedMediaType,
)
from shared.idempotency import HEADER
from shared.middleware import raw_target
from shared.principal import CLIENT_HEADER, Principal
from shared.streams import pieces_of
from shared.surfaces import Surface, surface_of

if TYPE_CHECKING:
    from shared.db import Database

DEFAULT_BODY_LIMIT: Final = 2_000_000
"""Bytes of body that an operation reads unless its row says otherwise."""


class Body(BaseModel):
    """Base of request bodies: unknown fields are ignored (learnings contract, section 2)."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Query(BaseModel):
    """Base of query strings; a repeated parameter fills a list field."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Answer(BaseModel):
    """Base of response bodies."""

    model_config = ConfigDict(frozen=True, ser_json_timedelta="float")


class Empty(Body):
    """The body of an operation that reads none, and the query of one that has none."""


BodyT = TypeVar("BodyT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=BaseModel)
ResourceT = TypeVar("ResourceT")


@dataclass(frozen=True, slots=True)
class Call(Generic[BodyT, QueryT]):
    """One validated request, as an endpoint receives it.

    Attributes:
        principal: who is calling, as the gateway asserted.
        path: the path parameters.
        query: the validated query.
        body: the validated body.
        database: the service's database.
        resources: what the service's ``app.py`` opened at start, by type.
        request_id: for logs and for error bodies that show it.
        client: the caller's network address as the gateway saw it.
        headers: request headers, names in lower case.
        target: path and query as they were sent.
        pieces: the body as it comes, where the row is ``raw``.
    """

    principal: Principal
    path: Mapping[str, str]
    query: QueryT
    body: BodyT
    database: Database
    resources: Mapping[type, Any]
    request_id: str
    client: str
    headers: Mapping[str, str]
    target: bytes
    pieces: AsyncIterator[bytes]

    def resource(self, kind: type[ResourceT]) -> ResourceT:
        """Give the resource of this type that the service opened at start."""
        return cast("ResourceT", self.resources[kind])


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status or headers of its own.

    ``body`` is a model, plain data, ready JSON bytes, bytes that come piece by piece, or None for
    an empty body.
    """

    body: BaseModel | Mapping[str, Any] | Sequence[Any] | AsyncIterator[bytes] | bytes | None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


Endpoint = Callable[[Call[Any, Any]], Awaitable["BaseModel | Reply"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: a public verb.

    Attributes:
        method: upper case.
        path: with ``{name}`` parameters, the surface's prefix included.
        endpoint: called with a ``Call``; answers a model or a ``Reply``.
        summary: one line for the documentation.
        answer: the model of the success body, or None where there is none.
        status: of success.
        body: the model of the request body, if it reads one.
        query: the model of the query string, if it reads one.
        scope: ``resource:action`` that the caller must hold.
        admin: only a person with admin rights may call; never an API key.
        authenticated: whoever shows any credential may call, whatever its scopes.
        public: callable without a credential; the gateway's table must say so too.
        internal: asked by sibling services only, never reachable through the gateway.
        idempotent: honours ``Idempotency-Key``.
        raw: the endpoint reads the body itself, piece by piece; ``body`` then only documents it.
        page: a page for people: reads a form instead of JSON, and stands in no document.
        no_store: the answer carries a secret and must not be kept by anyone.
        personal: all answers and refusals are marked as of a person (teams contract, section 8).
        names_errors: errors have their machine word as top-level ``error``, too (learnings, 2.1).
        body_limit: bytes.
        errors: statuses that the documentation lists beside the common ones.
        tag, media_type: for the documentation: the heading, and what an answer of text is.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    answer: type[BaseModel] | None
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    scope: str | None = None
    admin: bool = False
    authenticated: bool = False
    public: bool = False
    internal: bool = False
    idempotent: bool = False
    raw: bool = False
    page: bool = False
    no_store: bool = False
    personal: bool = False
    names_errors: bool = False
    body_limit: int = DEFAULT_BODY_LIMIT
    errors: tuple[int, ...] = ()
    tag: str = ""
    media_type: str = ""

    @property
    def surface(self) -> Surface:
        """The surface whose dialect this operation speaks."""
        return surface_of(self.path)

    def __post_init__(self) -> None:
        limited = self.scope is not None or self.admin
        if sum((self.public, self.internal, self.authenticated, limited)) != 1:
            what = f"{self.method} {self.path}"
            raise ValueError(f"{what}: say one of scope/admin, authenticated, public, internal")
        if self.idempotent and self.no_store:
            raise ValueError(f"{self.method} {self.path}: an answer with a secret is never kept")


Handler = Callable[[Operation, Request], Awaitable[Response]]


def routes(operations: Sequence[Operation], handle: Handler) -> list[BaseRoute]:
    """Make the routes, fixed paths before those with parameters.

    Args:
        operations: the rows of all resources of a service.
        handle: runs a row on a request; ``shared.service`` gives it.
    """
    by_path: dict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in operations:
        if operation.method in by_path[operation.path]:
            raise ValueError(f"{operation.method} {operation.path} stands twice")
        by_path[operation.path][operation.method] = operation
    ordered = sorted(by_path, key=lambda path: [part.startswith("{") for part in path.split("/")])
    made = [Route(path, _Methods(by_path[path], handle)) for path in ordered]
    fixed = {route.path: route for route in made if "{" not in route.path}
    return [_FixedPaths(fixed), *(route for route in made if route.path not in fixed)]


class _FixedPaths(BaseRoute):
    """Routes without parameters, found at once: trying 140 patterns cost a tenth of a request."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        route = self._routes.get(scope.get("path", ""))
        return (Match.NONE, {}) if route is None else route.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self._routes[scope["path"]]
        await scope["route"].handle(scope, receive, send)


class _Methods:
    """The methods of one path; an ASGI app, so that Starlette leaves the method check to us."""

    def __init__(self, operations: Mapping[str, Operation], handle: Handler) -> None:
        self._operations = dict(operations)
        if "GET" in self._operations:
            self._operations.setdefault("HEAD", self._operations["GET"])
        self._allow = ", ".join(sorted(self._operations))
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._operations.get(scope["method"])
        if operation is None:
            raise MethodNotAllowed(self._allow)
        response = await self._handle(operation, Request(scope, receive))
        if scope["method"] == "HEAD" and isinstance(response, StreamingResponse):
            # What nobody may send is not made; a stream without an end would never end.
            response.body_iterator = _nothing()
        await response(scope, receive, send)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


def authorize(operation: Operation, principal: Principal) -> None:
    """Check that the principal may call the operation at all.

    Raises:
        Unauthenticated: no credential where one is needed, or a stranger at an internal door.
        Forbidden: the scope or the admin role is missing.
    """
    if operation.public:
        return
    if operation.internal:
        if principal.kind != "service":
            raise Unauthenticated
        return
    if principal.is_anonymous:
        raise Unauthenticated
    if operation.scope is not None:
        principal.require_scope(operation.scope)
    if operation.admin:
        principal.require_admin()


async def decode(
    operation: Operation, request: Request, database: Database, resources: Mapping[type, Any]
) -> tuple[Call[Any, Any], bytes]:
    """Read and validate path, query and body; give the call and the raw body.

    Raises:
        Invalid: listing every fault of query and body, not only the first.
        BadRequest: the body is not JSON.
        TooLarge: the body is over the row's limit.
        UnsupportedMediaType: the body says it is something else than JSON.
    """
    faults: list[Fault] = []
    _check_text("path", request.path_params, faults)
    query = _validate(operation.query, _query_values(operation, request), "query", faults)
    raw, pieces = b"", pieces_of(request, operation.body_limit)
    body: BaseModel = _EMPTY
    if operation.raw and operation.idempotent and HEADER in request.headers:
        # A repeat is told by the whole body, so that is read before the endpoint reads it.
        raw = b"".join([piece async for piece in pieces])
        pieces = _once_more(raw)
    elif operation.body is not None and not operation.raw:
        raw = b"".join([piece async for piece in pieces])
        value = _form(request, raw) if operation.page else _json(request, raw)
        body = _validate(operation.body, value, "body", faults)
    if faults:
        raise Invalid(faults)
    call: Call[Any, Any] = Call(
        principal=request.scope["principal"],
        path=request.path_params,
        query=query,
        body=body,
        database=database,
        resources=resources,
        request_id=request.scope["request_id"],
        client=request.headers.get(CLIENT_HEADER, ""),
        headers=request.headers,
        target=raw_target(request.scope),
        pieces=pieces,
    )
    return call, raw


async def _once_more(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


_EMPTY: Final = Empty()
_FORM: Final = "application/x-www-form-urlencoded"


def _query_values(operation: Operation, request: Request) -> dict[str, Any]:
    if operation.query is None:
        return {}
    values: dict[str, Any] = {}
    for name in request.query_params:
        known = operation.query.model_fields.get(name)
        many = known is not None and str(known.annotation).startswith(("list", "tuple"))
        values[name] = request.query_params.getlist(name) if many else request.query_params[name]
    return values


def _media_type(request: Request, default: str) -> str:
    return request.headers.get("content-type", default).partition(";")[0].strip().lower()


def _form(request: Request, raw: bytes) -> Any:
    if _media_type(request, _FORM) != _FORM:
        raise UnsupportedMediaType(f"Content-Type must be {_FORM}")
    try:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise BadRequest("The body is not a valid form") from None


def _json(request: Request, raw: bytes) -> Any:
    if not raw:
        return {}
    media_type = _media_type(request, "application/json")
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"The body is not valid JSON: {error}", code="invalid_json") from None


def _validate(
    model: type[BaseModel] | None, value: Any, place: str, faults: list[Fault]
) -> BaseModel:
    if model is None:
        return _EMPTY
    _check_text(place, value, faults)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            faults.append(Fault((place, *item["loc"]), item["msg"], item["type"]))
        return _EMPTY


def _check_text(place: str, value: Any, faults: list[Fault], *at: str | int) -> None:
    """Refuse NUL characters anywhere: PostgreSQL's text cannot hold them."""
    if isinstance(value, str):
        if "\x00" in value:
            faults.append(Fault((place, *at), "must not contain a NUL character", "nul_character"))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if "\x00" in key:
                message = "a field name must not contain a NUL character"
                faults.append(Fault((place, *at), message, "nul_character"))
            _check_text(place, inner, faults, *at, key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_text(place, inner, faults, *at, index)


def encode(operation: Operation, result: BaseModel | Reply) -> Response:
    """Turn what an endpoint gave into a response, with the row's status and headers."""
    reply = result if isinstance(result, Reply) else Reply(result)
    headers = {"x-content-type-options": "nosniff", **reply.headers}
    if operation.no_store:
        headers["cache-control"] = "no-store"
    status = reply.status or operation.status
    if reply.body is None:
        return Response(status_code=status, headers=headers)
    if isinstance(reply.body, AsyncIterator):
        return StreamingResponse(reply.body, status, headers, reply.media_type)
    content = reply.body if isinstance(reply.body, bytes) else to_json(reply.body)
    return Response(content, status, headers, reply.media_type)
