"""Whatever the framing, a service sees what the gateway saw: one differential oracle for all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway import odd_requests, smuggles
from tests.gateway.attacks import LAST as LAST_REQUEST
from tests.gateway.attacks import Wire, attack, bystander, judge, send
from tests.gateway.machines import Machine
from tests.gateway.recorder import Court, court
from tests.gateway.smuggles import HIDDEN, HIDDEN_CHUNK

CASES = [
    *smuggles.LENGTHS,
    *smuggles.CODINGS,
    *smuggles.CHUNKS,
    *odd_requests.LINES,
    *odd_requests.VERSIONS,
    *odd_requests.UPGRADES,
    *odd_requests.TARGETS,
    *odd_requests.METHODS,
    *odd_requests.HOSTS,
    *odd_requests.FORGED,
    *odd_requests.SIZES,
    *odd_requests.PIPELINES,
]
BY_NAME = {case.name: case for case in CASES}
assert len(BY_NAME) == len(CASES)
FRAMED = ("length", "coding", "chunk", "upgrade", "pipeline")
SMALL = [case for case in CASES if len(case.raw) < 2000]


@pytest.fixture(scope="module")
async def tapped() -> AsyncIterator[Court]:
    async with court() as opened:
        for who in ("ada", "eve"):  # from here on their credentials are remembered
            raw = b"GET /v1/last HTTP/1.1\r\nhost: x\r\n<%b>\r\nconnection: close\r\n\r\n"
            (answer,) = await send(opened, raw % who.encode())
            assert answer.status == 200
        await bystander(opened)
        yield opened


@pytest.mark.parametrize("name", BY_NAME)
async def test_attack(tapped: Court, name: str) -> None:
    await attack(tapped, BY_NAME[name])


def _boundaries(raw: bytes, turn: int) -> list[int]:
    """Give some places where two pieces of meaning meet, other ones at each turn."""
    marks = b"\r\n :,;/%?#="
    around = {i + d for i, byte in enumerate(raw) if byte in marks for d in (0, 1)}
    places = sorted(around - {0, len(raw)})
    step = max(1, len(places) // 4)
    return places[turn % step :: step]


@pytest.mark.parametrize("name", [case.name for case in SMALL])
async def test_attack_in_pieces(tapped: Court, name: str) -> None:
    case = BY_NAME[name]
    raw = tapped.fill(case.raw + (LAST_REQUEST if case.ends else b""))
    tapped.forget()
    whole = await Wire(tapped).feed([raw])
    found = judge(tapped, case, whole)
    cuts = [[bytes([byte]) for byte in raw]]
    if name.startswith(FRAMED):
        cuts += [[raw[:at], raw[at:]] for at in _boundaries(raw, SMALL.index(case))]
    for pieces in cuts:
        tapped.forget()
        answers = await Wire(tapped).feed(pieces)
        assert judge(tapped, case, answers) == found, pieces[0]
        assert [one.status for one in answers] == [one.status for one in whole], pieces[0]
    await bystander(tapped)


EVE = Machine(bytes(range(32)))


def _signed(method: str, headers: bytes, body: bytes) -> bytes:
    path = f"/api/teams/{EVE.token}"
    lines = EVE.headers(method, path) | {"x-who": EVE.token}
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + headers + b"\r\n" + body


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"content-length: %d\r\n" % len(HIDDEN), HIDDEN),
        (b"transfer-encoding: chunked\r\n", HIDDEN_CHUNK),
        (b"content-length: %030d\r\n" % len(HIDDEN), HIDDEN),
        (b"expect: 100-continue\r\ncontent-length: %d\r\n" % len(HIDDEN), HIDDEN),
    ],
)
async def test_body_that_a_signature_does_not_cover(
    tapped: Court, method: str, headers: bytes, body: bytes
) -> None:
    warm = _signed("GET", b"connection: close\r\n", b"")
    (answer,) = await send(tapped, warm)
    assert answer.status == 200
    raw = _signed(method, headers, body)
    last = _signed("GET", b"connection: close\r\n", b"")
    for pieces in ([raw + last], [raw[: -len(body)], body + last], [raw, last]):
        tapped.forget()
        answers = [one for one in await Wire(tapped).feed(pieces) if one.status != 100]
        paths = [one.seen.target for one in tapped.heard]
        assert not any("smuggled" in path for path in paths)
        assert len(tapped.seen) == len(paths) == sum(one.status == 200 for one in answers)
        assert all(one.principal.subject == EVE.token for one in tapped.heard)
        assert all(not one.seen.body for one in tapped.heard), "passed on without being signed"
        tapped.forget()
        (answer,) = await send(tapped, warm)
        assert answer.json[3] == EVE.token


@pytest.mark.parametrize("path", ["/v1/auth/login", "/users/log-in", "/api/teams/clone/x"])
@pytest.mark.parametrize("digits", [1, 19, 20, 30, 300])
async def test_public_rows_count_bodies_alike(tapped: Court, path: str, digits: int) -> None:
    raw = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(HIDDEN):0{digits}d}\r\n\r\n"
    last = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
    for _ in range(2):
        tapped.forget()
        await send(tapped, raw.encode() + HIDDEN + last)
        # By connection, and which of the pool's took which is open.
        found = sorted((one.target, one.body) for one in tapped.seen)
        assert found in (
            [(path, b""), (path, HIDDEN)],  # the GET, where it is public
            [(path, HIDDEN)],
            [(path, b"")],
            [],
        )
        assert not any("smuggled" in target for target, _ in found)
