"""Log services as their makers serve them: Loki, Datadog, Elasticsearch, and one of our own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support.serving import serving

DD_API_KEY: Final = "dd-api-key-of-the-test"
DD_APP_KEY: Final = "dd-app-key-of-the-test"
ES_API_KEY: Final = "es-api-key-of-the-test"
TOKEN: Final = "token-of-the-log-service"

_LOKI: Final = re.compile(
    r'\{(?P<labels>[^}]*)\} (?:\|= "(?P<line>[^"\\]+)"|\| trace_id="(?P<beside>[^"\\]+)")'
)
_LABEL: Final = re.compile(r'(\w+)(=~|=)"([^"]*)"')


def iso(moment: float) -> str:
    """Write a time as log services do."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


@dataclass(frozen=True)
class Entry:
    """A line: when, what, and what stands beside it."""

    at: float
    text: str
    level: str = ""
    trace: str = ""
    app: str = "shop"

    def has(self, trace: str) -> bool:
        return trace in self.text or trace == self.trace


@dataclass
class LogServices:
    """Services that know the same lines.

    Attributes:
        entries: oldest first.
        asked: the ids that were asked for, each time.
        failing: what every request is answered with instead, if anything.
        shape: of the answers of our own service: ``list``, ``lines`` or ``text``.
    """

    url: str = ""
    entries: list[Entry] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    failing: Response | None = None
    shape: str = "list"

    def forget(self) -> None:
        """Begin anew, at the same address."""
        self.entries, self.asked, self.failing, self.shape = [], [], None, "list"

    def settings(self, backend: str) -> dict[str, str]:
        """How an organization configures one of them."""
        return {
            "LOG_BACKEND": backend,
            "LOKI_URL": self.url,
            "DD_API_KEY": DD_API_KEY,
            "DD_APP_KEY": DD_APP_KEY,
            "ES_URL": self.url,
            "ES_INDEX": "logs-*",
            "ES_API_KEY": ES_API_KEY,
            "LOG_HTTP_URL": f"{self.url}/find?source=shop",
            "LOG_HTTP_TOKEN": TOKEN,
        }

    def _found(self, trace: str, since: float, until: float, limit: int) -> list[Entry]:
        """Give the newest first, as all of them do when asked so."""
        self.asked.append(trace)
        found = [one for one in self.entries if one.has(trace) and since <= one.at <= until]
        return sorted(found, key=lambda one: -one.at)[:limit]

    async def loki(self, request: Request) -> Response:
        """``GET /loki/api/v1/query_range``: a selector, and one filter behind it."""
        query = request.query_params
        read = _LOKI.fullmatch(query["query"])
        if self.failing or read is None or query["direction"] != "backward":
            return self.failing or PlainTextResponse("parse error at line 1, col 1", 400)
        labels = _LABEL.findall(read["labels"])
        if not labels:
            return PlainTextResponse("queries require at least one matcher", 400)
        since, until = int(query["start"]) / 1e9, int(query["end"]) / 1e9
        found = self._found(read["line"] or read["beside"], since, until, int(query["limit"]))
        if read["beside"]:
            found = [one for one in found if one.trace == read["beside"]]
        else:
            found = [one for one in found if read["line"] in one.text]
        streams: dict[tuple[str, str], list[list[str]]] = {}
        for one in found:
            known = {"job": "containers", "app": one.app}
            if all(_fits(known.get(name, ""), how, value) for name, how, value in labels):
                values = streams.setdefault((one.app, one.level), [])
                values.append([str(int(one.at * 1e9)), one.text])
        result = [
            {
                "stream": {"app": app} | ({"detected_level": level} if level else {}),
                "values": values,
            }
            for (app, level), values in streams.items()
        ]
        data = {"resultType": "streams", "result": result, "stats": {}}
        return JSONResponse({"status": "success", "data": data})

    async def datadog(self, request: Request) -> Response:
        """``POST /api/v2/logs/events/search``."""
        keys = request.headers.get("dd-api-key"), request.headers.get("dd-application-key")
        if keys != (DD_API_KEY, DD_APP_KEY):
            return JSONResponse({"errors": ["Forbidden"]}, 403)
        asked = await request.json()
        trace = re.search(r'"([^"]+)"', asked["filter"]["query"])
        if self.failing or trace is None or asked["sort"] != "-timestamp":
            return self.failing or JSONResponse({"errors": ["Bad Request"]}, 400)
        since, until = (_unix(asked["filter"][name]) for name in ("from", "to"))
        found = self._found(trace[1], since, until, asked["page"]["limit"])
        events = [
            {
                "id": f"AwAAA{number}",
                "type": "log",
                "attributes": {
                    "timestamp": iso(one.at),
                    "status": one.level or "info",
                    "service": one.app,
                    "message": one.text.split("\n", 1)[0],
                    "attributes": {"error": {"stack": one.text}, "dd": {"trace_id": one.trace}},
                },
            }
            for number, one in enumerate(found)
        ]
        return JSONResponse({"data": events, "meta": {"status": "done"}})

    async def elasticsearch(self, request: Request) -> Response:
        """``POST /{index}/_search``: one ``multi_match``, and a range of ``@timestamp``."""
        if request.headers.get("authorization") != f"ApiKey {ES_API_KEY}":
            return JSONResponse({"error": {"type": "security_exception"}, "status": 401}, 401)
        if self.failing or request.path_params["index"] != "logs-*":
            return self.failing or JSONResponse({"error": "no such index"}, 404)
        asked = await request.json()
        inner = asked["query"]["bool"]
        (matched,), (ranged,) = inner["must"], inner["filter"]
        times = ranged["range"]["@timestamp"]
        assert "trace.id" in matched["multi_match"]["fields"]
        trace = matched["multi_match"]["query"]
        found = self._found(trace, _unix(times["gte"]), _unix(times["lte"]), asked["size"])
        hits = [
            {
                "_index": "logs-2026",
                "_source": {
                    "@timestamp": iso(one.at),
                    "log": {"level": one.level},
                    "message": one.text.split("\n", 1)[0],
                    "error": {"stack_trace": one.text},
                    "trace": {"id": one.trace},
                },
            }
            for one in found
        ]
        return JSONResponse({"took": 1, "timed_out": False, "hits": {"hits": hits}})

    async def own(self, request: Request) -> Response:
        """Answer ``GET`` with ``trace_id``, ``from``, ``to`` and ``limit``, beside its own."""
        query = request.query_params
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return PlainTextResponse("who are you?", 401)
        if self.failing or query["source"] != "shop":
            return self.failing or PlainTextResponse("no such source", 404)
        since, until, limit = _unix(query["from"]), _unix(query["to"]), int(query["limit"])
        found = self._found(query["trace_id"], since, until, limit)[::-1]
        lines = [f"{iso(one.at)} {one.level.upper()} {one.text}" for one in found]
        if self.shape == "text":
            return PlainTextResponse("\n".join(lines))
        return JSONResponse(lines if self.shape == "list" else {"lines": lines})


def _fits(known: str, how: str, value: str) -> bool:
    return re.fullmatch(value, known) is not None if how == "=~" else known == value


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@asynccontextmanager
async def log_services() -> AsyncIterator[LogServices]:
    """Serve all of them on one port."""
    services = LogServices()
    routes = [
        Route("/loki/api/v1/query_range", services.loki),
        Route("/api/v2/logs/events/search", services.datadog, methods=["POST"]),
        Route("/{index}/_search", services.elasticsearch, methods=["POST"]),
        Route("/find", services.own),
    ]
    async with serving(Starlette(routes=routes)) as services.url:
        yield services


def failing_case(**more: Any) -> dict[str, Any]:
    """Give a case of a report that failed behind a request answered 500."""
    return {
        "id": "pay",
        "title": "Somebody pays",
        "tags": [],
        "verdict": "failed",
        "attempt": 2,
        "reason": None,
        "steps": [{"id": "s1", "do": "Click “Pay”", "status": "passed"}],
        "assertions": [
            {
                "id": "a1",
                "assert": "The order is confirmed",
                "verdict": "failed",
                "expected": "“Thank you”",
                "observed": "“Something went wrong”",
            }
        ],
        "network_errors": [
            {
                "method": "POST",
                "url": "http://shop.test/api/orders?card=1",
                "status": 500,
                "trace_id": None,
                "ts": None,
            }
        ],
        "console_errors": [],
        **more,
    }


def failed_report(*cases: dict[str, Any]) -> dict[str, Any]:
    """Give a report of such cases."""
    environment = {"base_url": "http://shop.test/"}
    return {"run_id": "run_1", "status": "failed", "env": environment, "cases": list(cases)}
