"""Requests bent by chance, under the same oracle: refused, or read alike by all.

What is asserted stands in the oracle, ``judge`` and ``bystander`` of ``attacks``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.attacks import LAST, Wire, bystander, judge, send
from tests.gateway.recorder import Court, court
from tests.gateway.smuggles import EVES, HIDDEN, HIDDEN_CHUNK, Case

START = b"POST /v1/one HTTP/1.1\r\nhost: x\r\n<ada>\r\n"
REQUESTS = (
    b"GET /v1/one?a=b HTTP/1.1\r\nhost: x\r\n<ada>\r\naccept: */*\r\n\r\n",
    START + b"content-length: 5\r\n\r\n01234",
    START + b"content-length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    START + b"transfer-encoding: chunked\r\n\r\n" + HIDDEN_CHUNK,
    START + b"transfer-encoding: chunked\r\n\r\n2;a=b\r\n01\r\n3\r\n234\r\n0\r\nc: d\r\n\r\n",
    START + b"content-length: 0\r\n\r\n" + EVES,
)
PIECES = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b"\x00", b"\x0b", b":", b",", b";", b"0",
    b"5", b"\xff", b"\r\n ", b"content-length: 5\r\n", b"content-length: 0\r\n", b"/",
    b"..", b"%2e",
    b"transfer-encoding: chunked\r\n", b"transfer-encoding: identity\r\n", b"host: y\r\n", b"#",
    b"connection: close\r\n", b"connection: keep-alive, content-length\r\n", b"0\r\n\r\n", b"?",
    b"expect: 100-continue\r\n", b"upgrade: h2c\r\nconnection: upgrade\r\n", b"HTTP/1.0", HIDDEN,
)  # fmt: skip


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """Bend a good request in one to four places."""
    raw = draw(st.sampled_from(REQUESTS))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        size = draw(st.integers(0, 12))
        kind = draw(st.sampled_from(("insert", "cut", "replace", "repeat", "flip")))
        piece = draw(st.sampled_from(PIECES))
        if kind == "insert":
            raw = raw[:at] + piece + raw[at:]
        elif kind == "cut":
            raw = raw[:at] + raw[at + size :]
        elif kind == "replace":
            raw = raw[:at] + piece + raw[at + size :]
        elif kind == "repeat":
            line = raw.rfind(b"\r\n", 0, at) + 2
            end = raw.find(b"\r\n", at) + 2
            raw = raw[:end] + raw[line:end] + raw[end:]
        elif at < len(raw):
            raw = raw[:at] + bytes([raw[at] ^ (1 << (size % 8))]) + raw[at + 1 :]
    return raw


@pytest.fixture(scope="module")
async def tapped() -> AsyncIterator[Court]:
    async with court() as opened:
        for who in (b"ada", b"eve"):
            await send(opened, LAST.replace(b"ada", who))
        await bystander(opened)
        yield opened


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(raw=bent(), data=st.data())
async def test_bent_requests(tapped: Court, raw: bytes, data: st.DataObject) -> None:
    tapped.forget()
    # A body that is bent may swallow what follows; a second request then ends the connection.
    whole = tapped.fill(raw + LAST + LAST)
    cut = data.draw(st.integers(1, len(whole) - 1))
    for pieces in ([whole], [whole[:cut], whole[cut:]]):
        tapped.forget()
        answers = await Wire(tapped).feed(pieces)
        judge(tapped, Case("bent", raw), answers)
    await bystander(tapped)
