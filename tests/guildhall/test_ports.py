from __future__ import annotations

import asyncio
import socket
import time

import pytest

from guildhall.ports import PortTaken, taken, wait_until_free
from tests.support.ports import free_ports

HERE = "127.0.0.1"


def listening(port: int) -> socket.socket:
    taker = socket.socket()
    taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taker.bind((HERE, port))
    taker.listen()
    return taker


async def test_a_taken_port_is_told_with_its_use_and_the_setting() -> None:
    first = free_ports(2)
    ports = {"gateway": first, "auth": first + 1}
    await wait_until_free(HERE, ports, 0)
    with listening(first + 1):
        assert taken(HERE, ports) == {"auth": first + 1}
        with pytest.raises(PortTaken, match=rf"{first + 1} \(auth\).*GUILDHALL_PORT"):
            await wait_until_free(HERE, ports, 0)


async def test_a_port_that_becomes_free_in_time_will_do() -> None:
    port = free_ports(1)
    taker = listening(port)
    asyncio.get_running_loop().call_later(0.3, taker.close)
    started = time.monotonic()
    await wait_until_free(HERE, {"gateway": port}, 30)
    assert time.monotonic() - started < 30
