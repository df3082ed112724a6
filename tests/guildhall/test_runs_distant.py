"""Having a server run suites, as far as servers go wrong; ``test_runs_stack`` has a real one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from guildhall.failures import Failure
from guildhall.runs.distant import Distant, name_of, variables_of
from guildhall.runs.models import Halt, Wishes
from guildhall.runs.server import Server
from guildhall.runs.totals import totals_of
from tests.guildhall.runs_support import TWO, Kept, outcome, suite_file
from tests.support.serving import serving

TOKEN = "tw_" + "x" * 43


@dataclass
class Surface:
    """What of the surface the command line uses, and what goes wrong there.

    Attributes:
        pieces: of the stream, one list for each connection; the connection ends behind it.
        troubles: answered first, by path: (status, headers).
        status: of the run in the end.
        asked: what was asked: (method, path, body).
    """

    pieces: list[list[dict[str, Any] | str]] = field(default_factory=list)
    troubles: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    status: str = "passed"
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def app(self) -> Starlette:
        async def any_of_them(request: Request) -> Response:
            body = await request.body()
            path = request.url.path
            self.asked.append((request.method, path, json.loads(body) if body else None))
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return JSONResponse({"detail": "Who are you?"}, 401)
            for place, troubles in self.troubles.items():
                if path.endswith(place) and troubles:
                    status, headers = troubles.pop(0)
                    return JSONResponse({"detail": f"no {place}"}, status, headers)
            return self.answer(request, path.removeprefix("/api/v1/"))

        methods = ["GET", "PUT", "POST"]
        return Starlette(routes=[Route("/{path:path}", any_of_them, methods=methods)])

    def answer(self, request: Request, path: str) -> Response:
        match path.split("/"):
            case ["suites"]:
                return JSONResponse({"items": []})
            case ["suites", name]:
                if request.method == "PUT":
                    self.texts[name] = self.asked[-1][2]["yaml"]
                    return JSONResponse({"ok": True, "file": name})
                return JSONResponse({"detail": "There is no such suite"}, 404)
            case ["runs"]:
                self.keys.append(request.headers["idempotency-key"])
                return JSONResponse({"run_id": "run_1", "run_ids": ["run_1"], "queued": 1})
            case ["runs", _, "events"]:
                self.resumed.append(request.headers.get("last-event-id", ""))
                return StreamingResponse(self.stream(), media_type="text/event-stream")
            case ["runs", _, "cancel"]:
                return JSONResponse({"status": "running"})
            case ["runs", _]:
                ended = outcome(self.status, {"passed": 1})
                shots = [
                    {"label": "s1", "note": "", "path": name} for name in ("shots/a.png", "../b")
                ]
                case = {"id": "first", "title": "A", "verdict": "passed", "shots": shots}
                report = {**ended.report, "cases": [case]}
                return JSONResponse({"status": self.status, "report": report})
            case ["artifacts", _, *rest]:
                return Response("/".join(rest).encode())
        return JSONResponse({"detail": "Not found"}, 404)

    async def stream(self) -> AsyncIterator[bytes]:
        yield b"retry: 5000\n\n: still here\n\n"
        for event in self.pieces.pop(0):
            if isinstance(event, str):
                yield event.encode()
            else:
                text = f"id: {event['seq']}\nevent: {event['kind']}\ndata: {json.dumps(event)}\n\n"
                # Pieces end anywhere.
                yield text[:9].encode()
                yield text[9:].encode()


def event(seq: int, kind: str = "log") -> dict[str, Any]:
    return {"seq": seq, "kind": kind, "message": f"n{seq}"}


@asynccontextmanager
async def distant(
    surface: Surface, patience: float = 20.0, token: str = TOKEN, **more: Any
) -> AsyncIterator[Distant]:
    async with serving(surface.app()) as url, Server.opened(url, token, patience) as server:
        yield Distant(server, more.get("wishes", Wishes()), more.get("environment", {}), Halt())


async def test_a_stream_is_resumed_without_loss_or_repetition() -> None:
    surface = Surface(
        [
            [event(1), event(2), 'id: 3\nevent: log\ndata: {"seq": 3, "ki'],
            [event(2), event(3)],
            [event(4, "done"), event(5)],
        ],
        {
            "/events": [(503, {"retry-after": "0"}), (429, {})],
            "/api/v1/runs": [(502, {}), (504, {})],
        },
    )
    told: list[Mapping[str, Any]] = []
    kept = Kept()
    wishes = Wishes(True, "github", "abc", "https://ci.example/1", is_ci=True)
    async with distant(surface, wishes=wishes) as subject:
        await subject.check([suite_file()])
        ended = await subject.run(suite_file(cases=("first",)), told.append, kept)
    assert [one["seq"] for one in told] == [1, 2, 3, 4]
    assert surface.resumed == ["", "2", "3"]
    assert (ended.status, totals_of(ended).passed) == ("passed", 1)
    assert surface.texts == {"two.tripwire.yaml": TWO}
    queued = [body for method, path, body in surface.asked if path.endswith("/runs")]
    assert queued[-1] == {
        "suite": "two.tripwire.yaml",
        "cases": ["first"],
        "file_issues": "github",
        "headed": True,
        "trigger": "ci",
        "git_sha": "abc",
        "ci_url": "https://ci.example/1",
    }
    # Three tries under one key are one run.
    assert len(queued) == 3
    assert len(set(surface.keys)) == 1
    assert kept.files == {"shots/a.png": b"shots/a.png"}
    assert not [path for _, path, _ in surface.asked if path.endswith("/b")]


async def test_a_server_that_stays_away_is_given_up_and_the_run_is_broken() -> None:
    surface = Surface([[event(1)]])
    told: list[Mapping[str, Any]] = []

    def tell(one: Mapping[str, Any]) -> None:
        told.append(one)
        surface.troubles["/events"] = [(503, {})] * 1000

    async with distant(surface, patience=0.6) as subject:
        ended = await subject.run(suite_file(), tell, Kept())
    assert (ended.status, totals_of(ended).broken, len(told)) == ("interrupted", 2, 1)
    assert "cannot be reached (it answers 503)" in ended.reason


@pytest.mark.parametrize(
    ("troubles", "token", "said"),
    [
        ({}, "tw_other", "does not take this token"),
        ({"/suites": [(403, {})]}, TOKEN, "no /suites"),
        ({"/suites": [(301, {"location": "/x"})]}, TOKEN, "sends us elsewhere"),
        ({"/suites": [(503, {})] * 99}, TOKEN, "cannot be reached"),
    ],
)
async def test_a_server_that_will_not_is_told_before_anything_is_run(
    troubles: dict[str, Any], token: str, said: str
) -> None:
    async with distant(Surface(troubles=troubles), 0.5, token) as subject:
        with pytest.raises(Failure, match=said):
            await subject.check([suite_file()])


async def test_a_text_that_the_server_refuses_is_a_spec_error() -> None:
    surface = Surface(troubles={"two.tripwire.yaml": [(404, {}), (400, {})]})
    async with distant(surface) as subject:
        with pytest.raises(Failure, match=r"two\.tripwire\.yaml: no two"):
            await subject.run(suite_file(), lambda _: None, Kept())


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("ftp://x", TOKEN, "http:// or https://"),
        ("http://ada:secret@x", TOKEN, "must not hold a password"),
        ("http://x", "", "needs a token"),
        ("http://x", "tw_\n", "one word"),
    ],
)
async def test_addresses_and_tokens_are_looked_at(url: str, token: str, said: str) -> None:
    with pytest.raises(Failure, match=said):
        async with Server.opened(url, token):
            pass


async def test_nobody_listens() -> None:
    async with Server.opened("http://127.0.0.1:9/api/v1/", TOKEN, 0.2) as server:
        with pytest.raises(Failure, match="cannot be reached"):
            await Distant(server, Wishes(), {}, Halt()).check([])


def test_names_on_the_server() -> None:
    names = {
        "a.tripwire.yaml": "a.tripwire.yaml",
        "b.upliftr.yml": "b.upliftr.yml",
        "plain.yaml": "plain.tripwire.yaml",
        "nothing": "nothing.tripwire.yaml",
    }
    for file, name in names.items():
        assert name_of(suite_file(name=f"somewhere/{file}")) == name
    for file in ("ä.tripwire.yaml", "a b.yaml", ".yaml", "a..b.tripwire.yaml"):
        with pytest.raises(Failure, match="names of suites"):
            name_of(suite_file(name=file))


async def test_two_files_of_one_name_are_refused() -> None:
    async with distant(Surface()) as subject:
        with pytest.raises(Failure, match="would be one suite"):
            await subject.check([suite_file(name="a/x.yaml"), suite_file(name="b/x.tripwire.yaml")])


def test_variables_come_from_the_caller() -> None:
    text = TWO + (
        "fixtures:\n  mail: {gen: unique_email}\n"
        "env:\n  LOGIN: 'ada:${SHOP_PASSWORD}'\n  PLAIN: fixed\n  MIXED: '${SHOP} ${mail}'\n"
        "  SHOP_URL: '${SHOP}/x'\n  MINE: '${GUILDHALL_ROOT_SECRET}'\n  GONE: '${NOT_THERE}'\n"
    )
    given = {"SHOP": "http://s", "SHOP_PASSWORD": "pw", "GUILDHALL_ROOT_SECRET": "r", "mail": "m"}
    assert variables_of(suite_file(text), given) == {
        "LOGIN": "ada:pw",
        # Under its own name the server knows that it is a secret.
        "SHOP_PASSWORD": "pw",
        "SHOP_URL": "http://s/x",
    }


def test_paths_of_suites_do_not_reach_the_server() -> None:
    assert name_of(suite_file(name=str(Path("/etc/x.tripwire.yaml")))) == "x.tripwire.yaml"
