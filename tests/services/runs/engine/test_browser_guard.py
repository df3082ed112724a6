from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.runs.engine.browser import guard as guarding
from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.guard import Guard, Pass
from services.runs.engine.browser.models import NotReached, UrlNotAllowed
from shared.targets import TargetPolicy
from tests.services.runs.engine.browser_support import (
    TRACE_ID,
    TRACEPARENT,
    Pages,
    Trap,
    browsers_for,
    moved,
    only,
    page,
    pages_served,
    shown,
    staged,
    trap,
    until,
)


def credentials(entry: Pass) -> str:
    code = base64.b64encode(f"{entry.name}:{entry.password}".encode()).decode()
    return f"Proxy-Authorization: Basic {code}\r\n"


async def sent(guard: Guard, text: str) -> bytes:
    """Send something to the proxy and read until it closes or a second passes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", guard.port)
    try:
        writer.write(text.encode("latin-1"))
        await writer.drain()
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        return head + await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    async with pages_served() as found:
        found.content["/"] = "<p>hello</p>"
        yield found


@pytest.fixture
async def closed() -> AsyncIterator[Trap]:
    async with trap() as found:
        yield found


async def test_nobody_without_the_password(pages: Pages) -> None:
    async with Guard.opened(TargetPolicy(True)) as guard:
        entry = guard.issue()
        for shown in ("", credentials(Pass(entry.name, "wrong")), credentials(Pass("x", "y"))):
            asked = f"GET {pages.url}/ HTTP/1.1\r\nHost: x\r\n{shown}\r\n"
            assert (await sent(guard, asked)).startswith(b"HTTP/1.1 407")
            asked = f"CONNECT 127.0.0.1:{pages.port} HTTP/1.1\r\n{shown}\r\n"
            assert (await sent(guard, asked)).startswith(b"HTTP/1.1 407")
        asked = f"GET {pages.url}/ HTTP/1.1\r\nHost: x\r\n{credentials(entry)}\r\n"
        assert b"hello" in await sent(guard, asked)
        entry.withdraw()
        assert (await sent(guard, asked)).startswith(b"HTTP/1.1 407")
    assert len(pages.asked) == 1
    assert "proxy-authorization" not in pages.asked[0].headers


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "0.0.0.0",  # noqa: S104
        "[::]",
    ],
)
async def test_metadata_is_never_reached(host: str) -> None:
    async with Guard.opened(TargetPolicy(True)) as guard:
        entry = guard.issue()
        get = f"GET http://{host}/latest HTTP/1.1\r\nHost: x\r\n{credentials(entry)}\r\n"
        assert (await sent(guard, get)).startswith(b"HTTP/1.1 403")
        connect = f"CONNECT {host}:443 HTTP/1.1\r\n{credentials(entry)}\r\n"
        found = await sent(guard, connect)
        assert found.startswith(b"HTTP/1.1 403")
        assert b"X-Guildhall-Refused" in found
        assert entry.count == 2


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "LOCALHOST.",
    ],
)
async def test_loopback_in_every_spelling(
    host: str, closed: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "_look_up", numeric)
    async with Guard.opened(only()) as guard:
        entry = guard.issue()
        for asked in (
            f"GET http://{host}:{closed.port}/ HTTP/1.1\r\nHost: x\r\n",
            f"CONNECT {host}:{closed.port} HTTP/1.1\r\n",
        ):
            found = await sent(guard, f"{asked}{credentials(entry)}\r\n")
            assert found.startswith(b"HTTP/1.1 403"), found
    assert closed.touched == 0


def numeric(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Look up as the system does, of what is written in digits."""
    if host.lower().rstrip(".") == "localhost":
        return [ipaddress.ip_address("127.0.0.1")]
    return [ipaddress.ip_address(socket.inet_aton(host))]


async def test_the_address_that_was_asked_about_is_the_one_connected_to(
    closed: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that first resolves to the Internet and then to us is refused the second time."""
    answers = iter(["93.184.216.34", "127.0.0.1"])
    asked = []

    def rebinding(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        asked.append(host)
        return [ipaddress.ip_address(next(answers))]

    monkeypatch.setattr(guarding, "_look_up", rebinding)
    async with Guard.opened(only()) as guard:
        entry = guard.issue()
        get = f"GET http://rebind.example:{closed.port}/ HTTP/1.1\r\nHost: x\r\n"
        # The tests' own network guard stands for the Internet: nothing answers there.
        assert await sent(guard, f"{get}{credentials(entry)}\r\n") == b""
        assert (await sent(guard, f"{get}{credentials(entry)}\r\n")).startswith(b"HTTP/1.1 403")
    assert asked == ["rebind.example"] * 2
    assert closed.touched == 0


async def test_it_does_not_connect_to_itself() -> None:
    async with Guard.opened(TargetPolicy(True)) as guard:
        entry = guard.issue()
        asked = (
            f"GET http://127.0.0.1:{guard.port}/ HTTP/1.1\r\nHost: x\r\n{credentials(entry)}\r\n"
        )
        assert (await sent(guard, asked)).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize(
    "text",
    [
        "GET / HTTP/1.1\r\nHost: x\r\n",
        "GET ftp://x/ HTTP/1.1\r\n",
        "GET http://x:99999/ HTTP/1.1\r\n",
        "GET http:///x HTTP/1.1\r\n",
        "CONNECT x HTTP/1.1\r\n",
        "CONNECT x:0 HTTP/1.1\r\n",
        "CONNECT user@127.0.0.1:80 HTTP/1.1\r\n",
        "nonsense\r\n",
        "GET http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "GET http://127.0.0.1/ HTTP/1.1\r\nContent-Length: -1\r\n",
    ],
)
async def test_what_is_no_request_gets_no_connection(text: str) -> None:
    async with Guard.opened(TargetPolicy(True)) as guard:
        found = await sent(guard, f"{text}{credentials(guard.issue())}\r\n")
        assert not found.startswith(b"HTTP/1.1 2")


async def test_bodies_and_connections_are_passed_on_whole(pages: Pages) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    pages.content["/chunked"] = chunked
    async with Guard.opened(only(f"127.0.0.1:{pages.port}")) as guard:
        entry = guard.issue()
        reader, writer = await asyncio.open_connection("127.0.0.1", guard.port)
        for _ in range(3):
            writer.write(
                f"POST {pages.url}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                f"{credentials(entry)}\r\nabc".encode()
            )
            async with asyncio.timeout(10):
                assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(12) == b"<p>hello</p>"
        writer.write(
            f"GET {pages.url}/chunked HTTP/1.1\r\nHost: x\r\n{credentials(entry)}\r\n".encode()
        )
        async with asyncio.timeout(10):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readuntil(b"0\r\n\r\n") == b"3\r\nabc\r\n0\r\n\r\n"
        writer.close()
    assert len(pages.asked) == 4


@pytest.fixture(scope="module")
async def town() -> AsyncIterator[Pages]:
    async with pages_served() as found:
        yield found


@pytest.fixture(scope="module")
async def browsers(
    town: Pages, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browsers]:
    folder = tmp_path_factory.mktemp("browser")
    async with browsers_for(only(f"127.0.0.1:{town.port}"), folder) as found:
        yield found


@asynccontextmanager
async def closing_later(transport: asyncio.BaseTransport) -> AsyncIterator[None]:
    try:
        yield
    finally:
        transport.close()


EVERY_WAY = """<p id=out>waiting</p><img src="http://127.0.0.1:PORT/img">
<iframe src="http://127.0.0.1:PORT/frame"></iframe>
<link rel=prefetch href="http://127.0.0.1:PORT/prefetch">
<link rel=preconnect href="http://127.0.0.1:PORT/">
<link rel=dns-prefetch href="http://localhost:PORT/">
<link rel=stylesheet href="http://localhost:PORT/style">
<script src="http://[::1]:PORT/script"></script>
<script type=speculationrules>{"prerender":[{"source":"list","urls":["/next"]}],
"prefetch":[{"source":"list","urls":["http://127.0.0.1:PORT/spec"]}]}</script>
<video src="http://127.0.0.1:PORT/video" preload=auto></video>
<script>
const out = document.getElementById('out');
const tried = [];
const at = (name, work) => tried.push(
  Promise.resolve().then(work).then(() => `${name}:through`, () => `${name}:stopped`));
const opened = (thing) => new Promise((yes, no) => { thing.onopen = yes; thing.onerror = no; });
const host = '127.0.0.1:PORT';
at('fetch', () => fetch(`http://${host}/fetch`));
at('no-cors', () => fetch(`http://0x7f.1:PORT/nocors`, {mode: 'no-cors'}).then((r) => r.text()));
at('socket', () => opened(new WebSocket(`ws://${host}/ws`)));
at('secure', () => opened(new WebSocket(`wss://${host}/ws`)));
at('events', () => opened(new EventSource(`http://${host}/es`)));
at('beacon', () => { navigator.sendBeacon(`http://${host}/beacon`, 'x'); throw 0; });
at('worker', () => new Promise((yes, no) => {
  const code = `fetch('http://${host}/w').then(() => postMessage(1), () => postMessage(0))`;
  const worker = new Worker(URL.createObjectURL(new Blob([code])));
  worker.onmessage = (event) => event.data ? yes() : no();
}));
at('service', () => navigator.serviceWorker.register('/sw.js')
  .then(() => navigator.serviceWorker.ready).then(() => { throw 0; }));
at('transport', () => new WebTransport('https://127.0.0.1:UDP/x').ready);
at('rtc', () => new Promise((yes, no) => {
  const turn = {urls: `turn:127.0.0.1:PORT?transport=tcp`, username: 'u', credential: 'p'};
  const line = new RTCPeerConnection({iceServers: [{urls: `stun:127.0.0.1:UDP`}, turn]});
  line.createDataChannel('x');
  line.createOffer().then((offer) => line.setLocalDescription(offer));
  line.onicecandidate = (event) => { if (!event.candidate) no(); };
  setTimeout(no, 1500);
}));
Promise.all(tried).then((all) => { out.textContent = `${all.join(' ')} done`; });
</script>"""


async def test_a_page_reaches_no_closed_port_in_any_way(
    browsers: Browsers, town: Pages, closed: Trap
) -> None:
    heard = asyncio.Event()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            heard.set()

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    udp = transport.get_extra_info("sockname")[1]
    town.content["/sw.js"] = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: %d\r\n\r\n"
        % len(code := f"fetch('http://127.0.0.1:{closed.port}/sw');".encode())
        + code
    )
    html = EVERY_WAY.replace("PORT", str(closed.port)).replace("UDP", str(udp))
    async with staged(browsers, town.url) as stage, closing_later(transport):
        await shown(stage, town, html)
        async with asyncio.timeout(30):
            while not (out := await stage.visible_text("#out")).endswith("done"):
                await asyncio.sleep(0.1)
        # An answer that it may not look into is what the page gets of a plain 403.
        assert "through" not in out.replace("no-cors:through", "")
        assert f"127.0.0.1:{closed.port}" in stage.refused()
        assert any(each.refused for each in stage.network_errors())
    assert closed.touched == 0
    assert not heard.is_set()


async def test_redirects_are_asked_about(browsers: Browsers, town: Pages, closed: Trap) -> None:
    town.content["/away"] = moved(f"http://127.0.0.1:{closed.port}/secret?x=1")
    async with staged(browsers, town.url) as stage:
        with pytest.raises(UrlNotAllowed, match="GUILDHALL_URL_ALLOW"):
            await stage.goto(f"{town.url}/away")
        with pytest.raises(UrlNotAllowed):
            await stage.goto(f"https://127.0.0.1:{closed.port}/")
        with pytest.raises(UrlNotAllowed):
            await stage.goto("http://169.254.169.254/latest/meta-data/")
    assert closed.touched == 0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "chrome://version",
        "view-source:http://127.0.0.1/",
        "data:text/html,x",
        "javascript:alert(1)",
        "ftp://127.0.0.1/",
        "http:///x",
        "",
    ],
)
async def test_only_the_web_is_opened(browsers: Browsers, town: Pages, url: str) -> None:
    async with staged(browsers, town.url) as stage:
        with pytest.raises(UrlNotAllowed):
            await stage.goto(url)


async def test_a_page_cannot_open_files_either(browsers: Browsers, town: Pages) -> None:
    async with staged(browsers, town.url) as stage:
        links = "".join(
            f"<script>try {{ window.open('{url}'); location = '{url}' }} catch {{}}</script>"
            for url in ("file:///etc/passwd", "chrome://version", "data:text/html,x")
        )
        await shown(stage, town, f"{links}<p>still here</p>")
        for tab in stage.pages:
            assert tab.url.startswith(("http://127.0.0.1", "about:", "chrome-error:")), tab.url


async def test_what_is_not_there_is_not_reached(browsers: Browsers, town: Pages) -> None:
    town.content["/broken"] = b"nonsense\r\n\r\n"
    async with staged(browsers, town.url) as stage:
        with pytest.raises(NotReached):
            await stage.goto(f"{town.url}/broken")


async def test_our_header_goes_to_the_tested_origin_alone(tmp_path: Path) -> None:
    async with (
        pages_served() as here,
        pages_served() as there,
        browsers_for(TargetPolicy(True), tmp_path) as browsers,
        staged(browsers, here.url, TRACEPARENT) as stage,
    ):
        here.content["/fail"] = page("no", "500 Oops", "X-Request-Id: r-1\r\nServer-Timing: db\r\n")
        here.content["/hop"] = moved(f"{there.url}/hopped")
        here.content["/out"] = moved(f"{there.url}/landed")
        there.content["/fail"] = page("no", "500 Oops", "X-Request-Id: r-2\r\n")
        there.content["/landed"] = "<p>landed</p>"
        await shown(
            stage,
            here,
            f"""<img src=/img><script>fetch('/fail'); fetch('/hop', {{mode: 'no-cors'}});
            fetch('{there.url}/fail', {{mode: 'no-cors'}});
            fetch('{here.other}/other', {{mode: 'no-cors'}});</script>""",
        )
        await until(lambda: bool(there.saw("/hopped") and here.saw("/other")))
        await stage.goto(f"{here.url}/out")
        for asked in here.asked:
            wanted = TRACEPARENT if asked.headers["host"].startswith("127.0.0.1") else None
            assert asked.headers.get("traceparent") == wanted, asked
        assert {each.path for each in there.asked} >= {"/hopped", "/fail", "/landed"}
        assert not [each for each in there.asked if "traceparent" in each.headers]
        errors = {each.url: each for each in stage.network_errors()}
        assert errors[f"{here.url}/fail"].trace_id == TRACE_ID
        assert errors[f"{here.url}/fail"].server_timing == "db"
        assert errors[f"{there.url}/fail"].trace_id == "r-2"
