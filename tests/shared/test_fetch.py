"""Fetching, against real servers: what is taken, and everything that must not be followed."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared import fetch
from shared.fetch import LARGEST, Fetcher, FetchFailed
from shared.targets import TargetPolicy, read_targets
from tests.gateway.fake_service import Asked, Behaviour, FakeService, answering, plain, running

LAX = TargetPolicy(allow_private=True)
STRICT = TargetPolicy(allow_private=False)


@pytest.fixture
async def server() -> AsyncIterator[FakeService]:
    async with running(FakeService()) as service:
        service.behave = answering(plain(200, b'{"ok":true}', "content-type: text/plain"))
        yield service


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher.opened(LAX) as fetcher:
        yield fetcher


async def failure(asked: Awaitable[Any]) -> str:
    with pytest.raises(FetchFailed) as raised:
        await asked
    return raised.value.reason


async def test_a_document_is_fetched(server: FakeService, fetcher: Fetcher) -> None:
    found = await fetcher.get(f"{server.url}/path?a=b")
    assert (found.status, found.document) == (200, {"ok": True})
    asked = server.asked[0]
    assert (asked.method, asked.target) == ("GET", "/path?a=b")
    assert asked.header("host") == f"127.0.0.1:{server.port}"
    assert asked.header("accept-encoding") == "identity"


async def test_a_form_is_posted(server: FakeService, fetcher: Fetcher) -> None:
    await fetcher.post(f"{server.url}/token", {"code": "a b&c"}, {"authorization": "Basic x"})
    asked = server.asked[0]
    assert asked.body == b"code=a+b%26c"
    assert asked.header("content-type") == "application/x-www-form-urlencoded"
    assert asked.header("authorization") == "Basic x"


async def test_the_name_is_kept_while_the_address_is_connected_to(
    server: FakeService, fetcher: Fetcher
) -> None:
    await fetcher.get(f"http://localhost:{server.port}/")
    assert server.asked[0].header("host") == f"localhost:{server.port}"


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'"x"', b"\xff", b'{"a":NaN}'])
async def test_what_is_no_object_is_none(
    server: FakeService, fetcher: Fetcher, body: bytes
) -> None:
    server.behave = answering(plain(200, body))
    assert (await fetcher.get(server.url)).document is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(server: FakeService, fetcher: Fetcher, status: int) -> None:
    server.behave = answering(plain(status, b"", f"location: {server.url}/elsewhere"))
    assert (await fetcher.get(server.url)).status == status
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "017700000001", "[::1]"]
)
async def test_this_machine_is_not_reached_however_it_is_written(
    server: FakeService, host: str
) -> None:
    async with Fetcher.opened(STRICT) as fetcher:
        reason = await failure(fetcher.get(f"http://{host}:{server.port}/"))
    assert reason in ("address not allowed", "name not resolved")
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://100.100.100.200/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
    ],
)
async def test_metadata_is_not_reached_even_where_private_addresses_are(
    fetcher: Fetcher, url: str
) -> None:
    assert await failure(fetcher.get(url)) == "address not allowed"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "unix:///run/x",
        "http://",
        "//127.0.0.1/",
        "http://user:pass@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "\x00",
    ],
)
async def test_other_addresses_are_none(fetcher: Fetcher, url: str) -> None:
    assert await failure(fetcher.get(url)) == "not an address"


async def test_a_network_can_be_opened_and_a_host_shut(server: FakeService) -> None:
    opened = TargetPolicy(False, read_targets(f"127.0.0.1:{server.port}"))
    async with Fetcher.opened(opened) as fetcher:
        assert (await fetcher.get(server.url)).status == 200
    shut = TargetPolicy(True, deny=read_targets("localhost"))
    async with Fetcher.opened(shut) as fetcher:
        url = f"http://localhost:{server.port}"
        assert await failure(fetcher.get(url)) == "address not allowed"


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Make names resolve to these addresses, one list a question; give the questions."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, 1, 6, "", (address, port))
            for address in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_that_changes_its_mind_gains_nothing(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = TargetPolicy(False, read_targets("127.0.0.2"))
    asked = _resolving(monkeypatch, ["127.0.0.2"], ["127.0.0.1"], ["169.254.169.254"])
    async with Fetcher.opened(policy) as fetcher:
        # Nothing listens at the address that was allowed, and no other was tried.
        assert await failure(fetcher.get(f"http://idp.example:{server.port}/")) == "ConnectError"
    assert asked == ["idp.example"]
    assert server.connections == 0


async def test_a_name_that_also_points_inside_is_refused_whole(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolving(monkeypatch, ["93.184.216.34", "10.0.0.1"])
    async with Fetcher.opened(STRICT) as fetcher:
        assert await failure(fetcher.get("http://idp.example/")) == "address not allowed"


async def test_the_next_address_is_tried_where_one_is_dead(
    server: FakeService, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolving(monkeypatch, ["::1", "127.0.0.1"])
    found = await fetcher.get(f"http://idp.example:{server.port}/")
    assert found.status == 200
    assert server.asked[0].header("host") == f"idp.example:{server.port}"


async def test_a_huge_answer_is_cut_off(server: FakeService, fetcher: Fetcher) -> None:
    sent = 0

    async def flood(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"[" * 65_536)
            await writer.drain()
            sent += 65_536

    server.behave = flood
    assert await failure(fetcher.get(server.url)) == "too large"
    assert sent < 16 * LARGEST


async def test_an_answer_of_the_limit_is_taken(server: FakeService, fetcher: Fetcher) -> None:
    body = json.dumps({"a": "x" * (LARGEST - 9)}).encode()
    assert len(body) == LARGEST
    server.behave = answering(plain(200, body))
    assert (await fetcher.get(server.url)).document is not None
    server.behave = answering(plain(200, body + b" "))
    assert await failure(fetcher.get(server.url)) == "too large"


async def test_a_compressed_answer_is_refused(server: FakeService, fetcher: Fetcher) -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    server.behave = answering(plain(200, bomb, "content-encoding: gzip"))
    assert await failure(fetcher.get(server.url)) == "compressed"


async def _drip(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silence(
    asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("behave", [_drip, _silence])
async def test_a_slow_answer_is_given_up(
    server: FakeService, fetcher: Fetcher, behave: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.5)
    server.behave = behave
    assert await failure(fetcher.get(server.url)) == "took too long"


@pytest.mark.parametrize(
    "data", [b"", b"not http\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"]
)
async def test_a_broken_answer_is_a_failure(
    server: FakeService, fetcher: Fetcher, data: bytes
) -> None:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    server.behave = behave
    assert await failure(fetcher.get(server.url)) == "RemoteProtocolError"


async def test_no_proxy_of_the_environment_is_used(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Fetcher.opened(LAX) as fetcher:
        assert (await fetcher.get(server.url)).status == 200


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._certificate = self._sign(self._name, self._key, None)
        self.trust = ssl.create_default_context(
            cadata=self._certificate.public_bytes(Encoding.PEM).decode()
        )

    def context(self, host: str) -> ssl.SSLContext:
        """Make what a server for one name needs."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(name, key, host)
        path = self._folder / f"{host}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, host: str | None
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is not None:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(host)]), critical=False
            )
        return builder.sign(self._key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@asynccontextmanager
async def _over_tls(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(plain(200, b'{"over":"tls"}'))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("host", ["idp.example", "127.0.0.1"])
async def test_the_certificate_must_be_for_the_name_and_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    authority = Authority(tmp_path)
    _resolving(monkeypatch, ["127.0.0.1"])
    async with (
        _over_tls(authority.context(host)) as port,
        Fetcher.opened(LAX, authority.trust) as fetcher,
    ):
        assert (await fetcher.get(f"https://{host}:{port}/")).document == {"over": "tls"}
        # A second name at the same address, whose certificate this is not.
        assert await failure(fetcher.get(f"https://other.example:{port}/")) == "ConnectError"


async def test_an_unknown_authority_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolving(monkeypatch, ["127.0.0.1"])
    async with (
        _over_tls(Authority(tmp_path).context("idp.example")) as port,
        Fetcher.opened(LAX) as fetcher,
    ):
        assert await failure(fetcher.get(f"https://idp.example:{port}/")) == "ConnectError"
