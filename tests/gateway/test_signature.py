"""What a signature covers, and every reason why it does not hold, in order."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.signed_requests import signature
from gateway.signed_requests.signature import BadProof, Signed, find_token, signed_bytes, verify
from shared.errors import BadRequest
from shared.secret import encode_base64url
from tests.gateway.machines import Machine

NOW = 1_760_000_000.0
ADA = Machine(bytes(range(32)))
EVE = Machine(bytes(32))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
methods = st.sampled_from(["GET", "DELETE", "POST", "PATCH", "PUT"])
bodies = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3).map(
    lambda fields: json.dumps({key: value for key, value in fields.items() if key != "token"})
)
targets = st.from_regex(rb"/api/auth/device/0a(\?[!-~]{0,20})?", fullmatch=True)
seeds = st.binary(min_size=32, max_size=32)


def signed(
    method: str = "POST",
    target: bytes = b"/api/teams/preview",
    body: bytes = b"",
    machine: Machine = ADA,
    at: float = NOW,
) -> Signed:
    """Sign as an existing client does."""
    headers = machine.headers(method, target.decode("latin-1"), body, at)
    return Signed(
        method=method,
        target=target,
        path=target.partition(b"?")[0].decode(),
        signatures=(headers["x-trc-signature"].encode(),),
        timestamps=(headers["x-trc-timestamp"].encode(),),
        tokens=(machine.token.encode(),),
    )


def reason(request: Signed, body: bytes = b"", now: float = NOW) -> str:
    with pytest.raises(BadProof) as caught:
        verify(request, body, now)
    return caught.value.reason


@given(methods, targets, bodies, seeds, st.integers(-30, 30))
def test_what_is_signed_holds(method: str, target: bytes, text: str, seed: bytes, age: int) -> None:
    body, machine = text.encode(), Machine(seed)
    request = signed(method, target, body, machine, NOW - age)
    assert verify(request, body, NOW) == machine.token


@given(methods, targets, bodies, st.data())
def test_any_change_of_what_is_signed_is_noticed(
    method: str, target: bytes, text: str, data: st.DataObject
) -> None:
    body = text.encode() + b" " * 3
    request = signed(method, target, body)
    part = "body" if method in signature.BODY_METHODS else "target"
    whole = body if part == "body" else target
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    if part == "body":
        body = changed
    else:
        request = replace(request, target=changed)
    with pytest.raises((BadProof, BadRequest)):
        verify(request, body, NOW)


@given(methods, st.binary(max_size=90), st.binary(max_size=30), st.binary(max_size=60))
def test_noise_is_refused_calmly(method: str, mac: bytes, stamp: bytes, token: bytes) -> None:
    request = Signed(method, b"/x", "/x", (mac,), (stamp,), (token,))
    with pytest.raises((BadProof, BadRequest)):
        verify(request, token, NOW)


@pytest.mark.parametrize(
    ("method", "body", "message"),
    [
        ("POST", b'{"a": 1}', b'7.{"a": 1}'),
        ("PATCH", b" {} ", b"7. {} "),
        ("PUT", b"", b"7.{}"),
        ("POST", b"", b"7.{}"),
        ("GET", b"", b"7.GET /api/teams/x?a=%2F&b"),
        ("DELETE", b"ignored", b"7.DELETE /api/teams/x?a=%2F&b"),
        ("HEAD", b"", None),
        ("TRACE", b"", None),
    ],
)
def test_signed_bytes(method: str, body: bytes, message: bytes | None) -> None:
    assert signed_bytes(method, b"/api/teams/x?a=%2F&b", b"7", body) == message


def test_token_is_prefix_and_public_key() -> None:
    # Of the seed 00 01 … 1f, as other implementations of RFC 8032 give it.
    token = "trc_ak_A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
    assert ADA.token == token
    assert len(token) == 50


# Each entry spoils one thing; the reasons come in the order of the contract's table.
def _no_token(request: Signed) -> Signed:
    return replace(request, tokens=())


def _no_signature(request: Signed) -> Signed:
    return replace(request, signatures=())


def _no_timestamp(request: Signed) -> Signed:
    return replace(request, timestamps=())


def _old(request: Signed) -> Signed:
    return replace(request, timestamps=(b"%d" % (NOW - 60),))


def _other_prefix(request: Signed) -> Signed:
    return replace(request, tokens=tuple(one[1:] for one in request.tokens))


def _other_method(request: Signed) -> Signed:
    return replace(request, method="HEAD")


def _other_key(request: Signed) -> Signed:
    return replace(request, signatures=(EVE.sign(b"other").encode(),))


def _unused_bits(request: Signed) -> Signed:
    return replace(request, tokens=tuple(one[:-1] + _next(one[-1:]) for one in request.tokens))


def _next(last: bytes) -> bytes:
    return ALPHABET[ALPHABET.index(last.decode()) + 1].encode()


STEPS: list[tuple[Callable[[Signed], Signed], str]] = [
    (_no_token, "missing or invalid token"),
    (_no_signature, "missing or invalid signature header"),
    (_no_timestamp, "missing timestamp header"),
    (_old, "timestamp out of range"),
    (_other_prefix, "invalid token format"),
    (_other_method, "unable to construct sign message"),
    (_other_key, "signature verification failed"),
    (_unused_bits, "token does not match signing key"),
]


@pytest.mark.parametrize(("spoil", "expected"), STEPS, ids=[text for _, text in STEPS])
def test_every_reason(spoil: Callable[[Signed], Signed], expected: str) -> None:
    assert reason(spoil(signed())) == expected


@pytest.mark.parametrize(("first", "second"), list(combinations(range(len(STEPS)), 2)))
def test_first_of_two_reasons_is_told(first: int, second: int) -> None:
    # What is absent cannot be spoiled again, so the later step is taken first.
    request = STEPS[first][0](STEPS[second][0](signed()))
    assert reason(request) == STEPS[first][1]


def test_all_wrong_at_once_peels_off_in_order() -> None:
    request, expected = signed(), []
    for left in range(len(STEPS)):
        spoiled = request
        for spoil, _ in reversed(STEPS[left:]):
            spoiled = spoil(spoiled)
        expected.append(reason(spoiled))
    assert expected == [text for _, text in STEPS]


PADDED = base64.urlsafe_b64encode(bytes(64))


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        ("tokens", (b"",), signature.NO_TOKEN),
        ("tokens", (ADA.token.encode(),) * 2, signature.NO_TOKEN),
        ("signatures", (b"",), signature.NO_SIGNATURE),
        ("signatures", (b"AAAA", b"AAAA"), signature.NO_SIGNATURE),
        ("signatures", (b"not base64url!",), signature.NO_SIGNATURE),
        ("signatures", (PADDED,), signature.NO_SIGNATURE),
        ("signatures", (PADDED.rstrip(b"=")[:-1] + b"B",), signature.NO_SIGNATURE),
        ("signatures", (b"A",), signature.NO_SIGNATURE),
        ("signatures", (b"\xff\xfe",), signature.NO_SIGNATURE),
        ("signatures", (b"AAAA",), signature.BAD_SIGNATURE),
        ("signatures", (b"A" * 4000,), signature.BAD_SIGNATURE),
        ("timestamps", (b"",), signature.NO_TIMESTAMP),
        ("timestamps", (b"%d" % NOW,) * 2, signature.OUT_OF_RANGE),
        ("timestamps", (b"%d" % (NOW - 31),), signature.OUT_OF_RANGE),
        ("timestamps", (b"%d" % (NOW + 31),), signature.OUT_OF_RANGE),
        ("timestamps", (b"-%d" % NOW,), signature.OUT_OF_RANGE),
        ("timestamps", (b"%d.0" % NOW,), signature.OUT_OF_RANGE),
        ("timestamps", (b"%dx" % NOW,), signature.OUT_OF_RANGE),
        ("timestamps", (b"1_760_000_000",), signature.OUT_OF_RANGE),
        ("timestamps", ("١٧٦٠٠٠٠٠٠٠".encode(),), signature.OUT_OF_RANGE),
        ("timestamps", (b"0x68e778",), signature.OUT_OF_RANGE),
        ("timestamps", (b"1e9",), signature.OUT_OF_RANGE),
        ("timestamps", (b"now",), signature.OUT_OF_RANGE),
        ("timestamps", (b"9" * 4000,), signature.OUT_OF_RANGE),
        ("tokens", (ADA.token[7:].encode(),), signature.BAD_FORMAT),
        ("tokens", (ADA.token.upper().encode(),), signature.BAD_FORMAT),
        ("tokens", (ADA.token.encode() + b"=",), signature.BAD_FORMAT),
        ("tokens", (ADA.token.encode() + b"AA",), signature.BAD_FORMAT),
        ("tokens", (ADA.token[:-1].encode() + b"+",), signature.BAD_FORMAT),
        ("tokens", (ADA.token.encode() + b"\n",), signature.BAD_FORMAT),
        ("tokens", (ADA.token.encode() + b"\xc3\xa9",), signature.BAD_FORMAT),
        ("tokens", (b"trc_ak_",), signature.BAD_SIGNATURE),
        ("tokens", (b"trc_ak_" + b"A" * 42,), signature.BAD_SIGNATURE),
        ("tokens", (ADA.token.encode() + b"A",), signature.BAD_SIGNATURE),
        ("tokens", (EVE.token.encode(),), signature.BAD_SIGNATURE),
    ],
)
def test_spoiled_headers(field: str, values: tuple[bytes, ...], expected: str) -> None:
    request = replace(signed(), **{field: values})  # type: ignore[arg-type]  # each is a tuple
    assert reason(request) == expected


@pytest.mark.parametrize("off", [0, 1, 29, 30])
def test_window_is_thirty_seconds_either_way(off: int) -> None:
    for at in (NOW - off, NOW + off):
        assert verify(signed(at=at), b"", NOW + 0.9) == ADA.token


# Public keys of small order: with libraries that take them, one signature fits every message.
SMALL_ORDER = [
    bytes(32),
    bytes([1]) + bytes(31),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]


@pytest.mark.parametrize("key", SMALL_ORDER)
@pytest.mark.parametrize("scalar", [bytes(32), bytes([1]) + bytes(31)])
def test_key_of_small_order_is_nobody(key: bytes, scalar: bytes) -> None:
    token = signature.PREFIX + encode_base64url(key)
    for point in SMALL_ORDER:
        mac = encode_base64url(point + scalar)
        request = replace(signed(), tokens=(token.encode(),), signatures=(mac.encode(),))
        assert reason(request) == signature.BAD_SIGNATURE


def test_signature_is_not_malleable() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    good = signed()
    raw = base64.urlsafe_b64decode(good.signatures[0] + b"==")
    shifted = int.from_bytes(raw[32:], "little") + order
    mac = encode_base64url(raw[:32] + shifted.to_bytes(32, "little"))
    assert reason(replace(good, signatures=(mac.encode(),))) == signature.BAD_SIGNATURE


BODY = json.dumps({"token": "in body"}).encode()


@pytest.mark.parametrize(
    ("method", "path", "body", "header", "found"),
    [
        ("POST", "/api/teams", BODY, "in header", "in body"),
        ("PATCH", "/api/teams/tasks/1", BODY, "in header", "in body"),
        ("POST", "/api/teams/invite", b"{}", "in header", "in header"),
        ("POST", "/api/teams/invite", b"", "in header", "in header"),
        ("POST", "/api/teams/invite", b'{"token": null}', "in header", "in header"),
        ("POST", "/api/teams/invite", b'{"token": ""}', "in header", "in header"),
        ("POST", "/api/teams/invite", b'["token"]', "in header", "in header"),
        ("POST", "/api/teams", b'{"token": "a", "token": "b"}', "in header", "b"),
        ("GET", "/api/teams/in path", b"", "in header", "in path"),
        ("GET", "/api/teams/in path/head", b"", "in header", "in path"),
        ("GET", "/api/teams/in path/versions", b"", "in header", "in path"),
        ("GET", "/api/teams/in path/versions/3", b"", "in header", "in path"),
        ("GET", "/api/teams/in path/export", b"", "in header", "in path"),
        ("GET", "/api/teams/in path/export/3", b"", "in header", "in header"),
        ("GET", "/api/teams/all/in path", b"", "in header", "in path"),
        ("GET", "/api/teams/tasks/in path", b"", "in header", "in path"),
        ("DELETE", "/api/token/in path/erase", b"", "in header", "in path"),
        ("DELETE", "/api/token/in path/erase", BODY, "in header", "in path"),
        ("GET", "/api/teams/in path", BODY, "in header", "in path"),
        ("GET", "/api/auth/device/0abc", b"", "in header", "in header"),
        ("POST", "/api/teams/in path", b"{}", "in header", "in header"),
        ("GET", "/api/teams/x/y/z", b"", "in header", "in header"),
        ("GET", "/api/teams/all", b"", "in header", "in header"),
        ("GET", "/api/teams/all/in path/head", b"", "in header", "in header"),
        ("GET", "/api/teams/tasks/in path/versions", b"", "in header", "in header"),
        ("GET", "/api/teams/preview", b"", "in header", "in header"),
        ("GET", "/api/teams/previews", b"", "in header", "previews"),
        ("GET", "/api/teams/view-token/head", b"", "in header", "in header"),
        ("GET", "/api/teams/claim", b"", "in header", "in header"),
        ("GET", "/api/teams/clone/x", b"", "in header", "in header"),
        ("GET", "/api/token/in path/erase", b"", "in header", "in header"),
        ("DELETE", "/api/teams/in path", b"", "in header", "in header"),
        ("POST", "/api/account/reassociate", BODY, "in header", "in body"),
        ("POST", "/api/account/reassociate", b"{}", "in header", "in header"),
    ],
)
def test_where_the_token_is_found(
    method: str, path: str, body: bytes, header: str, found: str
) -> None:
    request = Signed(method, path.encode(), path, tokens=(header.encode(),))
    assert find_token(request, body) == found


@pytest.mark.parametrize("token", [1, True, [], {}, ["trc_ak_x"]])
def test_token_that_is_no_text(token: object) -> None:
    body = json.dumps({"token": token}).encode()
    assert reason(signed(body=body), body) == signature.NO_TOKEN


@pytest.mark.parametrize(
    "body", [b"{", b"nope", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'{"a": 1}x', b'{"a": "\xff"}']
)
def test_body_that_is_not_json(body: bytes) -> None:
    with pytest.raises(BadRequest, match="not valid JSON"):
        verify(signed(body=body), body, NOW)
