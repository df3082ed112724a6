"""Odd heads: lines, names, targets, versions, methods, hosts, forged headers, and pipelines."""

from __future__ import annotations

from tests.gateway.smuggles import EVES, HIDDEN, Case, _get, _open, _post, _refused

LINES = [
    *_refused(
        "line",
        {
            "bare LF": _get().replace(b"\r\n", b"\n"),
            "bare LF after the request line": _get().replace(b"\r\n", b"\n", 1),
            "bare LF after a header": _get(headers=b"a: b\n"),
            "bare LF at the end": _get()[:-2] + b"\n",
            "bare CR": _get().replace(b"\r\n", b"\r"),
            "bare CR after a header": _get(headers=b"a: b\rc: d\r\n"),
            "CR CR LF": _get(headers=b"a: b\r\r\n"),
            "LF CR": _get(headers=b"a: b\n\r"),
            "folded": _get(headers=b"a: b\r\n c\r\n"),
            "folded by a tab": _get(headers=b"a: b\r\n\tc\r\n"),
            "folded empty": _get(headers=b"a:\r\n \r\n"),
            "folded first header": b"GET /v1/one HTTP/1.1\r\n host: x\r\n<ada>\r\n\r\n",
            "space before the colon": _get(headers=b"a : b\r\n"),
            "tab before the colon": _get(headers=b"a\t: b\r\n"),
            "empty name": _get(headers=b": b\r\n"),
            "no colon": _get(headers=b"a\r\n"),
            "space in a name": _get(headers=b"a b: c\r\n"),
            "NUL in a name": _get(headers=b"a\x00: b\r\n"),
            "NUL in a value": _get(headers=b"a: b\x00c\r\n"),
            "control in a value": _get(headers=b"a: b\x08c\r\n"),
            "DEL in a value": _get(headers=b"a: b\x7f\r\n"),
            "control in a name": _get(headers=b"a\x1f: b\r\n"),
            "high byte in a name": _get(headers=b"a\xe4: b\r\n"),
            "bracket in a name": _get(headers=b"a(: b\r\n"),
            "slash in a name": _get(headers=b"a/b: c\r\n"),
            "no-break space before the colon": _get(headers=b"a\xa0: b\r\n"),
            "bytes before the method": b"\x00" + _get(),
            "tab for a space": _get().replace(b"/v1/one HTTP", b"/v1/one\tHTTP"),
            "space after the version": _get().replace(b"1.1\r\n", b"1.1 \r\n", 1),
            "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 60,
        },
    ),
    *_open(
        "line",
        {
            "two spaces": _get().replace(b"/v1/one HTTP", b"/v1/one  HTTP"),
            "empty lines first": b"\r\n\r\n" + _get(),
            "high bytes in a value": _get(headers=b"a: \xe4\xff\r\n"),
            "tab in a value": _get(headers=b"a: b\tc\r\n"),
            "empty value": _get(headers=b"a:\r\n"),
            "name of all tokens": _get(headers=b"!#$%&'*+-.^_`|~09azAZ: b\r\n"),
        },
    ),
]

VERSIONS = [
    *_refused(
        "version",
        {
            "HTTP/1.2": _get(version=b"HTTP/1.2"),
            "HTTP/2.0": _get(version=b"HTTP/2.0"),
            "HTTP/0.9": _get(version=b"HTTP/0.9"),
            "HTTP/3": _get(version=b"HTTP/3"),
            "HTTP/1": _get(version=b"HTTP/1"),
            "HTTP/1.10": _get(version=b"HTTP/1.10"),
            "HTTP/01.1": _get(version=b"HTTP/01.1"),
            "http/1.1": _get(version=b"http/1.1"),
            "HTTPS/1.1": _get(version=b"HTTPS/1.1"),
            "ICE/1.0": _get(version=b"ICE/1.0"),
            "none": b"GET /v1/one\r\n",
            "none with headers": b"GET /v1/one\r\nhost: x\r\n<ada>\r\n\r\n",
            "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 20,
        },
    ),
    *_open(
        "version",
        {
            "RTSP/1.0": _get(version=b"RTSP/1.0"),
            "HTTP/1.0": _get(version=b"HTTP/1.0"),
            "HTTP/1.0 kept alive": _get(headers=b"connection: keep-alive\r\n", version=b"HTTP/1.0"),
            "HTTP/1.0 without Host": b"GET /v1/one HTTP/1.0\r\n<ada>\r\n\r\n",
        },
    ),
]

UPGRADES = _open(
    "upgrade",
    {
        "h2c": _get(headers=b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
                    b"http2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n") + HIDDEN,
        "h2c with a body": _post(
            b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: %d\r\n" % len(HIDDEN), HIDDEN
        ),
        "chunked": _post(
            b"connection: upgrade\r\nupgrade: x\r\ntransfer-encoding: chunked\r\n",
            b"0\r\n\r\n" + HIDDEN,
        ),
        "websocket": _get(
            headers=b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
            b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        ) + HIDDEN,
        "websocket that is none": _get(
            b"/socket/websocket",
            b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 777\r\n",
        ) + HIDDEN,
        "without Connection": _get(headers=b"upgrade: h2c\r\n") + EVES,
        "Connection without Upgrade": _get(headers=b"connection: upgrade\r\n") + EVES,
        "TLS": b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: TLS/1.0\r\n\r\n"
        + HIDDEN,
    },
)  # fmt: skip

TARGETS = [
    *_refused(
        "target",
        {
            "control": _get(b"/v1/o\x01ne"),
            "NUL": _get(b"/v1/o\x00ne"),
            "tab": _get(b"/v1/o\tne"),
            "DEL": _get(b"/v1/o\x7fne"),
            "high byte": _get(b"/v1/o\xffne"),
            "UTF-8": _get("/v1/öne".encode()),
            "asterisk before a path": _get(b"*v1/one"),
            "no slash": _get(b"v1/one"),
            "empty": _get(b""),
            "query alone": _get(b"?a=b"),
            "authority": _get(b"evil.test:80"),
            "no scheme": _get(b"://evil.test/v1/one"),
            "CONNECT": _get(b"evil.test:80").replace(b"GET", b"CONNECT"),
            "CONNECT a path": _get().replace(b"GET", b"CONNECT"),
            "CONNECT and more": _get().replace(b"GET", b"CONNECT") + HIDDEN,
            "bare LF": _get(b"/v1/one\nx"),
            "bare CR": _get(b"/v1/one\rx"),
        },
    ),
    *_open(
        "target",
        {
            target.decode("ascii"): _get(target)
            for target in (
                b"http://evil.test/v1/one",
                b"http://evil.test@x/v1/one",
                b"http://x",
                b"http://x?a=b",
                b"http:///v1/one",
                b"http:/v1/one",
                b"https://evil.test:99999/v1/one",
                b"http://[::1]/v1/one",
                b"file:///v1/one",
                b"HTTP://EVIL/v1/one",
                b"*",
                b"//v1/one",
                b"///v1/one",
                b"////////v1/one//",
                b"//evil.test/v1/one",
                b"/v1//one",
                b"/v1//auth/me",
                b"/v1/one/",
                b"/v1/one//",
                b"/v1/./one",
                b"/v1/../v1/one",
                b"/v1/auth/../one",
                b"/v1/one/..",
                b"/v1/one/.",
                b"/v1/...",
                b"/v1/..;/one",
                b"/v1/;/one",
                b"/v1;x/one",
                b"/v1/one;jsessionid=1",
                b"/v1/%2e%2e/one",
                b"/v1/%2e./one",
                b"/v1/.%2e/internal/x",
                b"/%2e%2e/v1/one",
                b"/v1%2fone",
                b"/v1%2Fauth%2Fme",
                b"/%2fv1/one",
                b"%2fv1/one",
                b"/v1/%2e%2e%2finternal%2fsessions",
                b"/v1/%252e%252e/one",
                b"/v1/%252fone",
                b"/v1/%5c..%5cone",
                b"/v1\\one",
                b"/v1/..\\one",
                b"\\v1\\one",
                b"/v1/%00one",
                b"/v1/one%0d%0ax:y",
                b"/v1/one%20HTTP/1.1%0d%0a",
                b"/v1/%",
                b"/v1/%zz",
                b"/v1/%c0%ae%c0%ae/one",
                b"/v1/%ff",
                b"/%76%31/one",
                b"/%61pi/v1/one",
                b"/V1/one",
                b"/v1/one#x",
                b"/v1/one#/../internal",
                b"/v1/one?",
                b"/v1/one?#",
                b"/v1/one??",
                b"/v1/one?a=b?c=d",
                b"/v1/one?/../internal",
                b"/v1/one?a=%0d%0a",
                b"/v1/one?a=b#c",
                b"/v1?/auth/me",
                b"/v1/one&x",
                b"/internal/sessions/check",
                b"/%69nternal/x",
                b"/v1/internal",
                b'/v1/"<>{}|^`',
                b"/v1/one:80",
                b"/v1/@evil.test",
            )
        },
    ),
]

METHODS = [
    *_refused(
        "method",
        {
            "lower case": _get().replace(b"GET", b"get"),
            "mixed": _get().replace(b"GET", b"Get"),
            "unknown": _get().replace(b"GET", b"GETS"),
            "100 KB": _get().replace(b"GET", b"G" * 100_000),
            "empty": _get()[3:],
            "NUL": _get().replace(b"GET", b"G\x00T"),
            "TRACE": _get().replace(b"GET", b"TRACE"),
        },
    ),
    *_open(
        "method",
        {
            **{
                method: _get().replace(b"GET", method.encode())
                for method in ("OPTIONS", "DELETE", "PURGE", "PROPFIND", "M-SEARCH", "SOURCE")
            },
            "override": _post(b"x-http-method-override: DELETE\r\ncontent-length: 0\r\n"),
            "override by query": _get(b"/v1/one?_method=DELETE"),
        },
    ),
]

HOSTS = [
    *_refused(
        "host",
        {
            "two": _get(headers=b"host: y\r\n"),
            "two, same": _get(headers=b"host: x\r\n"),
            "two, hiding": _get(headers=b"host: y\r\n") + EVES,
            "none": b"GET /v1/one HTTP/1.1\r\n<ada>\r\n\r\n",
            **{
                value.decode("latin-1"): _get().replace(b"host: x", b"host: " + value)
                for value in (
                    b"x/v1/auth", b"a@x", b"a:b@x", b"x, y", b"x#y", b"x?y", b"x y", b"\xe4",
                    b"x\\y", b"x;y", b"%78", b"a" * 5000,
                )
            },
        },
    ),
    *_open(
        "host",
        {
            value.decode("latin-1") or "empty": _get().replace(b"host: x", b"host: " + value)
            for value in (b"", b"x:99999", b"[::1]", b"127.0.0.1")
        },
    ),
]  # fmt: skip

FORGED = _open(
    "forged",
    {
        name.decode(): _get(headers=name + b": forged\r\n")
        for name in (
            b"x-guildhall-assertion", b"X-Guildhall-Assertion", b"x_guildhall_assertion",
            b"x-guildhall_assertion", b"X_GUILDHALL-ASSERTION", b"x-guildhall-client",
            b"x-guildhall-client-", b"x.guildhall.assertion", b"x-guildhall-",
            b"x_guildhall_client", b"x-forwarded-for", b"x_forwarded_for", b"x-forwarded-host",
            b"x-forwarded-proto", b"x-forwarded-prefix", b"forwarded", b"x-real-ip",
            b"x-original-url", b"x-rewrite-url",
            b"via", b"x-request-id", b"traceparent", b"tracestate", b"proxy", b"proxy-connection",
        )
    }
    | {
        f"named by Connection: {name.decode('latin-1')}": _get(
            headers=b"connection: " + name + b"\r\n"
        )
        for name in (
            b"x-guildhall-assertion", b"x-guildhall-client", b"authorization", b"content-length",
            b"host", b"transfer-encoding", b"cookie, accept", b"x-request-id", b"connection", b",",
            b"keep-alive, x-guildhall-assertion", b"close, x-guildhall-assertion", b"\xe4", b"te",
        )
    },
)  # fmt: skip

SIZES = [
    *_refused(
        "size",
        {
            "101 headers": _get(headers=b"a: b\r\n" * 101),
            "101 headers and more": _get(headers=b"a: b\r\n" * 101) + EVES,
            "a header of 70 KB": _get(headers=b"a: " + b"b" * 70_000 + b"\r\n"),
            "a header of 70 KB and more": _get(headers=b"a: " + b"b" * 70_000 + b"\r\n") + EVES,
            "a name of 70 KB": _get(headers=b"a" * 70_000 + b": b\r\n"),
            "headers of 70 KB": _get(headers=b"a: %b\r\n" % (b"b" * 1000) * 70),
            "target of 64 KB": _get(b"/v1/" + b"a" * 65_536),
            "query of 64 KB": _get(b"/v1/one?" + b"a" * 65_536),
        },
    ),
    *_open(
        "size",
        {
            "64 headers": _get(headers=b"a: b\r\n" * 64),
            "a header of 60 KB": _get(headers=b"a: " + b"b" * 60_000 + b"\r\n"),
            "target of 8 KB": _get(b"/v1/" + b"a" * 8192),
        },
    ),
]

_CLOSE = b"connection: close\r\n"
PIPELINES = [
    Case(
        "pipeline: POST with a body, then GET",
        _post(b"content-length: 5\r\n", b"01234") + EVES,
        (("/v1/one", b"01234"), ("/v1/eve", b"")),
    ),
    Case(
        "pipeline: GET with a body, then GET",
        _get(headers=b"content-length: 5\r\n") + b"01234" + EVES,
        (("/v1/one", b"01234"), ("/v1/eve", b"")),
    ),
    Case(
        "pipeline: chunked POST, then GET",
        _post(b"transfer-encoding: chunked\r\n", b"5\r\n01234\r\n0\r\n\r\n") + EVES,
        (("/v1/one", b"01234"), ("/v1/eve", b"")),
    ),
    Case("pipeline: GET, then GET", _get() + EVES, (("/v1/one", b""), ("/v1/eve", b""))),
    Case("pipeline: after close", _get(headers=_CLOSE) + EVES, (("/v1/one", b""),)),
    Case(
        "pipeline: POST after close",
        _post(_CLOSE + b"content-length: 5\r\n", b"01234") + EVES,
        (("/v1/one", b"01234"),),
    ),
    Case("pipeline: after HTTP/1.0", _get(version=b"HTTP/1.0") + EVES, (("/v1/one", b""),)),
    Case("pipeline: after 401", HIDDEN + EVES, (("/v1/eve", b""),)),
    Case(
        "pipeline: after 404",
        b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n" + EVES,
        (("/v1/eve", b""),),
    ),
    Case(
        "pipeline: after 401 with a body",
        b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(EVES) + EVES,
        None,
    ),
    Case("pipeline: after 400", _get(b"evil.test:80") + EVES, (), is_refused=True),
    Case("pipeline: 400 after GET", _get() + b"\x00" + EVES, (("/v1/one", b""),), is_refused=True),
    Case(
        "pipeline: bad chunk after GET",
        _get() + _post(b"transfer-encoding: chunked\r\n", b"x\r\n") + EVES,
        (("/v1/one", b""),),
        is_refused=True,
    ),
    Case("pipeline: empty lines between", _get() + b"\r\n\r\n" + EVES, None),
    Case("pipeline: rubbish between", _get() + b"0\r\n\r\n" + EVES, (("/v1/one", b""),), True),
]
