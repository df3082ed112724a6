from __future__ import annotations

import base64
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.two_factor import rules

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("counter", "code"),
    [
        (0, "755224"),
        (1, "287082"),
        (2, "359152"),
        (3, "969429"),
        (4, "338314"),
        (5, "254676"),
        (6, "287922"),
        (7, "162583"),
        (8, "399871"),
        (9, "520489"),
    ],
)
def test_the_vectors_of_rfc_4226(counter: int, code: str) -> None:
    assert rules.hotp(SECRET, counter) == code


@pytest.mark.parametrize(
    ("moment", "step", "code"),
    [
        # RFC 6238, appendix B; of its eight digits the last six.
        (59, 0x1, "94287082"),
        (1111111109, 0x23523EC, "07081804"),
        (1111111111, 0x23523ED, "14050471"),
        (1234567890, 0x273EF07, "89005924"),
        (2000000000, 0x3F940AA, "69279037"),
        (20000000000, 0x27BC86AA, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238(moment: int, step: int, code: str) -> None:
    assert rules.step_at(moment) == step
    assert rules.hotp(SECRET, step) == code[2:]
    assert rules.matching_step(SECRET, code[2:], moment, 0) == step


def test_a_clock_may_be_one_step_off_and_no_more() -> None:
    now = 1_800_000_000
    middle = rules.step_at(now)
    found = [
        rules.matching_step(SECRET, rules.hotp(SECRET, middle + off), now, 0)
        for off in (-2, -1, 0, 1, 2)
    ]
    assert found == [None, middle - 1, middle, middle + 1, None]


def test_a_step_is_good_once_and_takes_older_ones_along() -> None:
    now = 1_800_000_000
    step = rules.step_at(now)
    assert rules.matching_step(SECRET, rules.hotp(SECRET, step), now, step) is None
    assert rules.matching_step(SECRET, rules.hotp(SECRET, step - 1), now, step) is None
    assert rules.matching_step(SECRET, rules.hotp(SECRET, step + 1), now, step) == step + 1


@given(st.binary(min_size=16, max_size=64), st.integers(0, 2**40))
def test_a_code_is_always_six_digits(secret: bytes, counter: int) -> None:
    assert rules.is_time_code(rules.hotp(secret, counter))


@given(st.text(max_size=40))
def test_no_text_breaks_the_comparison(code: str) -> None:
    plain = rules.normal(code)
    if rules.is_time_code(plain):
        rules.matching_step(SECRET, plain, 1_800_000_000, 0)
    assert rules.recovery_text("usr_one", plain).startswith("usr_one:")


@pytest.mark.parametrize("code", ["٠١٢٣٤٥", "12345", "1234567", "12345a", "", "123456\n7"])
def test_only_six_ascii_digits_are_a_time_code(code: str) -> None:
    assert not rules.is_time_code(rules.normal(code))


def test_spaces_and_case_do_not_matter() -> None:
    assert rules.normal(" 123 456 ") == "123456"
    assert rules.normal("ABCDE-FGHJK\n") == "abcde-fghjk"
    texts = {rules.recovery_text("usr_one", code) for code in ("abcde-fghjk", "abcdefghjk")}
    assert len(texts) == 1
    assert rules.recovery_text("usr_two", "abcdefghjk") not in texts


@given(st.binary(min_size=10, max_size=10))
def test_recovery_codes_are_easy_to_read(random: bytes) -> None:
    code = rules.recovery_code(random)
    left, right = code.split("-")
    assert len(left) == len(right) == 5
    assert set(left + right) <= set(rules.CODE_ALPHABET)
    assert not rules.is_time_code(rules.normal(code))


def test_the_alphabet_has_no_look_alikes() -> None:
    assert len(set(rules.CODE_ALPHABET)) == 32
    assert not set("lo01") & set(rules.CODE_ALPHABET)


def test_an_authenticator_can_read_the_address() -> None:
    parts = urlsplit(rules.otpauth_uri(SECRET, "o'hara+tag@mail.example"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/Guildhall:o'hara+tag@mail.example"
    values = {name: value[0] for name, value in parse_qs(parts.query).items()}
    assert base64.b32decode(values.pop("secret")) == SECRET
    assert values == {"issuer": "Guildhall", "algorithm": "SHA1", "digits": "6", "period": "30"}


@given(st.emails())
@settings(deadline=None)
def test_every_address_fits_into_the_picture(email: str) -> None:
    svg = rules.qr_svg(rules.otpauth_uri(SECRET, email))
    picture = ElementTree.fromstring(svg)  # noqa: S314 - our own
    assert picture.tag.endswith("svg")
    assert "viewBox" in picture.attrib
