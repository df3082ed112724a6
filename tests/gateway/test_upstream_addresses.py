from __future__ import annotations

import asyncio
import socket
from collections import Counter

import pytest

from gateway.upstream import Upstream
from gateway.upstream.breaker import State, Trip
from gateway.upstream.budget import Retries
from shared.errors import Unavailable
from tests.gateway.conftest import NEVER, PLENTY, house, until
from tests.gateway.fake_service import FakeService, answering, echo, plain, running
from tests.gateway.replicas import (
    PATH,
    Replicas,
    closes,
    held,
    limits,
    load,
    replicas,
    silent,
)
from tests.support.ports import free_port


async def test_requests_take_turns() -> None:
    async with replicas(3) as built:
        for _ in range(30):
            assert (await built.ask()).status_code == 200
        assert [len(service.asked) for service in built.services] == [10, 10, 10]
        assert [service.connections for service in built.services] == [1, 1, 1]


async def test_busy_address_gets_fewer() -> None:
    async with replicas() as built:
        slow, quick = built.services
        release = asyncio.Event()
        slow.behave = held(release, echo)
        stuck = [asyncio.create_task(built.ask()) for _ in range(2)]
        await until(lambda: slow.asked)
        await until(lambda: quick.asked)
        for _ in range(20):
            await built.ask()
        assert (len(slow.asked), len(quick.asked)) == (1, 21)
        release.set()
        for answer in await asyncio.gather(*stuck):
            assert answer.status_code == 200


async def test_one_dies_and_comes_back_under_load() -> None:
    async with replicas() as built, load(built, 8) as crowd:
        first, second = built.services
        await crowd.more(100)
        await first.stop()
        await crowd.more(100)
        await until(lambda: built.breaker().state is not State.CLOSED, 60)
        first.asked.clear()
        second.asked.clear()
        await crowd.more(50)
        assert not first.asked
        assert second.asked
        await first.start()
        await until(lambda: len(first.asked) >= 50, 60)
        assert set(await crowd.stop()) == {200}
        assert built.upstream.states() == (State.CLOSED, State.CLOSED)
        assert built.counts["retries_total"] > 0


async def test_connections_that_break_fail_no_repeatable_request() -> None:
    async with replicas() as built, load(built, 8) as crowd:
        for _ in range(10):
            await crowd.more(20)
            built.services[0].hang_up()
        assert set(await crowd.stop()) == {200}


@pytest.mark.parametrize("size", [0, 10, 1_000_000])
async def test_what_reached_nobody_goes_elsewhere_whatever_it_is(size: int) -> None:
    async with replicas(given=limits(trip=NEVER), running_ones=1) as built:
        for _ in range(10):
            answer = await built.ask("POST", "/v1/sync", b"x" * size)
            assert answer.status_code == 200
        bodies = [asked.body for asked in built.services[0].asked]
        assert bodies == [b"x" * size] * 10
        assert built.counts["retries_total"] == 5


async def test_what_may_have_acted_is_not_repeated_elsewhere() -> None:
    async with replicas() as built:
        for service in built.services:
            service.behave = closes
        assert (await built.ask("POST")).status_code == 502
        assert sum(len(service.asked) for service in built.services) == 1


async def test_fresh_connection_that_closes_is_repeated_elsewhere_only() -> None:
    async with replicas() as built:
        bad, good = built.services
        bad.behave = closes
        for _ in range(6):
            assert (await built.ask()).status_code == 200
        assert len(good.asked) == 6
        assert 1 <= len(bad.asked) <= 3
        good.behave = closes
        assert (await built.ask()).status_code == 502


async def test_address_that_swallows_connections() -> None:
    """A full queue of a listening socket: further connections get no answer at all."""
    async with running(FakeService()) as good:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            address = listening.getsockname()
            fill = [socket.socket() for _ in range(4)]
            for one in fill:
                one.setblocking(False)
                one.connect_ex(address)
            urls = f"{good.url} http://127.0.0.1:{address[1]}"
            trip = Trip(faults=2, pause=60, longest=60)
            given = limits(connect=0.2, trip=trip)
            async with house(given, learnings_url=urls, rate_limits=PLENTY) as home:
                built = Replicas(home, [good])
                for _ in range(10):
                    assert (await built.ask("POST")).status_code == 200
                await until(lambda: built.upstream.states() == (State.CLOSED, State.OPEN))
                assert built.counts["retries_total"] <= 3
            for one in fill:
                one.close()


async def test_all_down_is_said_at_once() -> None:
    trip = Trip(faults=2, pause=50, longest=100, jitter=0)
    async with replicas(given=limits(trip=trip), running_ones=0) as built:
        answers = [await built.ask() for _ in range(4)]
        assert {answer.status_code for answer in answers} == {503}
        assert built.upstream.states() == (State.OPEN, State.OPEN)
        before = built.counts
        for method in ("GET", "POST"):
            answer = await built.ask(method)
            assert answer.status_code == 503
            assert 0 < int(answer.headers["retry-after"]) <= 50
            left = built.breaker().retry_at - built.upstream._clock()
            assert left <= int(answer.headers["retry-after"]) <= left + 2
        after = built.counts
        assert after["faults_total"] == before["faults_total"], "nobody was asked"
        assert after["refused_total"] == before["refused_total"] + 2


@pytest.mark.parametrize("share", [0.0, 0.1])
async def test_budget_holds_where_everything_is_refused(share: float) -> None:
    retries = Retries(share=share, minimum=4, window=1000)
    given = limits(trip=NEVER, retries=retries)
    async with replicas(3, given, running_ones=0) as built:
        for _ in range(5):
            assert await built.crowd(20) == {503: 20}
        counts = built.counts
        assert counts["requests_total"] == 100
        assert counts["retries_total"] == 4 + 100 * share
        assert counts["faults_total"] == 104 + 100 * share, "each try is a fault"
        assert counts["retries_exhausted_total"] > 0


async def test_budget_holds_where_everything_breaks() -> None:
    retries = Retries(share=0.1, minimum=4, window=1000)
    async with replicas(3, limits(trip=NEVER, retries=retries)) as built:
        for service in built.services:
            service.behave = closes
        for _ in range(5):
            assert await built.crowd(20) == {502: 20}
        assert sum(len(service.asked) for service in built.services) == 100 + 4 + 10


async def test_budget_holds_for_connections_that_were_kept() -> None:
    retries = Retries(share=0, minimum=2, window=1000)
    async with replicas(1, limits(retries=retries)) as built:
        service = built.services[0]
        for _ in range(4):
            await built.ask()
            kept = set(service.writers)
            service.behave = silent
            task = asyncio.create_task(built.ask())
            await until(lambda: len(service.asked) % 2 == 0)
            service.behave = echo
            for writer in kept:
                writer.transport.abort()
            answer = await task
            service.asked.clear()
            if built.counts["retries_exhausted_total"]:
                assert answer.status_code == 502
            else:
                assert answer.status_code == 200
        assert built.counts["retries_total"] == 2
        assert built.counts["faults_total"] == 0, "services may close what is kept"


async def test_who_waits_goes_elsewhere_when_an_address_is_given_up() -> None:
    given = limits(connections=1, trip=Trip(faults=1, pause=60, longest=60))
    async with replicas(given=given) as built:
        bad, good = built.services
        release = asyncio.Event()
        bad.behave, good.behave = silent, held(release, echo)
        tasks = [asyncio.create_task(built.ask("POST")) for _ in range(6)]
        await until(lambda: sum(pool.busy for pool in built.upstream.pools) == 6)
        await until(lambda: bad.asked and good.asked)
        bad.hang_up()
        await until(lambda: built.breaker().state is State.OPEN)
        release.set()
        statuses = Counter(answer.status_code for answer in await asyncio.gather(*tasks))
        assert statuses == {200: 5, 502: 1}
        assert (len(bad.asked), len(good.asked)) == (1, 5)


async def test_who_waits_in_vain_for_a_connection_goes_elsewhere() -> None:
    async with replicas(given=limits(connections=1, connect=1.0)) as built:
        stuck, other = built.services
        release = asyncio.Event()
        stuck.behave, other.behave = silent, held(release, echo)
        tasks = [asyncio.create_task(built.ask("POST")) for _ in range(4)]
        await until(lambda: [pool.busy for pool in built.upstream.pools] == [2, 2])
        release.set()
        await until(lambda: len(other.asked) == 3)
        stuck.hang_up()
        answers = await asyncio.gather(*tasks)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 502]
        assert len(stuck.asked) == 1


async def test_answers_of_a_service_are_no_faults() -> None:
    async with replicas(1, limits(trip=Trip(faults=1))) as built:
        for status in (500, 502, 503, 504):
            built.services[0].behave = answering(plain(status, b"{}"))
            assert (await built.ask()).status_code == status
        assert built.counts["faults_total"] == 0


async def test_callers_who_leave_are_no_faults() -> None:
    async with replicas(1, limits(trip=Trip(faults=1))) as built:
        service = built.services[0]
        service.behave = silent
        for _ in range(3):
            service.asked.clear()
            task = asyncio.create_task(built.ask())
            await until(lambda: service.asked)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await until(lambda: built.counts["busy"] == 0)
        service.behave = echo
        assert (await built.ask()).status_code == 200
        assert built.counts["faults_total"] == 0


async def test_loans_are_spread_and_counted() -> None:
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    upstream = Upstream("teams", urls, limits(trip=Trip(faults=1, pause=60, longest=60)))
    loans = [upstream.lend() for _ in range(6)]
    assert Counter(loan.port for loan in loans) == {pool.port: 3 for pool in upstream.pools}
    for loan in loans[:2]:
        loan.answered()
        loan.close()
        loan.close()
    assert upstream.counts()["sockets"] == 4
    bad = upstream.lend()
    bad.faulted(is_reached=False)
    other = upstream.lend(instead=bad)
    assert other.port != bad.port
    with pytest.raises(Unavailable):
        upstream.lend(instead=other)
    assert upstream.lend().port == other.port
    assert upstream.counts()["retries_total"] == 1


def test_addresses_of_one_service_need_not_be_many() -> None:
    with pytest.raises(ValueError, match="no address"):
        Upstream("teams", [])
    with pytest.raises(ValueError, match="http://host:port"):
        Upstream("teams", ["https://host:1"])


async def test_address_in_doubt_gets_one_request_at_a_time() -> None:
    async with replicas() as built:
        doubted, other = built.services
        release = asyncio.Event()
        doubted.behave = other.behave = held(release, echo)
        built.breaker().doubt()
        built.breaker().is_doubted_until = float("inf")
        tasks = [asyncio.create_task(built.ask()) for _ in range(10)]
        await until(lambda: len(doubted.asked) + len(other.asked) == 10)
        assert (len(doubted.asked), len(other.asked)) == (1, 9)
        release.set()
        await asyncio.gather(*tasks)
        await until(lambda: not built.breaker().is_troubled)
        assert PATH in doubted.asked[0].target
