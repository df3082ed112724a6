"""CORS as pure functions: what is an origin, what each surface says to whom, and what Vary says."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.pipeline.cors import (
    OWNED,
    VARY_LINE,
    CorsPolicy,
    merge_vary,
    parse_origins,
)
from gateway.route_table import ROUTES, TABLE
from gateway.settings import GatewaySettings
from shared.secret import encode_base64url
from shared.surfaces import Surface, surface_of

PATHS = {
    Surface.LEARNINGS: "/v1/learnings",
    Surface.RUNS: "/api/v1/suites",
    Surface.TEAMS: "/api/teams/x",
    Surface.AGENTS: "/api/v0/agents",
}
PAGES = ("/users/log-in", "/invite/x", "/t/x", "/device", "/dashboard", "/new")
HOME = b"https://home.test"

labels = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)
origins = st.builds(
    lambda scheme, host, port: f"{scheme}://{host}" + (f":{port}" if port else ""),
    st.sampled_from(("http", "https", "HTTPS", "tauri", "chrome-extension")),
    hosts,
    st.one_of(st.none(), st.integers(1, 65535)),
)


def policy(**origins: str) -> CorsPolicy:
    given = {Surface(name): parse_origins(text) for name, text in origins.items()}
    return CorsPolicy(given, TABLE)


def everywhere(text: str) -> CorsPolicy:
    return policy(**dict.fromkeys(Surface, text))


def lines(cors: CorsPolicy, path: str, origin: bytes | None) -> bytes:
    return cors.zone(ROUTES.find(path), path).answers[origin]


def permits(cors: CorsPolicy, path: str, origin: bytes | None) -> bytes:
    return cors.zone(ROUTES.find(path), path).preflights[origin]


def preflight(cors: CorsPolicy, path: str, origin: bytes | None) -> dict[str, str]:
    text = permits(cors, path, origin).decode()
    return dict(line.split(": ", 1) for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.test", {b"https://a.test"}),
        ("https://a.test, http://b.test:8080", {b"https://a.test", b"http://b.test:8080"}),
        (
            '["http://localhost:3400", "http://localhost:5173"]',
            {b"http://localhost:3400", b"http://localhost:5173"},
        ),
        ("HTTPS://A.Test:443/", {b"https://a.test"}),
        ("http://a.test:80", {b"http://a.test"}),
        ("http://a.test:443", {b"http://a.test:443"}),
        ("http://[::0001]:3000", {b"http://[::1]:3000"}),
        ("tauri://localhost", {b"tauri://localhost"}),
        ("chrome-extension://abcdefgh", {b"chrome-extension://abcdefgh"}),
        ("*", {b"*"}),
        ("none", set()),
        ("[]", set()),
        ("", set()),
    ],
)
def test_origins_are_read_as_browsers_write_them(text: str, expected: set[bytes]) -> None:
    assert parse_origins(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a.test",
        "null",
        "//a.test",
        "https://",
        "https:///",
        "https://a.test/path",
        "https://a.test?x",
        "https://a.test#x",
        "https://user:secret@a.test",
        "https://*.a.test",
        "https://a.test:0",
        "https://a.test:65536",
        "https://a.test:",
        "https://[::1",
        "https://[12345::]",
        "https://münchen.test",
        "https://.a.test",
        "* https://a.test",
        "https://a.test none",
        '["https://a.test"',
        '[["https://a.test"]]',
        "[1]",
        '["https://a.test", "*"]',
        "https://a.test\r\nset-cookie:x",
    ],
)
def test_what_is_no_origin_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"origin|\*|list|Expected|hextet|characters") as refused:
        parse_origins(text)
    assert "secret" not in str(refused.value)


@given(origins)
def test_the_form_of_an_origin_is_stable(text: str) -> None:
    (once,) = parse_origins(text)
    assert parse_origins(once.decode()) == {once}
    assert once == once.lower()
    assert not re.search(rb"(^http:.*:80|^https:.*:443)$", once)


@given(st.binary(max_size=60))
def test_only_what_is_known_is_ever_named(origin: bytes) -> None:
    assume(origin != HOME)
    cors = everywhere("https://home.test")
    for path in (*PATHS.values(), "/v1", "/nowhere", "/docs"):
        assert lines(cors, path, origin) == VARY_LINE
        assert permits(cors, path, origin) == VARY_LINE


@given(st.integers(0, len(HOME) - 1), st.integers(0, 255))
def test_one_byte_off_is_another_origin(place: int, byte: int) -> None:
    near = bytearray(HOME)
    near[place] = byte
    cors = everywhere("https://home.test")
    is_same = bytes(near) == HOME
    assert (b"allow-origin" in lines(cors, "/v1/x", bytes(near))) is is_same


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"",
        b"null",
        b"*",
        b"https://HOME.test",
        b"https://home.test/",
        b"https://home.test.",
        b"http://home.test",
        b"https://home.test:443",
        b"https://home.test, https://home.test",
        b" https://home.test",
        b"https://x.home.test",
        b"https://home.test.evil.test",
    ],
)
def test_near_origins_are_not_the_origin(origin: bytes | None) -> None:
    assert lines(everywhere("https://home.test"), "/v1/x", origin) == VARY_LINE


@given(st.dictionaries(st.sampled_from(Surface), origins, min_size=1))
def test_each_surface_has_origins_of_its_own(chosen: dict[Surface, str]) -> None:
    cors = policy(**chosen)
    for surface, path in PATHS.items():
        for other in chosen.values():
            (origin,) = parse_origins(other)
            is_own = surface in chosen and parse_origins(chosen[surface]) == {origin}
            line = b"access-control-allow-origin: %b\r\n" % origin
            assert (line in lines(cors, path, origin)) is is_own


@pytest.mark.parametrize("path", [*PATHS.values(), "/v1/unknown", "/api/unknown", "/docs", "/x"])
@pytest.mark.parametrize("origin", [None, HOME, b"https://other.test"])
def test_lines_are_whole_and_never_allow_credentials(path: str, origin: bytes | None) -> None:
    for text in ("https://home.test", "*", "none"):
        cors = everywhere(text)
        for written in (lines(cors, path, origin), permits(cors, path, origin)):
            assert written == b"" or written.endswith(b"\r\n")
            for line in written.split(b"\r\n")[:-1]:
                assert re.fullmatch(rb"[a-z-]+: [\x21-\x7e][\x20-\x7e]*", line)
            assert b"credentials" not in written
            assert (VARY_LINE in written) is (text not in ("*", "none"))


def test_pages_with_sessions_are_for_their_own_origin() -> None:
    for text in ("https://home.test", "*"):
        cors = everywhere(text)
        for path in PAGES:
            assert lines(cors, path, HOME) == b""
            assert permits(cors, path, HOME) == b""


def test_public_documents_are_for_every_known_page() -> None:
    cors = policy(runs="https://runs.test", agents="https://agents.test")
    for path in ("/.well-known/jwks.json", "/openapi.json", "/docs", "/health", "/nowhere"):
        for origin in (b"https://runs.test", b"https://agents.test"):
            assert b"allow-origin: " + origin in lines(cors, path, origin)
        assert b"allow-origin" not in lines(cors, path, HOME)
    star = policy(runs="https://runs.test", agents="*")
    assert b"allow-origin: *" in lines(star, "/openapi.json", HOME)
    assert b"allow-origin: https://runs.test" in lines(star, "/api/v1/x", b"https://runs.test")
    assert lines(star, "/api/v1/x", HOME) == VARY_LINE


def test_preflights_say_what_the_contracts_say() -> None:
    cors = everywhere("https://home.test")
    teams = preflight(cors, PATHS[Surface.TEAMS], HOME)
    assert teams["access-control-max-age"] == "86400"
    methods, headers = _sets(teams)
    assert methods == {"GET", "POST", "PATCH", "DELETE", "OPTIONS"}
    assert {"content-type", "x-trc-signature", "x-trc-timestamp", "x-trc-token"} <= headers
    assert "if-none-match" in headers
    exposed = lines(cors, PATHS[Surface.TEAMS], HOME).decode()
    for name in ("etag", "idempotent-replay", "x-next-after", "x-pii-access"):
        assert name in exposed
    agents = preflight(cors, PATHS[Surface.AGENTS], HOME)
    methods, headers = _sets(agents)
    assert methods == {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    assert {"authorization", "content-type"} <= headers
    exposed = lines(cors, PATHS[Surface.AGENTS], HOME).decode()
    for name in ("x-total-count", "link", "x-ratelimit-limit", "x-ratelimit-remaining"):
        assert name in exposed
    for surface in (Surface.LEARNINGS, Surface.RUNS):
        methods, headers = _sets(preflight(cors, PATHS[surface], HOME))
        assert {"PUT", "PATCH", "DELETE"} <= methods
        assert {"authorization", "content-type", "idempotency-key"} <= headers
        exposed = lines(cors, PATHS[surface], HOME).decode()
        for name in ("retry-after", "x-request-id", "etag", "location", "ratelimit-policy"):
            assert name in exposed


def _sets(allows: dict[str, str]) -> tuple[set[str], set[str]]:
    methods = allows["access-control-allow-methods"].split(", ")
    headers = allows["access-control-allow-headers"].split(", ")
    return set(methods), set(headers)


def test_nothing_of_what_pages_say_is_remembered() -> None:
    cors = everywhere("https://home.test")
    before = len(cors.zone(None, "/v1").answers)
    for number in range(1000):
        lines(cors, "/v1", b"https://%d.test" % number)
    assert len(cors.zone(None, "/v1").answers) == before


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"accept-encoding"], b"origin, accept-encoding"),
        ([b"accept", b"cookie"], b"origin, accept, cookie"),
        ([b"Accept, Origin"], b"Accept, Origin"),
        ([b"*"], b"*"),
        ([b"accept, *"], b"*"),
        ([b""], b"origin"),
    ],
)
def test_vary_is_one_header(values: list[bytes], expected: bytes) -> None:
    cors = everywhere("https://home.test")
    for origin in (None, HOME):
        ours = lines(cors, "/v1/x", origin)
        merged = merge_vary(ours, values)
        assert merged == b"vary: " + expected + b"\r\n" + ours[len(VARY_LINE) :]
    assert merge_vary(b"", [b"accept"]) == b"vary: accept\r\n"


def test_every_name_that_only_we_may_say_is_owned() -> None:
    cors = everywhere("https://home.test")
    for path in PATHS.values():
        for name in preflight(cors, path, HOME).keys() - {"vary"}:
            assert name.encode() in OWNED


def read(profile: str = "production", **changes: str) -> dict[Surface, frozenset[bytes]]:
    given = {"GUILDHALL_ROOT_SECRET": encode_base64url(b"r" * 32), "GUILDHALL_PROFILE": profile}
    return GatewaySettings.model_validate(given | changes).origins()


RUNS_PAGES = {b"http://localhost:3400", b"http://localhost:5173"}


def test_without_settings_only_the_contract_and_development_have_origins() -> None:
    production, development = read(), read("development")
    assert production[Surface.RUNS] == development[Surface.RUNS] == RUNS_PAGES
    for surface in (Surface.LEARNINGS, Surface.AGENTS):
        assert production[surface] == frozenset()
        assert development[surface] == {b"http://localhost:3000", *RUNS_PAGES}
    assert production[Surface.TEAMS] == development[Surface.TEAMS] == frozenset()


def test_the_nearer_setting_wins() -> None:
    general = read(GUILDHALL_CORS_ORIGINS="https://a.test")
    assert set(general.values()) == {frozenset({b"https://a.test"})}
    mixed = read(
        "development",
        GUILDHALL_CORS_ORIGINS="https://a.test",
        GUILDHALL_AGENTS_CORS_ORIGINS="none",
        GUILDHALL_TEAMS_CORS_ORIGINS='["https://t.test"]',
        TRIPWIRE_CORS_ORIGINS='["https://r.test"]',
    )
    assert mixed == {
        Surface.LEARNINGS: {b"https://a.test"},
        Surface.RUNS: {b"https://r.test"},
        Surface.TEAMS: {b"https://t.test"},
        Surface.AGENTS: frozenset(),
    }
    both = read(
        GUILDHALL_RUNS_CORS_ORIGINS="https://ours.test", TRIPWIRE_CORS_ORIGINS="https://r.test"
    )
    assert both[Surface.RUNS] == {b"https://ours.test"}
    assert read(UPLIFTR_CORS_ORIGINS="[]")[Surface.RUNS] == frozenset()


@pytest.mark.parametrize("surface", [*Surface, ""])
def test_bad_origins_are_named(surface: str) -> None:
    name = f"GUILDHALL_{surface.upper()}_CORS_ORIGINS".replace("__", "_")
    with pytest.raises(ValidationError) as refused:
        read(**{name: "https://user:secret@a.test"})
    assert "secret" not in str(refused.value)


def test_surfaces_agree_with_the_table() -> None:
    for row in TABLE:
        assert surface_of(row.prefix) is row.surface
