"""Small trackers on 127.0.0.1 that refuse what the real ones refuse."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.serving import serving

GITHUB_TOKEN = "ghp_never-to-be-seen-1"
GITLAB_TOKEN = "glpat-never-to-be-seen-2"
JIRA_TOKEN = "ATATT-never-to-be-seen-3"
SECRETS = (GITHUB_TOKEN, GITLAB_TOKEN, JIRA_TOKEN)
MAIL = "qa@shop.example"

Answer = Callable[[Request], Awaitable[Response]]


def way(number: str, name: str, to: str, category: str, **more: Any) -> dict[str, Any]:
    """Make a transition as Jira offers it."""
    status = {"name": to, "statusCategory": {"key": category}}
    return {"id": number, "name": name, "to": status, "isAvailable": True} | more


SIMPLE: Final = (
    way("31", "Done", "Done", "done"),
    way("21", "In Progress", "In Progress", "indeterminate"),
    way("11", "To Do", "To Do", "new"),
)
"""The workflow that Jira gives a new project: from everywhere to everywhere."""


@dataclass
class Remote:
    """What a tracker holds, and how it behaves.

    Attributes:
        tickets: each with ``number``, ``title``, ``body``, ``labels``, ``closed``, ``comments``.
        lags: whether its search shows nothing yet.
        faults: answers that the next requests get instead; None lets one through.
        cut: patterns of paths; the next POST to one is done, and its answer is lost.
        asked: methods and paths.
        held: until it is set, what is created is not answered.
        workflow: what Jira offers for every issue.
        refuses: whether a condition of the workflow keeps every issue where it is.
    """

    base: str = ""
    tickets: list[dict[str, Any]] = field(default_factory=list)
    lags: bool = False
    faults: list[tuple[int, dict[str, str]] | None] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    held: asyncio.Event | None = None
    workflow: Sequence[dict[str, Any]] = SIMPLE
    refuses: bool = False

    def empty(self) -> None:
        """Forget everything, but where it is."""
        vars(self).update(vars(Remote(self.base)))

    def add(self, title: str, body: Any, labels: list[str]) -> dict[str, Any]:
        made = {
            "number": len(self.tickets) + 1,
            "title": title,
            "body": body,
            "labels": labels,
            "closed": False,
            "comments": [],
        }
        self.tickets.append(made)
        return made

    def ticket(self, number: str) -> dict[str, Any] | None:
        found = [one for one in self.tickets if str(one["number"]) == number]
        return found[0] if found else None

    async def meets(self, request: Request, answer: Answer) -> Response:
        """Answer, unless a fault is due."""
        path = request.url.path
        self.asked.append((request.method, path))
        if self.faults and (fault := self.faults.pop(0)) is not None:
            return JSONResponse({"message": "no"}, fault[0], fault[1])
        given = await answer(request)
        if self.held is not None and request.method == "POST" and re.search(r"issues?$", path):
            await self.held.wait()
        for pattern in [each for each in self.cut if re.search(each, path)]:
            if request.method == "POST":
                self.cut.discard(pattern)
                return JSONResponse({"message": "lost"}, 502)
        return given


def _no(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


def _github_shown(remote: Remote, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": one["number"],
        "title": one["title"],
        "body": one["body"],
        "state": "closed" if one["closed"] else "open",
        "labels": [{"name": name} for name in one["labels"]],
        "comments": len(one["comments"]),
        "html_url": f"{remote.base}/acme/shop/issues/{one['number']}",
    }


def _github(remote: Remote) -> Starlette:  # noqa: C901 - its routes
    shown = partial(_github_shown, remote)

    async def issues(request: Request) -> Response:
        if request.method == "GET":
            label = request.query_params["labels"]
            assert request.query_params["state"] == "all"
            found = [one for one in remote.tickets if label in one["labels"]]
            return JSONResponse([shown(one) for one in found[::-1]])
        given = await request.json()
        if not given.get("title") or len(given["title"]) > 256 or len(given["body"]) > 65_536:
            return _no(422, "Validation Failed")
        return JSONResponse(shown(remote.add(given["title"], given["body"], given["labels"])), 201)

    async def issue(request: Request) -> Response:
        one = remote.ticket(request.path_params["number"])
        if one is None:
            return _no(404, "Not Found")
        if request.method == "PATCH":
            one["closed"] = (await request.json())["state"] == "closed"
        return JSONResponse(shown(one))

    async def comments(request: Request) -> Response:
        one = remote.ticket(request.path_params["number"])
        if one is None:
            return _no(404, "Not Found")
        if request.method == "GET":
            start = (int(request.query_params["page"]) - 1) * 100
            return JSONResponse([{"body": text} for text in one["comments"][start : start + 100]])
        one["comments"].append((await request.json())["body"])
        return JSONResponse({"id": 1}, 201)

    async def search(request: Request) -> Response:
        match = re.fullmatch(r'"(\w+)" in:body is:issue repo:acme/shop', request.query_params["q"])
        if match is None:
            return _no(422, "Validation Failed")
        found = [] if remote.lags else [one for one in remote.tickets if match[1] in one["body"]]
        return JSONResponse({"total_count": len(found), "items": [shown(one) for one in found]})

    def guarded(answer: Answer) -> Answer:
        async def checked(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {GITHUB_TOKEN}":
                return _no(401, "Bad credentials")
            if request.headers.get("x-github-api-version") != "2022-11-28":
                return _no(400, "Bad version")
            if not request.headers.get("user-agent"):
                return _no(403, "User-Agent is required")
            return await remote.meets(request, answer)

        return checked

    home = "/repos/acme/shop/issues"
    return Starlette(
        routes=[
            Route(home, guarded(issues), methods=["GET", "POST"]),
            Route(home + "/{number}", guarded(issue), methods=["GET", "PATCH"]),
            Route(home + "/{number}/comments", guarded(comments), methods=["GET", "POST"]),
            Route("/search/issues", guarded(search)),
        ]
    )


def _gitlab_shown(remote: Remote, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 9000 + one["number"],
        "iid": one["number"],
        "title": one["title"],
        "description": one["body"],
        "state": "closed" if one["closed"] else "opened",
        "labels": one["labels"],
        "web_url": f"{remote.base}/acme/shop/-/issues/{one['number']}",
        "references": {"full": f"acme/shop#{one['number']}"},
    }


def _gitlab(remote: Remote) -> Starlette:  # noqa: C901 - its routes
    shown = partial(_gitlab_shown, remote)

    async def issues(request: Request) -> Response:
        if request.method == "GET":
            assert (request.query_params["in"], request.query_params["state"]) == (
                "description",
                "all",
            )
            words = request.query_params["search"]
            found = [] if remote.lags else [one for one in remote.tickets if words in one["body"]]
            return JSONResponse([shown(one) for one in found])
        given = await request.json()
        if not given.get("title") or len(given["title"]) > 255:
            return _no(400, "title is missing")
        labels = given["labels"].split(",")
        return JSONResponse(shown(remote.add(given["title"], given["description"], labels)), 201)

    async def issue(request: Request) -> Response:
        one = remote.ticket(request.path_params["number"])
        if one is None:
            return _no(404, "404 Not found")
        if request.method == "PUT":
            assert (await request.json()) == {"state_event": "reopen"}
            one["closed"] = False
        return JSONResponse(shown(one))

    async def notes(request: Request) -> Response:
        one = remote.ticket(request.path_params["number"])
        if one is None:
            return _no(404, "404 Not found")
        if request.method == "GET":
            assert request.query_params["sort"] == "desc"
            return JSONResponse([{"body": text} for text in one["comments"][::-1][:100]])
        one["comments"].append((await request.json())["body"])
        return JSONResponse({"id": 1}, 201)

    def guarded(answer: Answer) -> Answer:
        async def checked(request: Request) -> Response:
            if request.headers.get("private-token") != GITLAB_TOKEN:
                return _no(401, "401 Unauthorized")
            if b"/projects/acme%2Fshop/" not in request.scope["raw_path"]:
                return _no(404, "404 Project Not Found")
            return await remote.meets(request, answer)

        return checked

    home = "/api/v4/projects/{project:path}/issues"
    return Starlette(
        routes=[
            Route(home + "/{number:int}/notes", guarded(_text(notes)), methods=["GET", "POST"]),
            Route(home + "/{number:int}", guarded(_text(issue)), methods=["GET", "PUT"]),
            Route(home, guarded(issues), methods=["GET", "POST"]),
        ]
    )


def _text(answer: Answer) -> Answer:
    async def plain(request: Request) -> Response:
        request.path_params["number"] = str(request.path_params["number"])
        return await answer(request)

    return plain


def is_document(node: Any) -> bool:
    """Tell whether Jira would take a document."""
    return (
        isinstance(node, dict)
        and (node.get("type"), node.get("version")) == ("doc", 1)
        and bool(node["content"])
        and all(map(_is_block, node["content"]))
    )


def _is_block(node: dict[str, Any]) -> bool:
    kind, content = node["type"], node.get("content", [])
    if kind in ("paragraph", "heading", "codeBlock"):
        plain = all(each["type"] == "text" and each["text"] for each in content)
        return plain and not (kind == "codeBlock" and any("marks" in each for each in content))
    if kind in ("bulletList", "orderedList"):
        items = all(each["type"] == "listItem" and each["content"] for each in content)
        return bool(content) and items and all(map(_is_block, content[0]["content"]))
    return kind == "rule" or (kind == "blockquote" and all(map(_is_block, content)))


def _jira_shown(remote: Remote, one: dict[str, Any]) -> dict[str, Any]:
    category = {"key": "done" if one["closed"] else "new"}
    fields = {
        "status": {"name": "x", "statusCategory": category},
        "description": one["body"],
        "labels": one["labels"],
    }
    return {"id": str(one["number"]), "key": f"WEB-{one['number']}", "fields": fields}


def _of_jira(remote: Remote, answer: Answer) -> Answer:
    pair = base64.b64encode(f"{MAIL}:{JIRA_TOKEN}".encode()).decode()

    async def checked(request: Request) -> Response:
        if request.headers.get("authorization") != f"Basic {pair}":
            return _no(401, "Client must be authenticated")
        return await remote.meets(request, answer)

    return checked


async def _transitions(remote: Remote, one: dict[str, Any] | None, request: Request) -> Response:
    if one is None:
        return _no(404, "gone")
    if request.method == "GET":
        expands = request.query_params.get("expand") == "transitions.fields"
        left = () if expands else ("fields",)
        offered = [{k: v for k, v in each.items() if k not in left} for each in remote.workflow]
        return JSONResponse({"expand": "transitions", "transitions": offered})
    wanted = (await request.json())["transition"]["id"]
    found = [each for each in remote.workflow if each["id"] == wanted]
    if not found or remote.refuses:
        return JSONResponse({"errorMessages": ["It is not valid"], "errors": {}}, 400)
    one["status"] = found[0]["to"]["name"]
    one["closed"] = found[0]["to"]["statusCategory"]["key"] == "done"
    return Response(status_code=204)


def _jira(remote: Remote) -> Starlette:  # noqa: C901 - its routes
    shown = partial(_jira_shown, remote)

    def of(request: Request) -> dict[str, Any] | None:
        return remote.ticket(request.path_params["key"].removeprefix("WEB-"))

    async def create(request: Request) -> Response:
        fields = (await request.json())["fields"]
        right = fields["project"] == {"key": "WEB"} and fields["issuetype"] == {"name": "Bug"}
        summary, labels = fields.get("summary", ""), fields.get("labels", [])
        if not right or not summary or len(summary) > 255 or "\n" in summary:
            return JSONResponse({"errors": {"summary": "is required"}}, 400)
        if not is_document(fields["description"]) or any(" " in label for label in labels):
            return JSONResponse({"errors": {"description": "must be a document"}}, 400)
        made = shown(remote.add(summary, fields["description"], labels))
        return JSONResponse({"id": made["id"], "key": made["key"], "self": "x"}, 201)

    async def issue(request: Request) -> Response:
        one = of(request)
        return _no(404, "gone") if one is None else JSONResponse(shown(one))

    async def comments(request: Request) -> Response:
        one = of(request)
        if one is None:
            return _no(404, "gone")
        if request.method == "GET":
            return JSONResponse({"comments": [{"body": each} for each in one["comments"][::-1]]})
        body = (await request.json())["body"]
        if not is_document(body):
            return _no(400, "must be a document")
        one["comments"].append(body)
        return JSONResponse({"id": "1"}, 201)

    async def transitions(request: Request) -> Response:
        return await _transitions(remote, of(request), request)

    async def search(request: Request) -> Response:
        jql = (await request.json())["jql"]
        match = re.fullmatch(
            r'project = "WEB" AND \(labels = "([\w-]+)" OR description ~ "(\w+)"\) '
            r"ORDER BY created ASC",
            jql,
        )
        if match is None:
            return _no(400, "bad query")
        found = [one for one in remote.tickets if match[1] in one["labels"] and not remote.lags]
        return JSONResponse({"issues": [shown(one) for one in found], "isLast": True})

    guarded = partial(_of_jira, remote)
    home = "/rest/api/3"
    return Starlette(
        routes=[
            Route(home + "/issue", guarded(create), methods=["POST"]),
            Route(home + "/issue/{key}", guarded(issue)),
            Route(home + "/issue/{key}/comment", guarded(comments), methods=["GET", "POST"]),
            Route(home + "/issue/{key}/transitions", guarded(transitions), methods=["GET", "POST"]),
            Route(home + "/search/jql", guarded(search), methods=["POST"]),
        ]
    )


APPS: Final[Mapping[str, Callable[[Remote], Starlette]]] = {
    "github": _github,
    "gitlab": _gitlab,
    "jira": _jira,
}


@asynccontextmanager
async def remotes() -> AsyncIterator[dict[str, Remote]]:
    """Serve an empty tracker of each kind."""
    async with AsyncExitStack() as stack:
        made = {provider: Remote() for provider in APPS}
        for provider, remote in made.items():
            remote.base = await stack.enter_async_context(serving(APPS[provider](remote)))
        yield made
