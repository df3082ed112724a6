"""Requests that two parsers could read in two ways; what may become of each.

``<ada>`` and ``<eve>`` stand for a caller's credential and for the claim to be that caller. The
piece that is smuggled has no credential, so it may never reach a service at all.
"""

from __future__ import annotations

from dataclasses import dataclass

HIDDEN = b"GET /v1/smuggled HTTP/1.1\r\nhost: x\r\nx-who: usr_eve\r\n\r\n"
HIDDEN_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
EVES = b"GET /v1/eve HTTP/1.1\r\nhost: x\r\n<eve>\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes:
        name: of the case.
        raw: what is sent.
        seen: targets and bodies that must reach a service, or None where it is open whether the
            request does.
        is_refused: whether the answer must be a refusal that closes the connection.
        ends: whether a proper last request follows, to show that both sides still count alike.
    """

    name: str
    raw: bytes
    seen: tuple[tuple[str, bytes], ...] | None = None
    is_refused: bool = False
    ends: bool = True


def _post(headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"POST /v1/one HTTP/%b\r\nhost: x\r\n<ada>\r\n%b\r\n%b" % (version, headers, body)


def _get(target: bytes = b"/v1/one", headers: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET %b %b\r\nhost: x\r\n<ada>\r\n%b\r\n" % (target, version, headers)


def _refused(group: str, cases: dict[str, bytes]) -> list[Case]:
    return [Case(f"{group}: {name}", raw, (), is_refused=True) for name, raw in cases.items()]


def _open(group: str, cases: dict[str, bytes]) -> list[Case]:
    return [Case(f"{group}: {name}", raw) for name, raw in cases.items()]


def _passes(group: str, cases: dict[str, tuple[bytes, bytes]]) -> list[Case]:
    return [
        Case(f"{group}: {name}", raw, (("/v1/one", body),)) for name, (raw, body) in cases.items()
    ]


_LENGTH = b"content-length: %d\r\n"
_CHUNKED = b"transfer-encoding: chunked\r\n"
_FIVE = b"content-length: 5\r\n"

LENGTHS = [
    *_passes(
        "length",
        {
            "plain": (_post(_FIVE, b"01234"), b"01234"),
            "tab before": (_post(b"content-length:\t5\r\n", b"01234"), b"01234"),
            "no space": (_post(b"content-length:5\r\n", b"01234"), b"01234"),
            "hides a request": (_post(_LENGTH % len(HIDDEN), HIDDEN), HIDDEN),
        },
    ),
    *_refused(
        "length",
        {
            "and chunked": _post(_FIVE + _CHUNKED, b"0\r\n\r\n" + HIDDEN),
            "chunked and length": _post(_CHUNKED + _FIVE, b"0\r\n\r\n" + HIDDEN),
            "chunked and hiding length": _post(
                _CHUNKED + _LENGTH % (len(HIDDEN) + 5), b"0\r\n\r\n" + HIDDEN
            ),
            "twice, different": _post(_FIVE + b"content-length: 0\r\n", HIDDEN),
            "twice, the other way": _post(b"content-length: 0\r\n" + _FIVE, HIDDEN),
            "plus": _post(b"content-length: +5\r\n", b"01234"),
            "minus": _post(b"content-length: -5\r\n", b"01234"),
            "minus zero": _post(b"content-length: -0\r\n", HIDDEN),
            "space inside": _post(b"content-length: 5 5\r\n", b"01234"),
            "list, different": _post(b"content-length: 5, 6\r\n", b"01234"),
            "hexadecimal": _post(b"content-length: 0x5\r\n", b"01234"),
            "octal": _post(b"content-length: 0o5\r\n", b"01234"),
            "digits of hexadecimal": _post(b"content-length: a\r\n", b"0123456789"),
            "underscore": _post(b"content-length: 1_0\r\n", b"0123456789"),
            "decimal": _post(b"content-length: 5.0\r\n", b"01234"),
            "exponent": _post(b"content-length: 5e0\r\n", b"01234"),
            "empty": _post(b"content-length: \r\n", HIDDEN),
            "quoted": _post(b'content-length: "5"\r\n', b"01234"),
            "overflow of 64 bits": _post(b"content-length: 18446744073709551621\r\n", b"01234"),
            "overflow of 65 bits": _post(b"content-length: 36893488147419103237\r\n", b"01234"),
            "vertical tab": _post(b"content-length: \x0b5\r\n", b"01234"),
            "form feed": _post(b"content-length: 5\x0c\r\n", b"01234"),
            "NUL": _post(b"content-length: 5\x00\r\n", b"01234"),
            "no-break space": _post(b"content-length: 5\xa0\r\n", b"01234"),
            "Arabic digit": _post(b"content-length: \xd9\xa5\r\n", b"01234"),
            "superscript": _post(b"content-length: \xb2\r\n", b"01"),
        },
    ),
    *_open(
        "length",
        {
            "twice, same": _post(_FIVE + _FIVE, b"01234"),
            "list, same": _post(b"content-length: 5, 5\r\n", b"01234"),
            "space after": _post(b"content-length: 5 \r\n", b"01234"),
            "tab after": _post(b"content-length: 5\t\r\n", b"01234"),
            "leading zero": _post(b"content-length: 05\r\n", b"01234"),
            "30 zeros": _post(b"content-length: %030d\r\n" % len(HIDDEN), HIDDEN),
            "18 zeros": _post(b"content-length: %018d\r\n" % len(HIDDEN), HIDDEN),
            "200 zeros": _post(b"content-length: %0200d\r\n" % len(HIDDEN), HIDDEN),
            "on GET": _get(headers=_LENGTH % len(HIDDEN)) + HIDDEN,
            "on DELETE": _get(headers=_LENGTH % len(HIDDEN)).replace(b"GET", b"DELETE") + HIDDEN,
            "zero and a body": _post(b"content-length: 0\r\n", HIDDEN),
            "none and a body": _post(b"", HIDDEN),
            "shorter than the body": _post(_FIVE, b"01234" + HIDDEN),
            "named differently": _post(b"content_length: 5\r\n", HIDDEN),
            "name with a dash": _post(b"content-length-: 5\r\n", HIDDEN),
        },
    ),
]

CODINGS = [
    *_passes(
        "coding",
        {
            "chunked": (_post(_CHUNKED, HIDDEN_CHUNK), HIDDEN),
            "capitals": (_post(b"Transfer-Encoding: CHUNKED\r\n", HIDDEN_CHUNK), HIDDEN),
        },
    ),
    *_refused(
        "coding",
        {
            "xchunked": _post(b"transfer-encoding: xchunked\r\n", HIDDEN),
            "chunked, identity": _post(b"transfer-encoding: chunked, identity\r\n", HIDDEN_CHUNK),
            "identity, chunked": _post(b"transfer-encoding: identity, chunked\r\n", HIDDEN_CHUNK),
            "identity": _post(b"transfer-encoding: identity\r\n", HIDDEN),
            "identity and length": _post(b"transfer-encoding: identity\r\n" + _FIVE, HIDDEN),
            "xchunked and length": _post(
                b"transfer-encoding: xchunked\r\n" + _LENGTH % len(HIDDEN_CHUNK), HIDDEN_CHUNK
            ),
            "twice": _post(_CHUNKED + _CHUNKED, HIDDEN_CHUNK),
            "twice in a list": _post(b"transfer-encoding: chunked, chunked\r\n", HIDDEN_CHUNK),
            "empty, then chunked": _post(b"transfer-encoding:\r\n" + _CHUNKED, HIDDEN_CHUNK),
            "chunked, then identity": _post(
                _CHUNKED + b"transfer-encoding: identity\r\n", HIDDEN_CHUNK
            ),
            "comma first": _post(b"transfer-encoding: ,chunked\r\n", HIDDEN_CHUNK),
            "comma last": _post(b"transfer-encoding: chunked,\r\n", HIDDEN_CHUNK),
            "parameter": _post(b"transfer-encoding: chunked;q=1\r\n", HIDDEN_CHUNK),
            "quoted": _post(b'transfer-encoding: "chunked"\r\n', HIDDEN_CHUNK),
            "gzip": _post(b"transfer-encoding: gzip, chunked\r\n", HIDDEN_CHUNK),
            "vertical tab": _post(b"transfer-encoding:\x0bchunked\r\n", HIDDEN_CHUNK),
            "vertical tab after": _post(b"transfer-encoding: chunked\x0b\r\n", HIDDEN_CHUNK),
            "NUL after": _post(b"transfer-encoding: chunked\x00\r\n", HIDDEN_CHUNK),
            "high byte after": _post(b"transfer-encoding: chunked\xff\r\n", HIDDEN_CHUNK),
            "dotless": _post(b"transfer-encoding: chun\xc4\xb7ed\r\n", HIDDEN_CHUNK),
            "space before the colon": _post(b"transfer-encoding : chunked\r\n", HIDDEN_CHUNK),
            "tab before the colon": _post(b"transfer-encoding\t: chunked\r\n", HIDDEN_CHUNK),
            "folded": _post(b"transfer-encoding:\r\n chunked\r\n", HIDDEN_CHUNK),
            "folded by a tab": _post(b"transfer-encoding:\r\n\tchunked\r\n", HIDDEN_CHUNK),
            "folded into another": _post(b"a: b\r\n transfer-encoding: chunked\r\n", HIDDEN_CHUNK),
            "behind a bare CR": _post(b"a: b\rtransfer-encoding: chunked\r\n", HIDDEN_CHUNK),
            "behind a bare LF": _post(b"a: b\ntransfer-encoding: chunked\r\n", HIDDEN_CHUNK),
            "HTTP/1.0": _post(_CHUNKED, HIDDEN_CHUNK, b"1.0"),
            "HTTP/1.0 kept alive": _post(
                _CHUNKED + b"connection: keep-alive\r\n", HIDDEN_CHUNK, b"1.0"
            ),
        },
    ),
    *_open(
        "coding",
        {
            "space after": _post(b"transfer-encoding: chunked \r\n", HIDDEN_CHUNK),
            "tab": _post(b"transfer-encoding:\tchunked\r\n", HIDDEN_CHUNK),
            "tab after": _post(b"transfer-encoding: chunked\t\r\n", HIDDEN_CHUNK),
            "empty": _post(b"transfer-encoding:\r\n", HIDDEN),
            "underscore": _post(b"transfer_encoding: chunked\r\n", HIDDEN_CHUNK),
            "TE": _post(b"te: chunked\r\n", HIDDEN),
            "on GET": _get(headers=_CHUNKED) + HIDDEN_CHUNK,
            "only by Connection": _post(b"connection: transfer-encoding\r\n", HIDDEN_CHUNK),
            "and Connection": _post(b"connection: transfer-encoding\r\n" + _CHUNKED, HIDDEN_CHUNK),
            "length and Connection": _post(
                b"connection: content-length\r\n" + _LENGTH % len(HIDDEN), HIDDEN
            ),
        },
    ),
]


def _chunks(body: bytes) -> bytes:
    return _post(_CHUNKED, body)


CHUNKS = [
    *_passes(
        "chunk",
        {
            "leading zeros": (_chunks(b"0005\r\n01234\r\n0\r\n\r\n"), b"01234"),
            "several": (_chunks(b"1\r\n0\r\n2\r\n12\r\n2\r\n34\r\n0\r\n\r\n"), b"01234"),
            "capital digits": (_chunks(b"A\r\n0123456789\r\n0\r\n\r\n"), b"0123456789"),
            "nothing": (_chunks(b"0\r\n\r\n"), b""),
            "many zeros at the end": (_chunks(b"1\r\n0\r\n00000\r\n\r\n"), b"0"),
        },
    ),
    *_refused(
        "chunk",
        {
            "plus": _chunks(b"+5\r\n01234\r\n0\r\n\r\n"),
            "minus": _chunks(b"-5\r\n01234\r\n0\r\n\r\n"),
            "0x": _chunks(b"0x5\r\n01234\r\n0\r\n\r\n"),
            "underscore": _chunks(b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
            "space before": _chunks(b" 5\r\n01234\r\n0\r\n\r\n"),
            "space after": _chunks(b"5 \r\n01234\r\n0\r\n\r\n"),
            "tab after": _chunks(b"5\t\r\n01234\r\n0\r\n\r\n"),
            "overflow": _chunks(b"10000000000000005\r\n01234\r\n0\r\n\r\n"),
            "long overflow": _chunks(b"f" * 40 + b"\r\n01234\r\n0\r\n\r\n"),
            "empty size": _chunks(b"\r\n01234\r\n0\r\n\r\n"),
            "no digits": _chunks(b"xyz\r\n01234\r\n0\r\n\r\n"),
            "no line end after data": _chunks(b"5\r\n012340\r\n\r\n"),
            "too much data": _chunks(b"5\r\n01234567\r\n0\r\n\r\n"),
            "LF after the size": _chunks(b"5\n01234\r\n0\r\n\r\n"),
            "LF after data": _chunks(b"5\r\n01234\n0\r\n\r\n"),
            "CR after the size": _chunks(b"5\r01234\r\n0\r\n\r\n"),
            "CR CR LF": _chunks(b"5\r\r\n01234\r\n0\r\n\r\n"),
            "LF in an extension": _chunks(b"5;a=b\n01234\r\n0\r\n\r\n"),
            "LF after an open extension": _chunks(b"5;\n01234\r\n0\r\n\r\n"),
            "CR in an extension": _chunks(b"5;a\rb\r\n01234\r\n0\r\n\r\n"),
            "NUL in an extension": _chunks(b"5;a=\x00\r\n01234\r\n0\r\n\r\n"),
            "LF at the end": _chunks(b"5\r\n01234\r\n0\n\n"),
            "LF before the end": _chunks(b"5\r\n01234\r\n0\r\n\n"),
            "LF in a trailer": _chunks(b"0\r\na: b\n\r\n"),
            "folded trailer": _chunks(b"0\r\na: b\r\n c\r\n\r\n"),
            "trailer without a colon": _chunks(b"0\r\nGET /v1/smuggled HTTP/1.1\r\n\r\n"),
        },
    ),
    *_open(
        "chunk",
        {
            "extension": _chunks(b"5;a=b\r\n01234\r\n0\r\n\r\n"),
            "quoted extension": _chunks(b'5;a="\\"b"\r\n01234\r\n0;c\r\n\r\n'),
            "quoted line end in an extension": _chunks(b'5;a="\r\n01234\r\n0\r\n\r\n'),
            "space in an extension": _chunks(b"5 ;a\r\n01234\r\n0\r\n\r\n"),
            "extension of 20 KB": _chunks(b"5;" + b"a" * 20_000 + b"\r\n01234\r\n0\r\n\r\n"),
            "length in a trailer": _chunks(b"0\r\ncontent-length: 40\r\n\r\n"),
            "chunked in a trailer": _chunks(b"0\r\ntransfer-encoding: chunked\r\n\r\n"),
            "credential in a trailer": _chunks(b"0\r\nauthorization: Bearer x\r\n\r\n"),
            "assertion in a trailer": _chunks(b"0\r\nx-guildhall-assertion: x\r\n\r\n"),
            "request in a trailer": _chunks(b"0\r\nx: GET /v1/smuggled HTTP/1.1\r\n\r\n"),
            "close in a trailer": _chunks(b"0\r\nconnection: close\r\n\r\n"),
            "data after the end": _chunks(b"0\r\n\r\n" + HIDDEN),
        },
    ),
]
