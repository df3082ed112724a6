"""Several workers behind one port: started, replaced when they die, ended with their parent."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import suppress

import psutil
import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings
from gateway.workers import listening
from shared.secret import encode_base64url
from tests.gateway.fake_auth import FakeAuth
from tests.gateway.fake_service import FakeService
from tests.gateway.gateway_process import Crowd, GatewayProcess, at_work, gateway_process, gone

URLS = ("GUILDHALL_AUTH_URL", "GUILDHALL_LEARNINGS_URL")


def requests_of(samples: dict[str, float]) -> dict[str, float]:
    """Sum the requests by worker."""
    found: dict[str, float] = {}
    for name, value in samples.items():
        if name.startswith("guildhall_gateway_requests_total"):
            worker = name.partition('worker="')[2].partition('"')[0]
            found[worker] = found.get(worker, 0.0) + value
    return found


async def test_workers_share_the_port_and_one_scrape_shows_them_all() -> None:
    async with gateway_process(2) as process:
        before = requests_of(await process.metrics())
        for _ in range(100):
            assert (await process.get("/health"))[0] == 200
        samples = await process.metrics()
        after = requests_of(samples)
        assert sum(after.values()) - sum(before.values()) == 100
        assert {"0", "1"} == set(after), "the system gives both workers connections"
        assert samples['guildhall_gateway_worker_up{worker="0"}'] == 1
        assert samples['guildhall_gateway_worker_up{worker="1"}'] == 1
        assert samples["guildhall_gateway_worker_deaths_total"] == 0
        for worker in ("0", "1", "parent"):
            assert samples[f'process_resident_memory_bytes{{worker="{worker}"}}'] > 2**20
        bucket = 'guildhall_gateway_request_seconds_bucket{worker="0",surface="other",le="+Inf"}'
        count = 'guildhall_gateway_request_seconds_count{worker="0",surface="other"}'
        assert samples[bucket] == samples[count] > 0
        assert process.said("rate limits count for each worker")

        # One that hangs is left out, not waited for.
        hung = psutil.Process(process.workers[1])
        hung.suspend()
        try:
            await process.until(lambda: hung.status() == psutil.STATUS_STOPPED)
            samples = await process.metrics()
        finally:
            hung.resume()
        assert samples['guildhall_gateway_worker_up{worker="1"}'] == 0
        assert samples['process_resident_memory_bytes{worker="0"}'] > 0
        assert (await process.metrics())['guildhall_gateway_worker_up{worker="1"}'] == 1


async def test_a_worker_that_dies_is_replaced_and_its_queue_kept() -> None:
    async with gateway_process(2) as process:
        process.learnings.behave = at_work
        crowd = Crowd(process, 20)
        await crowd.answers(40)
        dead: set[int] = set()
        for number in (0, 1):
            killed = process.workers[number]
            dead.add(killed)
            process.tell(signal.SIGKILL, killed)
            await gone(killed)
            await process.until(lambda: set(process.workers.values()).isdisjoint(dead))
        await crowd.answers(40)
        await crowd.stop()
        assert crowd.refused == 0, "whoever connects meanwhile waits for the next worker"
        assert len(process.said("worker ended")) == 2
        samples = await process.metrics()
        assert samples["guildhall_gateway_worker_deaths_total"] == 2

        # And without a parent there is no worker.
        process.tell(signal.SIGKILL)
        assert await process.ended() == -signal.SIGKILL, "nobody holds the log open any more"
        await gone(*process.workers.values())


async def test_workers_that_only_die_end_the_parent() -> None:
    async with gateway_process(2) as process:
        async with asyncio.timeout(60):
            while process.status is None:
                for child in _children(process.pid):
                    with suppress(psutil.NoSuchProcess):
                        child.kill()
                await asyncio.sleep(0.05)
        assert await process.ended() == 1
        assert process.said("worker does not stay alive")


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_second_signal_ends_at_once(workers: int) -> None:
    async with gateway_process(workers) as process:
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        writer.write(b"POST /v1/learnings HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n")
        process.tell(signal.SIGINT)
        await process.until(lambda: process.said("draining"))
        process.tell(signal.SIGINT)
        await process.ended()
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert not any("Traceback" in line["event"] for line in process.lines)
        await gone(*process.workers.values())


@pytest.mark.parametrize(("workers", "port"), [("1", "metrics_port"), ("2", "port")])
async def test_a_port_in_use_is_said(workers: str, port: str) -> None:
    process = GatewayProcess(FakeAuth(), FakeService(), GUILDHALL_GATEWAY_WORKERS=workers)
    process.environment |= {name: "http://127.0.0.1:1" for name in URLS}
    with socket.create_server(("127.0.0.1", getattr(process, port)), reuse_port=True):
        await process.start()
        assert await process.ended() == 1
    assert process.said("cannot listen")


def test_newcomers_are_kept_out_and_who_is_in_stays() -> None:
    [[listener]] = listening.bind("127.0.0.1", 0)
    with listener:
        listener.listen()
        address = listener.getsockname()
        with socket.create_connection(address) as early:
            assert listening.has_waiting([listener])
            listening.keep_newcomers_out([listener])
            with socket.socket() as late:
                late.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    late.connect(address)
            listener.setblocking(True)
            accepted, _ = listener.accept()
            with accepted:
                early.sendall(b"here")
                assert accepted.recv(4) == b"here"
            assert not listening.has_waiting([listener])


def test_the_number_of_workers_is_a_setting() -> None:
    key = {"GUILDHALL_ROOT_SECRET": encode_base64url(b"r" * 32)}

    def processes(value: str) -> int:
        return GatewaySettings.model_validate({**key, "GUILDHALL_GATEWAY_WORKERS": value}).processes

    assert processes("3") == 3
    assert processes("0") == processes("auto") >= 1
    assert GatewaySettings.model_validate(key).processes == 1
    for wrong in ("-1", "many", "65"):
        with pytest.raises(ValidationError):
            processes(wrong)


def _children(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children()
    return []
