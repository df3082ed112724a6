"""How each log service is asked, and how its answer is read (contract 9). Pure.

Ids have only characters that mean nothing in any of these languages, and are quoted all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic_core import from_json, to_json

from services.runs.causes.models import (
    NAMES,
    Datadog,
    Elasticsearch,
    HttpLogs,
    LogLine,
    Loki,
    NoLines,
    Question,
    Remote,
    Wanted,
)
from services.runs.causes.rules.lines import joined, moment_of, read_document, read_line

ES_FIELDS: Final = (
    "trace.id",
    "trace_id",
    "traceId",
    "traceid",
    "transaction.id",
    "http.request.id",
    "request_id",
    "requestId",
    "labels.trace_id",
    "message",
    "msg",
    "log",
    "event.original",
    "error.message",
)
"""Where Elasticsearch looks for an id: ECS first, then what loggers without it write."""

_LEVEL_LABELS: Final = ("level", "severity", "detected_level")
_ACCEPT: Final = {"accept": "application/json"}
_JSON: Final = {**_ACCEPT, "content-type": "application/json"}


def wanted(backend: Remote, question: Question) -> Sequence[Wanted]:
    """Give the requests that a question is put with; the next only where one found nothing."""
    match backend:
        case Loki():
            return _ask_loki(backend, question)
        case Datadog():
            return [_ask_datadog(backend, question)]
        case Elasticsearch():
            return [_ask_elasticsearch(backend, question)]
        case HttpLogs():
            return [_ask_http(backend, question)]


def read(backend: Remote, body: bytes) -> list[LogLine]:
    """Read an answer.

    Raises:
        NoLines: it is none.
    """
    try:
        return _READERS[type(backend)](body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NoLines(f"{NAMES[type(backend)]} gave an answer that is none.") from None


def _quoted(text: str) -> str:
    """Write a text as a string of LogQL, of Datadog and of JSON, which agree on this much."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _below(url: str, path: str, query: Mapping[str, str] | None = None) -> str:
    """Give an address below another; what that asks for itself stays."""
    parts = urlsplit(url)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *(query or {}).items()]
    place = parts.path.rstrip("/") + path if path else parts.path or "/"
    return urlunsplit((parts.scheme, parts.netloc, place, urlencode(pairs), ""))


def _iso(moment: float) -> str:
    when = datetime.fromtimestamp(moment, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ask_loki(backend: Loki, question: Question) -> list[Wanted]:
    base = backend.url.rstrip("/").removesuffix("/loki/api/v1")
    quoted = _quoted(question.trace_id)
    # OpenTelemetry's id does not stand in the line but beside it, since Loki 3.
    filters = (f"|= {quoted}", f"| trace_id={quoted}")
    return [
        Wanted(
            "GET",
            _below(
                base,
                "/loki/api/v1/query_range",
                {
                    "query": f"{backend.selector} {each}",
                    "start": str(int(question.since * 1_000)) + "000000",
                    "end": str(int(question.until * 1_000)) + "000000",
                    "limit": str(question.limit),
                    "direction": "backward",
                },
            ),
            _ACCEPT,
        )
        for each in filters
    ]


def _read_loki(body: bytes) -> list[LogLine]:
    found: list[LogLine] = []
    for stream in from_json(body)["data"]["result"]:
        labels = stream.get("stream") or {}
        known = [str(labels[key]) for key in _LEVEL_LABELS if key in labels]
        level = known[0] if known else ""
        # Newest first, as it was asked for.
        entries = [(int(each[0]), str(each[1])) for each in reversed(stream["values"])]
        found += _timed(entries, level)
    return found


def _timed(entries: Iterable[tuple[int, str]], level: str) -> list[LogLine]:
    """Join entries of one stream; a joined line has the time of its first."""
    rest = list(entries)
    found = []
    for text in joined([each for _, each in rest]):
        first = text.split("\n", 1)[0]
        while rest and not rest[0][1].startswith(first[:200]):
            rest.pop(0)
        at = rest.pop(0)[0] / 1e9 if rest else None
        found.append(read_line(text, level, at))
    return found


def _ask_datadog(backend: Datadog, question: Question) -> Wanted:
    quoted = _quoted(question.trace_id)
    body = {
        "filter": {
            "query": f"{quoted} OR *:{quoted} OR trace_id:{quoted}",
            "from": _iso(question.since),
            "to": _iso(question.until),
        },
        "sort": "-timestamp",
        "page": {"limit": question.limit},
    }
    headers = {**_JSON, "dd-api-key": backend.api_key, "dd-application-key": backend.app_key}
    return Wanted("POST", _below(backend.url, "/api/v2/logs/events/search"), headers, to_json(body))


def _read_datadog(body: bytes) -> list[LogLine]:
    found = []
    for event in reversed(from_json(body)["data"]):
        attributes = event["attributes"]
        inner = read_document(attributes.get("attributes") or {})
        outer = read_line(str(attributes.get("message") or ""), str(attributes.get("status") or ""))
        more = inner.text if inner.text not in outer.text else ""
        text = "\n".join(filter(None, (outer.text, more)))
        at = moment_of(attributes.get("timestamp"))
        found.append(LogLine(text, outer.level or inner.level, at))
    return found


def _ask_elasticsearch(backend: Elasticsearch, question: Question) -> Wanted:
    body = {
        "size": question.limit,
        "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "date"}}],
        "query": {
            "bool": {
                "must": [
                    {
                        "multi_match": {
                            "query": question.trace_id,
                            "type": "phrase",
                            "fields": list(ES_FIELDS),
                            "lenient": True,
                        }
                    }
                ],
                "filter": [
                    {
                        "range": {
                            "@timestamp": {
                                "gte": _iso(question.since),
                                "lte": _iso(question.until),
                            }
                        }
                    }
                ],
            }
        },
    }
    index = quote(backend.index, safe="*,")
    place = _below(
        backend.url,
        f"/{index}/_search",
        {"ignore_unavailable": "true", "allow_no_indices": "true"},
    )
    headers = {**_JSON, "authorization": f"ApiKey {backend.api_key}"} if backend.api_key else _JSON
    return Wanted("POST", place, headers, to_json(body))


def _read_elasticsearch(body: bytes) -> list[LogLine]:
    hits = from_json(body)["hits"]["hits"]
    return [read_document(hit.get("_source") or {}) for hit in reversed(hits)]


def _ask_http(backend: HttpLogs, question: Question) -> Wanted:
    query = {
        "trace_id": question.trace_id,
        "from": _iso(question.since),
        "to": _iso(question.until),
        "limit": str(question.limit),
    }
    bearer = {"authorization": f"Bearer {backend.token}"} if backend.token else {}
    headers = {"accept": "application/json, text/plain;q=0.9, */*;q=0.1", **bearer}
    return Wanted("GET", _below(backend.url, "", query), headers)


def _read_http(body: bytes) -> list[LogLine]:
    """Read a JSON list, ``{"lines": …}``, or text with a line for each line."""
    try:
        document: Any = from_json(body)
    except ValueError:
        document = body.decode(errors="replace")
    if isinstance(document, dict) and "lines" in document:
        document = document["lines"]
    if isinstance(document, dict):
        return [read_document(document)]  # a text of one line, which is JSON
    if isinstance(document, str):
        document = document.splitlines()
    if not isinstance(document, list):
        raise NoLines("The log service gave an answer that is none.")
    found: list[LogLine] = []
    texts: list[str] = []
    for each in document:
        if isinstance(each, Mapping):
            found += map(read_line, joined(texts))
            texts = []
            found.append(read_document(each))
        elif isinstance(each, str):
            texts += each.splitlines()
    return [*found, *map(read_line, joined(texts))]


_READERS: Final[Mapping[type, Callable[[bytes], list[LogLine]]]] = {
    Loki: _read_loki,
    Datadog: _read_datadog,
    Elasticsearch: _read_elasticsearch,
    HttpLogs: _read_http,
}
