"""Sending messages, against real servers: what goes out, what is read, what is not waited for."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from shared.fetch import GLANCE, Fetcher
from tests.gateway.fake_service import Asked, FakeService, answering, plain
from tests.shared.test_fetch import failure, fetcher, server

__all__ = ["fetcher", "server"]


async def test_bytes_are_sent_as_they_are(server: FakeService, fetcher: Fetcher) -> None:
    server.behave = answering(plain(202, b"thanks"))
    headers = {"content-type": "application/json", "webhook-id": "msg_1"}
    sent = await fetcher.send(f"{server.url}/in?a=b", b'{"a": "\xc3\xbc"}', headers, 5)
    assert (sent.status, sent.beginning) == (202, b"thanks")
    asked = server.asked[0]
    assert (asked.method, asked.target, asked.body) == ("POST", "/in?a=b", b'{"a": "\xc3\xbc"}')
    assert asked.header("webhook-id") == "msg_1"
    assert asked.header("content-type") == "application/json"


async def test_of_a_huge_answer_to_a_message_only_the_beginning_is_read(
    server: FakeService, fetcher: Fetcher
) -> None:
    async def flood(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    server.behave = flood
    sent = await fetcher.send(server.url, b"", {}, 5)
    assert (sent.status, sent.beginning) == (200, b"x" * GLANCE)


async def test_the_status_counts_although_the_rest_of_the_answer_never_comes(
    server: FakeService, fetcher: Fetcher
) -> None:
    async def trickle(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc")
        await writer.drain()
        await reader.read()

    server.behave = trickle
    sent = await fetcher.send(server.url, b"", {}, 0.3)
    assert (sent.status, sent.beginning) == (200, b"abc")


async def test_a_message_without_an_answer_takes_as_long_as_was_said(
    server: FakeService, fetcher: Fetcher
) -> None:
    async def silence(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()

    server.behave = silence
    assert await failure(fetcher.send(server.url, b"", {}, 0.2)) == "took too long"
    assert await failure(fetcher.send("http://user@127.0.0.1/", b"", {}, 5)) == "not an address"


async def test_a_silent_name_server_holds_up_no_other_look_up(
    server: FakeService, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        if host == "silent.example":
            answers.wait(10)
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        url = f"http://silent.example:{server.port}/"
        silent = [asyncio.create_task(fetcher.send(url, b"", {}, 0.5)) for _ in range(10)]
        assert (await fetcher.get(f"http://idp.example:{server.port}/")).status == 200
        # The threads that the rest of the process looks up names in are free.
        await asyncio.wait_for(asyncio.to_thread(answers.is_set), 5)
        for each in silent:
            assert await failure(each) == "took too long"
    finally:
        answers.set()
