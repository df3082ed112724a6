from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from gateway.credentials.memory import (
    LIFE,
    MAX_QUESTIONS,
    MAX_QUESTIONS_EACH,
    REFUSAL_LIFE,
    Credential,
    Credentials,
    Finding,
    Refused,
)
from shared.errors import Unavailable
from shared.principal import Kind, Principal, verify_assertion
from tests.gateway.conftest import QUICK, House, house, until

PERSON = Principal(Kind.USER, "usr_1")


def credential(until: float = 100.0, *tags: str) -> Credential:
    return Credential("jwt", PERSON, until, tags)


def giving(finding: Finding) -> Callable[[], Awaitable[Finding]]:
    async def question() -> Finding:
        return finding

    return question


async def test_remembers_until_it_is_stale() -> None:
    memory = Credentials()
    await memory.learn(b"a", giving(credential(25.0)))
    assert memory.find(b"a", 24.9) is not None
    assert memory.find(b"a", 25.0) is None
    assert len(memory) == 0


async def test_remembers_refusals_for_a_moment() -> None:
    memory = Credentials()
    await memory.learn(b"a", giving(Refused("x", 2.0)))
    assert isinstance(memory.find(b"a", 1.9), Refused)
    assert memory.find(b"a", 2.0) is None


async def test_evicts_by_tag_only_what_carries_it() -> None:
    memory = Credentials()
    await memory.learn(b"a", giving(credential(9.0, "ses_1", "usr_1")))
    await memory.learn(b"b", giving(credential(9.0, "ses_2", "usr_1")))
    await memory.learn(b"c", giving(credential(9.0, "ses_3", "usr_2")))
    memory.evict("ses_1")
    assert [memory.find(one, 0.0) is None for one in (b"a", b"b", b"c")] == [True, False, False]
    memory.evict("usr_1")
    assert [memory.find(one, 0.0) is None for one in (b"a", b"b", b"c")] == [True, True, False]
    memory.evict("unknown")
    assert memory._by_tag.keys() == {"ses_3", "usr_2"}
    memory.clear()
    assert len(memory) == 0
    assert not memory._by_tag


async def test_evicts_refusals_too() -> None:
    memory = Credentials()
    await memory.learn(b"a", giving(Refused("x", 9.0, ("usr_1",))))
    memory.evict("usr_1")
    assert memory.find(b"a", 0.0) is None


async def test_memory_is_bounded() -> None:
    memory = Credentials(capacity=3, refusals=2)
    for number in range(10):
        await memory.learn(b"k%d" % number, giving(credential(9.0, f"ses_{number}")))
        await memory.learn(b"r%d" % number, giving(Refused("x", 9.0)))
        memory.find(b"k0", 0.0)
    assert len(memory) == 5
    assert memory.find(b"k0", 0.0) is not None, "what is used stays"
    assert len(memory._by_tag) == 3


@pytest.mark.parametrize("clear", [False, True])
async def test_event_overtakes_an_answer_under_way(clear: bool) -> None:
    memory = Credentials()
    asked, go = asyncio.Event(), asyncio.Event()

    async def question() -> Finding:
        asked.set()
        await go.wait()
        return credential(99.0, "ses_1")

    learning = asyncio.create_task(memory.learn(b"a", question))
    await asked.wait()
    if clear:
        memory.clear()
    else:
        memory.evict("ses_1")
    go.set()
    await learning
    assert memory.find(b"a", 0.0) is None


async def test_twenty_misses_ask_once() -> None:
    memory = Credentials()
    asked = 0

    async def question() -> Finding:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return credential()

    findings = await asyncio.gather(*(memory.learn(b"a", question) for _ in range(20)))
    assert asked == 1
    assert len({id(finding) for finding in findings}) == 1


async def test_failed_question_is_not_remembered() -> None:
    memory = Credentials()

    async def question() -> Finding:
        raise Unavailable

    for _ in range(2):
        with pytest.raises(Unavailable):
            await memory.learn(b"a", question)
    assert len(memory) == 0
    assert not memory._flights


async def test_questions_under_way_are_bounded() -> None:
    memory = Credentials()
    never = asyncio.Event()

    async def question() -> Finding:
        await never.wait()
        raise AssertionError

    tasks = [
        asyncio.create_task(memory.learn(b"%d" % number, question))
        for number in range(MAX_QUESTIONS)
    ]
    await until(lambda: len(memory._flights) == MAX_QUESTIONS)
    with pytest.raises(Unavailable):
        await memory.learn(b"more", question)
    await memory.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def _with_clock(home: House) -> Clock:
    clock = Clock()
    home.gateway.pipeline._clock = clock
    for one in home.gateway.pipeline._bearer._authenticators.values():
        one._clock = clock  # type: ignore[attr-defined]
    return clock


AWAY = "postgres://nobody:x@127.0.0.1:1/none"


@pytest.mark.parametrize("broker", [{}, {"broker_url": AWAY}])
@pytest.mark.parametrize("kind", ["jwt", "key"])
async def test_revocation_holds_without_any_event(kind: str, broker: dict[str, object]) -> None:
    assert LIFE <= 30
    async with house(QUICK, **broker) as home:
        clock = await _with_clock(home)
        token = home.auth.token() if kind == "jwt" else home.auth.api_key()
        headers = home.bearer(token)
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 200
        home.auth.sessions["ses_1"] = {"active": False, "role": "", "scopes": []}
        for entry in home.auth.keys.values():
            entry["active"] = False
        clock.now += LIFE - 0.1
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 200
        clock.now += 0.1
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 401
        assert len(home.auth.looked_up) == 2
        clock.now += REFUSAL_LIFE - 0.1
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 401
        assert len(home.auth.looked_up) == 2
        clock.now += 0.2
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 401
        assert len(home.auth.looked_up) == 3


async def test_token_dies_when_it_says() -> None:
    async with house() as home:
        clock = await _with_clock(home)
        now = int(time.time())
        headers = home.bearer(home.auth.token(exp=now + 10))
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 200
        clock.now += 10.1
        wall = home.gateway.pipeline._bearer._authenticators["jwt"]
        wall._wall = lambda: now + 13.0  # type: ignore[attr-defined]
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 401


async def test_assertion_never_outlives_its_limit() -> None:
    async with house() as home:
        clock = await _with_clock(home)
        headers = home.bearer()
        wall = 5_000_000.0
        home.gateway.pipeline._heads._wall = lambda: wall
        seen = set()
        for _ in range(12):
            await home.client.get("/v1/learnings", headers=headers)
            assertion = home.learnings.asked[-1].header("x-guildhall-assertion")
            verify_assertion(home.keys["learnings"], "learnings", assertion, wall)
            seen.add(assertion)
            clock.now += 2.0
            wall += 2.0
        assert 2 <= len(seen) <= 4


async def test_second_token_of_a_session_needs_no_question(home: House) -> None:
    for number in range(2):
        headers = home.bearer(home.auth.token("ses_shared", jti=f"jti_{number}"))
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 200
    assert len(home.auth.looked_up) == 1


async def test_second_token_of_a_session_ends_with_it(home: House) -> None:
    tokens = [home.auth.token("ses_shared", jti=f"jti_{number}") for number in range(3)]
    for token in tokens[:2]:
        await home.client.get("/v1/learnings", headers=home.bearer(token))
    home.auth.sessions["ses_shared"]["active"] = False
    home.gateway.credentials.evict("ses_shared")
    for token in tokens:
        answer = await home.client.get("/v1/learnings", headers=home.bearer(token))
        assert answer.status_code == 401


async def test_nobody_alone_keeps_auth_from_the_others() -> None:
    memory, answer = Credentials(), asyncio.Event()

    async def slow() -> Finding:
        await answer.wait()
        return credential()

    async def ask(number: int, address: str) -> Finding:
        return await memory.learn(b"%d" % number, slow, address)

    asking = [asyncio.create_task(ask(number, "greedy")) for number in range(MAX_QUESTIONS_EACH)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await ask(-1, "greedy")
    shared = asyncio.create_task(ask(0, "greedy"))
    other = asyncio.create_task(ask(-2, "modest"))
    await asyncio.sleep(0)
    answer.set()
    assert await asyncio.gather(*asking, shared, other)
    assert isinstance(await ask(-1, "greedy"), Credential)
    await until(lambda: not memory._flights)
    assert not memory._asking
