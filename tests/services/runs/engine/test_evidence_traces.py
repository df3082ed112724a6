"""Traces hold no secret, and are still traces."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from services.runs.engine.evidence import traces
from services.runs.engine.evidence.masking import MASK, Masker
from services.runs.engine.evidence.traces import mask_trace

SECRET = 'hunter2"/<hunter>'


def deep(levels: int) -> object:
    value: object = SECRET
    for _ in range(levels):
        value = ["DIV", {}, value]
    return value


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.zip"
    lines: list[object] = [
        {"type": "context-options", "title": "run", "version": 8},
        {"type": "before", "callId": "call@1", "params": {"value": SECRET, "type": "fill"}},
        {"type": "frame-snapshot", "snapshot": {"html": ["INPUT", {"type": SECRET, "id": SECRET}]}},
        {"type": "frame-snapshot", "snapshot": deep(150)},
        {"type": "frame-snapshot", "snapshot": deep(400)},
        [SECRET],
    ]
    with ZipFile(path, "w", ZIP_DEFLATED) as whole:
        text = "\n".join(map(json.dumps, lines))
        whole.writestr("trace.trace", text + "\nnot json " + SECRET + "\n" + "[" * 5000)
        whole.writestr("trace.network", json.dumps({"type": "r", "url": f"http://x/?q={SECRET}"}))
        whole.writestr("resources/page@1-1.jpeg", b"\xff\xd8 picture")
        whole.writestr("resources/logo.png", b"\x89PNG picture")
        whole.writestr("resources/meta.png", b"\x89PNG " + SECRET.encode())
        whole.writestr("resources/wide.bin", b"\xff" + SECRET.encode("utf-16-le"))
        whole.writestr("resources/clean.bin", b"\xff\xfe\x00")
        whole.writestr("resources/a.html", "<p>hunter2&quot;/&lt;hunter&gt;</p>")
        whole.writestr("resources/a.css", "p { color: red }")
    return path


def contents(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as whole:
        return {name: whole.read(name) for name in whole.namelist()}


def test_no_part_holds_a_secret_and_the_rest_stays(trace: Path) -> None:
    mask_trace(trace, Masker([SECRET]))
    parts = contents(trace)
    assert sorted(parts) == ["resources/a.css", "resources/a.html", "resources/clean.bin",
                             "resources/logo.png", "trace.network", "trace.trace"]  # fmt: skip
    assert b"hunter2" not in b"".join(parts.values())
    lines = [json.loads(line) for line in parts["trace.trace"].decode().splitlines()]
    assert lines[0] == {"type": "context-options", "title": "run", "version": 8}
    assert lines[1] == {
        "type": "before",
        "callId": "call@1",
        "params": {"value": MASK, "type": "fill"},
    }
    assert lines[2]["snapshot"]["html"] == ["INPUT", {"type": MASK, "id": MASK}]
    assert parts["resources/a.css"] == b"p { color: red }"
    assert list(trace.parent.iterdir()) == [trace]


def test_without_secrets_nothing_is_lost(trace: Path) -> None:
    before = contents(trace)
    mask_trace(trace, Masker())
    assert contents(trace) == before


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 10])
def test_what_is_no_trace_is_deleted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace.zip"
    path.write_bytes(content)
    mask_trace(path, Masker([SECRET]))
    assert list(tmp_path.iterdir()) == []


def test_a_trace_cut_short_is_deleted(trace: Path) -> None:
    content = bytearray(trace.read_bytes())
    content[60:90] = b"\xff" * 30
    trace.write_bytes(content)
    mask_trace(trace, Masker([SECRET]))
    assert list(trace.parent.iterdir()) == []


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "LARGEST_PART", 1000)
    monkeypatch.setattr(traces, "LARGEST", 1500)
    path = tmp_path / "trace.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as whole:
        whole.writestr("huge.txt", b"0" * 1_000_000)
        for name in "abc":
            whole.writestr(f"{name}.txt", b"1" * 700)
    mask_trace(path, Masker([SECRET]))
    assert list(contents(path)) == ["a.txt", "b.txt"]
