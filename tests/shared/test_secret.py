from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.secret import decode_base64url, derive, encode_base64url


@given(st.binary(max_size=100))
def test_base64url_round_trips(data: bytes) -> None:
    text = encode_base64url(data)
    assert "=" not in text
    assert decode_base64url(text) == data


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A+", "A/", "A A", "A\n", "AAé"])
def test_anything_but_the_canonical_encoding_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64url|ascii"):
        decode_base64url(text)


@given(st.text(alphabet="ABCDwxyz0189-_", min_size=1, max_size=8))
def test_no_two_texts_decode_to_the_same_bytes(text: str) -> None:
    try:
        data = decode_base64url(text)
    except ValueError:
        return
    assert encode_base64url(data) == text


def test_each_purpose_gets_a_key_of_its_own() -> None:
    root = bytes(32)
    keys = {derive(root, f"assertion:{name}") for name in ("auth", "learnings", "runs")}
    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)
    assert derive(root, "assertion:auth") == derive(root, "assertion:auth")
