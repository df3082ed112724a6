"""Cases of an API, out of its description in OpenAPI 3 or Swagger 2: one for each operation.

Nothing is deleted: an operation that deletes, pays or ends something is written with ``skip``, and
is only tried with an id that nothing has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from pydantic_core import to_json

from services.runs.engine.generating.documents import Document, load
from services.runs.engine.generating.models import Case, NothingUsable
from services.runs.engine.generating.schemas import Maker, NoExample, stated
from services.runs.engine.generating.words import clean, is_dangerous, slug

MOST_OPERATIONS: Final = 150

TOKEN: Final = "E2E_API_TOKEN"  # noqa: S105 - names of variables
KEY: Final = "E2E_API_KEY"
BASIC: Final = "E2E_API_BASIC"
"""Variables that hold the credential of operations that want one."""

_METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PARAMETER: Final = re.compile(r"\{([^{}/]{1,100})\}")
_OURS: Final = frozenset({"authorization", "accept", "content-type", "host", "cookie"})
_NOBODY: Final = {
    "integer": "999999999",
    "number": "999999999",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""Ids that nothing has, by type or format."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One operation with all that is sent."""

    document: Document
    method: str
    path: str
    prefix: str
    spec: Mapping[str, Any]
    parameters: Sequence[Mapping[str, Any]]
    headers: Mapping[str, str] = field(default_factory=dict)
    credential: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def has_ids(self) -> bool:
        return bool(_PARAMETER.search(self.path))

    def statuses(self) -> set[str]:
        responses = self.document.mapping(self.spec.get("responses"))
        return {str(name) for name in responses}

    def is_destructive(self) -> bool:
        words = (self.spec.get("operationId"), self.spec.get("summary"), self.path)
        told = [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", one) for one in words if isinstance(one, str)]
        return self.method == "delete" or (
            self.method not in ("get", "head", "options") and is_dangerous(*told)
        )


def cases_of_api(text: str, base_url: str, *, exhaustive: bool = True) -> list[Case]:
    """Make the cases of an API.

    Args:
        text: its description.
        base_url: of the server; a path in it stands for that of the description's own server.
        exhaustive: with what must be refused.

    Raises:
        NothingUsable: it is no description, or describes no operation.
    """
    root = load(text)
    if not ("openapi" in root or "swagger" in root) or not isinstance(root.get("paths"), dict):
        raise NothingUsable("the document is no OpenAPI description: no openapi, or no paths")
    document = Document(root)
    cases: list[Case] = []
    seen: set[str] = set()
    for asked in _operations(document, base_url):
        for case in _cases(asked, exhaustive):
            own, number = case.id, 2
            while own in seen:
                own, number = f"{case.id}-{number}", number + 1
            seen.add(own)
            cases.append(replace(case, id=own))
    if not cases:
        raise NothingUsable("the description has no operation")
    return cases


def title_of(text: str) -> str:
    """Give the API's name, empty where it has none."""
    try:
        title = Document(load(text)).mapping(load(text).get("info")).get("title")
    except NothingUsable:
        return ""
    return clean(title)[:80] if isinstance(title, str) else ""


def _operations(document: Document, base_url: str) -> Iterator[_Asked]:
    prefix = urlsplit(base_url).path.rstrip("/") or _server_path(document)
    count = 0
    for path, item in document.root["paths"].items():
        if not isinstance(path, str) or not path.startswith("/") or len(path) > 500:
            continue
        here = document.mapping(item)
        for method in _METHODS:
            spec = document.mapping(here.get(method))
            if not isinstance(here.get(method), dict):
                continue
            count += 1
            if count > MOST_OPERATIONS:
                return
            asked = _Asked(document, method, path, prefix, spec, _parameters(document, here, spec))
            yield _secured(asked)


def _server_path(document: Document) -> str:
    base = document.root.get("basePath")
    servers = document.root.get("servers")
    if isinstance(servers, list) and servers:
        base = document.mapping(servers[0]).get("url")
    if not isinstance(base, str) or "{" in base:
        return ""
    try:
        path = urlsplit(base).path.rstrip("/")
    except ValueError:
        return ""
    return quote(path, safe="/%-._~") if path.startswith("/") else ""


def _parameters(
    document: Document, item: Mapping[str, Any], spec: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for holder in (item, spec):
        listed = holder.get("parameters")
        for one in listed[:100] if isinstance(listed, list) else []:
            each = document.mapping(one)
            where, name = each.get("in"), each.get("name")
            if isinstance(where, str) and isinstance(name, str):
                found[where, name] = each
    return tuple(found.values())


def _secured(asked: _Asked) -> _Asked:
    """Add the credential that the operation wants, by the name of a variable."""
    root = asked.document.root
    wanted = asked.spec.get("security", root.get("security"))
    if not isinstance(wanted, list) or not wanted or {} in wanted:
        return asked
    first = asked.document.mapping(wanted[0])
    schemes = asked.document.mapping(root.get("components")).get("securitySchemes")
    schemes = asked.document.mapping(schemes or root.get("securityDefinitions"))
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    env: dict[str, str] = {}
    for name in first:
        scheme = asked.document.mapping(schemes.get(name))
        kind, where = scheme.get("type"), scheme.get("in")
        own = scheme.get("name")
        if kind == "basic" or (kind == "http" and str(scheme.get("scheme")).lower() == "basic"):
            headers["Authorization"], env[BASIC] = f"Basic ${{{BASIC}}}", f"${{{BASIC}}}"
        elif kind == "apiKey" and isinstance(own, str) and _HEADER.fullmatch(own):
            if where == "header":
                headers[own], env[KEY] = f"${{{KEY}}}", f"${{{KEY}}}"
            elif where == "query":
                query[own], env[KEY] = f"${{{KEY}}}", f"${{{KEY}}}"
        elif kind in ("http", "oauth2", "openIdConnect"):
            headers["Authorization"], env[TOKEN] = f"Bearer ${{{TOKEN}}}", f"${{{TOKEN}}}"
    return replace(asked, credential=headers, query=query, env=env)


def _cases(asked: _Asked, exhaustive: bool) -> Iterator[Case]:
    skip = ""
    body: tuple[str, str] | None = None
    try:
        body = _body(asked)
    except NoExample:
        skip = "no body that fits could be made of the description; write one"
    if asked.is_destructive():
        skip = "it deletes, pays or ends something; take this line away to run it"
    url, env = _url(asked)
    check = _sent(asked, url, body) | _expected(asked)
    summary = asked.spec.get("summary")
    title = clean(summary) if isinstance(summary, str) and clean(summary) else "answers"
    made = _case(asked, title, "answers", check, env, ("happy-path",))
    yield replace(made, skip=skip)
    if exhaustive:
        yield from _negatives(asked, body)


def _case(
    asked: _Asked,
    title: str,
    what: str,
    check: Mapping[str, Any],
    env: Mapping[str, str],
    tags: tuple[str, ...],
) -> Case:
    return Case(
        id=f"{slug(asked.name, 120)}-{what}",
        title=f"{asked.name}: {title}"[:180],
        area=_area(asked),
        expect=({"check": {"kind": "api", **check}},),
        tags=tags,
        env=env,
    )


def _area(asked: _Asked) -> str:
    tags = asked.spec.get("tags")
    if isinstance(tags, list) and tags and isinstance(tags[0], str) and clean(tags[0]):
        return clean(tags[0])[:60]
    return clean(asked.path.strip("/").partition("/")[0])[:60] or "API"


def _url(asked: _Asked, *, nobody: bool = False) -> tuple[str, dict[str, str]]:
    """Give the path with its parameters, and variables for ids that the document does not state."""
    env = dict(asked.env)
    by_name = {(one["in"], one["name"]): one for one in asked.parameters}

    def value(found: re.Match[str]) -> str:
        parameter = by_name.get(("path", found[1]), {})
        schema = asked.document.mapping(parameter.get("schema")) or parameter
        if nobody:
            kind = str(schema.get("format") if schema.get("format") == "uuid" else "")
            return _NOBODY.get(kind or str(schema.get("type")), "does-not-exist")
        try:
            return _encoded(stated(asked.document, parameter))
        except NoExample:
            name = "E2E_" + slug(found[1], 40).replace("-", "_").upper()
            env[name] = "1"
            return f"${{{name}}}"

    pieces: list[str] = []
    end = 0
    for found in _PARAMETER.finditer(asked.path):
        pieces += [_quoted(asked.path[end : found.start()]), value(found)]
        end = found.end()
    path = asked.prefix + "".join(pieces) + _quoted(asked.path[end:])
    query = {**_required(asked, "query"), **asked.query}
    if query:
        named = "&".join(f"{quote(name, safe='')}={told}" for name, told in query.items())
        path += f"?{named}"
    return path, env


def _quoted(path: str) -> str:
    return quote(path, safe="/%-._~:@!,;=+()")


def _encoded(value: Any) -> str:
    return quote(_plain(value), safe="")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else to_json(value).decode()


def _required(asked: _Asked, where: str) -> dict[str, str]:
    found = {}
    for one in asked.parameters:
        if one["in"] != where or one.get("required") is not True:
            continue
        try:
            value = stated(asked.document, one)
        except NoExample:
            try:
                value = Maker(asked.document).make(one.get("schema", one))
            except NoExample:
                value = "1"
        found[one["name"]] = _encoded(value) if where == "query" else _plain(value)
    return found


def _sent(
    asked: _Asked, url: str, body: tuple[str, str] | None, *, anonymous: bool = False
) -> dict[str, Any]:
    """Give the part of a check that says what is sent."""
    check: dict[str, Any] = {"method": asked.method.upper(), "url": url}
    headers = {
        name: clean(value).replace("${", "")
        for name, value in _required(asked, "header").items()
        if _HEADER.fullmatch(name) and name.lower() not in _OURS and value.isascii()
    }
    if body is not None:
        check["body"] = body[1]
        headers["Content-Type"] = body[0]
    headers |= {} if anonymous else asked.credential
    return check | ({"headers": headers} if headers else {})


def _expected(asked: _Asked) -> dict[str, Any]:
    """Give the first 2xx that is stated, and a field that its answer always has."""
    good = sorted(one for one in asked.statuses() if re.fullmatch(r"2\d\d", one))
    if not good:
        return {}
    expected: dict[str, Any] = {"status": int(good[0])}
    responses = asked.document.mapping(asked.spec.get("responses"))
    # YAML reads a bare 200 as a number.
    answers = {str(name): answer for name, answer in responses.items()}
    answer = asked.document.mapping(answers[good[0]])
    content = asked.document.mapping(answer.get("content"))
    media = asked.document.mapping(content.get("application/json"))
    schema = asked.document.mapping(media.get("schema") or answer.get("schema"))
    required = schema.get("required")
    if asked.method != "head" and isinstance(required, list):
        name = next((one for one in required if isinstance(one, str)), "")
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,60}", name):
            expected["json_path"] = f"$.{name}"
    return expected


def _body(asked: _Asked) -> tuple[str, str] | None:
    """Give media type and text of the body; None where the operation takes none.

    Raises:
        NoExample: it takes one that cannot be made.
    """
    found = asked.document.mapping(asked.spec.get("requestBody"))
    content = asked.document.mapping(found.get("content"))
    old = next((one for one in asked.parameters if one["in"] == "body"), None)
    if old is not None:
        content = {"application/json": old}
    if not content:
        if any(one["in"] == "formData" for one in asked.parameters):
            return "application/x-www-form-urlencoded", urlencode(_required(asked, "formData"))
        return None
    kinds = [str(kind) for kind in content]
    kind = next((one for one in kinds if "json" in one.lower()), kinds[0])
    is_form = kind == "application/x-www-form-urlencoded"
    if not is_form and "json" not in kind.lower():
        raise NoExample
    media = asked.document.mapping(content[kind])
    try:
        value = stated(asked.document, media)
    except NoExample:
        value = Maker(asked.document).make(media.get("schema"))
    if is_form:
        plain = {str(name): _plain(one) for name, one in value.items()} if value else {}
        return kind, urlencode(plain)
    media_type = kind if kind.isascii() and kind.isprintable() else "application/json"
    # A dollar and a brace would be taken for a name of the suite.
    return media_type, to_json(value).decode().replace("${", "$\\u007b")


def _negatives(asked: _Asked, body: tuple[str, str] | None) -> Iterator[Case]:
    tags = ("negative",)
    statuses = asked.statuses()
    url, env = _url(asked)
    if asked.has_ids and "404" in statuses:
        wrong, without = _url(asked, nobody=True)
        check = _sent(asked, wrong, body) | {"status": 404}
        yield _case(asked, "knows no such id", "unknown", check, without, tags)
    if asked.is_destructive():
        return
    refusal = next((one for one in ("401", "403") if one in statuses), "")
    if asked.credential and refusal:
        check = _sent(asked, url, body, anonymous=True) | {"status": int(refusal)}
        yield _case(asked, "asks who is calling", "anonymous", check, env, tags)
    if body is not None and _needs_body(asked):
        named = [one for one in ("400", "422") if one in statuses]
        refused: dict[str, Any] = {"status": int(named[0])} if len(named) == 1 else {"not": True}
        check = _sent(asked, url, (body[0], "{}" if "json" in body[0] else "")) | refused
        yield _case(asked, "refuses an empty body", "empty-body", check, env, tags)


def _needs_body(asked: _Asked) -> bool:
    """Whether an empty object cannot be a body: its schema requires a field."""
    found = asked.document.mapping(asked.spec.get("requestBody"))
    content = asked.document.mapping(found.get("content"))
    media = next(iter(content.values()), None)
    old = next((one for one in asked.parameters if one["in"] == "body"), None)
    schema = asked.document.mapping(asked.document.mapping(media or old).get("schema"))
    required = schema.get("required")
    return isinstance(required, list) and bool(required)
