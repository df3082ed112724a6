"""Tickets open sockets for machines, and are seen by nobody but the gateway (teams, 10.1)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signed_requests import ticket
from gateway.signed_requests.signature import BadProof
from shared.secret import encode_base64url
from tests.gateway.caller import Answer, calling
from tests.gateway.conftest import House, house
from tests.gateway.fake_service import plain
from tests.gateway.machines import Machine
from tests.gateway.socket_bytes import handshake
from tests.gateway.sockets import answering_handshakes, target

MACHINE = Machine(b"m" * 32)
NOW = 1_800_000_000.0


def query(text: str) -> bytes:
    return f"ticket={text}&vsn=2.0.0".encode()


@pytest.mark.parametrize("age", [0, 30, -30])
def test_ticket_names_the_machine(age: int) -> None:
    made = MACHINE.ticket(NOW - age)
    for _ in range(2):  # clients reconnect with the same one
        assert ticket.verify(query(made), NOW) == MACHINE.token


def test_ticket_may_be_percent_encoded() -> None:
    encoded = "".join(f"%{ord(letter):02x}" for letter in MACHINE.ticket(NOW))
    assert ticket.verify(b"%74icket=" + encoded.encode(), NOW) == MACHINE.token


def foreign(made: str) -> str:
    stamp, _, signature = made.split(".")
    return f"{stamp}.{Machine(b'o' * 32).token}.{signature}"


def restamped(made: str) -> str:
    return f"{int(NOW) + 1}.{made.partition('.')[2]}"


def unpadded(made: str) -> str:
    """Set bits of the token's last character that no key has; the signature covers the text."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = MACHINE.token[:-1] + letters[letters.index(MACHINE.token[-1]) + 1]
    covered = f"{int(NOW)}.{token}"
    return f"{covered}.{MACHINE.sign(covered.encode())}"


def with_short_key(made: str) -> str:
    covered = f"{int(NOW)}.trc_ak_{encode_base64url(bytes(31))}"
    return f"{covered}.{MACHINE.sign(covered.encode())}"


def unprefixed(made: str) -> str:
    covered = f"{int(NOW)}.{MACHINE.token.removeprefix('trc_ak_')}"
    return f"{covered}.{MACHINE.sign(covered.encode())}"


def changed(position: int) -> Callable[[str], str]:
    def change(made: str) -> str:
        letter = "A" if made[position] != "A" else "B"
        return made[:position] + letter + made[position + 1 or len(made) :]

    return change


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda made: "", id="empty"),
        pytest.param(lambda made: "x", id="noise"),
        pytest.param(lambda made: ".." * 4, id="dots"),
        pytest.param(lambda made: made.rpartition(".")[0], id="no signature"),
        pytest.param(lambda made: made.partition(".")[2], id="no timestamp"),
        pytest.param(lambda made: made + ".x", id="fourth part"),
        pytest.param(lambda made: made + "=", id="padding"),
        pytest.param(lambda made: made + "%00", id="trailing zero"),
        pytest.param(lambda made: "%2b" + made, id="signed number"),
        pytest.param(lambda made: "+" + made, id="leading space"),
        pytest.param(lambda made: MACHINE.ticket(NOW - 31), id="old"),
        pytest.param(lambda made: MACHINE.ticket(NOW + 31), id="of the future"),
        pytest.param(lambda made: MACHINE.ticket(NOW - 31).replace(".", ".0.", 1), id="other form"),
        pytest.param(foreign, id="of somebody else"),
        pytest.param(restamped, id="newer timestamp"),
        pytest.param(unpadded, id="another way to write the key"),
        pytest.param(with_short_key, id="short key"),
        pytest.param(unprefixed, id="no prefix"),
        pytest.param(changed(-10), id="changed signature"),
        pytest.param(changed(30), id="changed key"),
        pytest.param(lambda made: made[:-1], id="short signature"),
        pytest.param(lambda made: "%ff%fe" + made, id="no text"),
        pytest.param(lambda made: made + "A" * 600, id="long"),
        pytest.param(lambda made: f"{made}&ticket={made}", id="twice"),
        pytest.param(lambda made: f"{made}&tic%6Bet={made}", id="twice, once encoded"),
    ],
)
def test_tickets_that_do_not_hold(spoil: Callable[[str], str]) -> None:
    with pytest.raises(BadProof):
        ticket.verify(query(spoil(MACHINE.ticket(NOW))), NOW)


@pytest.mark.parametrize("text", [b"", b"ticket", b"ticket=", b"vsn=2.0.0", b"Ticket=x", b"&&"])
def test_no_ticket(text: bytes) -> None:
    with pytest.raises(BadProof):
        ticket.verify(text, time.time())


@given(st.binary(max_size=200))
def test_queries_of_any_kind_break_nothing(text: bytes) -> None:
    for one in (text, b"ticket=" + text):
        with pytest.raises(BadProof):
            ticket.verify(one, NOW)
        assert b"?ticket=" not in ticket.without_field(b"/socket/websocket?" + one, ticket.NAME)


@pytest.mark.parametrize(
    ("target", "rest"),
    [
        (b"/s?ticket=T&vsn=2.0.0", b"/s?vsn=2.0.0"),
        (b"/s?vsn=2.0.0&ticket=T", b"/s?vsn=2.0.0"),
        (b"/s?ticket=T", b"/s"),
        (b"/s?ticket", b"/s"),
        (b"/s?%74icket=T&a=%20&b&&c=", b"/s?a=%20&b&&c="),
        (b"/s?ticket=T&x=1&ticket=U", b"/s?x=1"),
        (b"/s?vsn=2.0.0", b"/s?vsn=2.0.0"),
        (b"/s", b"/s"),
    ],
)
def test_nothing_but_the_ticket_is_taken_out(target: bytes, rest: bytes) -> None:
    assert ticket.without_field(target, ticket.NAME) == rest


# At the gateway.


async def ask(home: House, path: str) -> Answer:
    """Ask for a socket; the service answers, without making one."""
    async with calling(home.port) as caller:
        caller.send(handshake(path))
        return await caller.answer()


async def test_failures_are_counted_by_address_and_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with house(rate_limits="failed_signature=3/60 signed_address=5/60 signed=1/60") as home:
        teams = home.services["teams"]
        teams.behave = answering_handshakes(plain(404, b"{}"))
        bad = MACHINE.ticket(1.0)
        for number in range(5):
            answer = await ask(home, f"/socket/websocket?ticket={bad}&vsn=2.0.0")
            assert answer.status == (403 if number < 3 else 429)
            assert answer.header("x-ratelimit-limit") == "3"
            if number < 3:
                assert answer.body == b'{"error":"forbidden"}'
                assert "www-authenticate" not in dict(answer.headers)
        assert not teams.asked, "the service hears nothing of it"
        for number in range(6):
            answer = await ask(home, target(Machine(bytes([number]) * 32)))
            assert answer.status == (404 if number < 5 else 429)
            assert answer.header("x-ratelimit-limit") == "5"
        assert len(teams.asked) == 5
        logged = "".join(capsys.readouterr())
        assert "ticket: timestamp out of range" in logged
        assert MACHINE.token not in logged
        assert bad.rpartition(".")[2] not in logged


async def test_one_ticket_opens_again_and_again(home: House) -> None:
    home.services["teams"].behave = answering_handshakes(plain(404, b"{}"))
    path = target()
    for _ in range(3):
        assert (await ask(home, path)).status == 404
    assert {one.target for one in home.services["teams"].asked} == {"/socket/websocket?vsn=2.0.0"}
