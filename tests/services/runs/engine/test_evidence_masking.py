"""No secret leaves in whatever dress, and nothing else goes."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs.engine.evidence.masking import MASK, Masker

SECRET = "Pä&s <w>/ö\"rd'+%41 z?"

DRESSES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda s: quote(s, safe=""),
    "percent in lower case": lambda s: quote(s, safe="").lower(),
    "component": lambda s: quote(s, safe="!~*'()"),
    "path": quote,
    "form": quote_plus,
    "form field": lambda s: urlencode({"password": s}),
    "html": html.escape,
    "html of templates": lambda s: html.escape(s).replace("&#x27;", "&#39;"),
    "html text": lambda s: html.escape(s, quote=False),
    "json": json.dumps,
    "json in utf-8": lambda s: json.dumps(s, ensure_ascii=False),
    "json of php": lambda s: json.dumps(s).replace("/", "\\/"),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64url": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "hex": lambda s: s.encode().hex(),
    "twice percent": lambda s: quote(quote(s, safe=""), safe=""),
    "json in html": lambda s: html.escape(json.dumps(s)),
    "html in json": lambda s: json.dumps(html.escape(s)),
    "every letter": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "every letter of html": lambda s: "".join(f"&#{ord(one)};" for one in s),
    "json of json": lambda s: json.dumps(json.dumps(s)),
    "form in json": lambda s: json.dumps(quote_plus(s)),
    "units of scripts": lambda s: "".join(f"\\u{ord(one):04x}" for one in s),
    "bytes of scripts": lambda s: "".join(f"\\x{ord(one):02x}" for one in s),
    "capitals": str.upper,
    "small letters": str.lower,
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize(
    "secret", [SECRET, "hunter2-hunter2", "dömö", "a b c d", "https://x/y?z=1"]
)
def test_a_secret_is_found_in_every_dress(dress: str, secret: str) -> None:
    worn = DRESSES[dress](secret)
    masked = Masker([secret]).mask(f"before {worn} after")
    assert MASK in masked
    assert worn not in masked
    assert secret not in masked


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:", "longer:"])
@pytest.mark.parametrize("after", ["", "x", "xy", "xyz"])
def test_a_secret_inside_of_base64_is_found(before: str, after: str) -> None:
    secret = "correct-horse-battery"
    header = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    masked = Masker([secret]).mask(f"Basic {header}")
    assert MASK in masked
    rest = masked.removeprefix("Basic ").replace(MASK, "")
    assert len(rest) <= (len(before) + len(after)) * 4 / 3 + 8


@pytest.mark.parametrize("between", [" ", "-", ".", "\n", "\u200b", "\u2060", "|", "+"])
@pytest.mark.parametrize("secret", ["hunter2-hunter2", "Tr0ub4dor", "sécret!x9", SECRET])
def test_a_secret_that_a_page_spreads_out_or_turns_round_is_found(
    between: str, secret: str
) -> None:
    masker = Masker(["another one", secret])
    spread, turned = between.join(secret), secret[::-1]
    for worn in (spread, turned, json.dumps(spread), quote(spread), quote(turned, safe="")):
        for before in ("", "x", "it says: "):
            masked = masker.mask(f"{before}{worn} after")
            assert MASK in masked
            assert worn not in masked


def test_a_secret_with_unseen_letters_anywhere_is_found() -> None:
    assert Masker(["hunter2-hunter2"]).mask("a hun\u200bter2-hun\ufeff\u00adter2") == MASK


def test_words_that_only_look_spread_out_stay() -> None:
    masker = Masker(["hunter2-hunter2", "abcd", "12345"])
    for text in ("a b c d e f", "1.2.3.4.5.6", "0.0.1 - 5 4 3 2 1", "dcba 54321", "retnuh"):
        assert masker.mask(text) == text


def test_what_overlaps_goes_together() -> None:
    assert Masker(["abcdef", "defghi"]).mask("xabcdefghix") == f"x{MASK}x"
    assert Masker(["abab"]).mask("xababababx") == f"x{MASK}x"
    assert Masker(["pass", "password"]).mask("a password") == f"a {MASK}"
    assert Masker(["password", "pass"]).mask("pass password") == f"{MASK} {MASK}"


def test_short_values_are_masked_only_where_asked() -> None:
    masker = Masker(["abc", "", "  ", "1"])
    assert masker.mask("abc 1") == "abc 1"
    assert masker.mask("abc 1", also=["abc"]) == f"{MASK} 1"
    assert masker.mask("abc 1") == "abc 1"
    assert masker.mask("a=%26", also=["&"]) == f"a={MASK}"


def test_what_is_learned_later_is_masked_from_then_on() -> None:
    masker = Masker()
    assert masker.mask("the value") == "the value"
    masker.add("the value")
    assert masker.mask("the value") == MASK
    assert "the value" not in repr(masker)


def test_a_text_is_cut_after_masking() -> None:
    assert Masker(["secret-value"]).mask("0123 secret-value", limit=8) == f"0123 {MASK[:2]}…"
    assert Masker().mask("short", limit=8) == "short"


def test_json_is_masked_but_for_our_own_words() -> None:
    masker = Masker(["passed", "secret-1", "visible_text", "login"])
    report = {
        "run_id": "passed",
        "status": "passed",
        "cases": [
            {
                "id": "login",
                "title": "login with secret-1",
                "verdict": "passed",
                "captures": {"status": "secret-1", "id": "secret-1", "secret-1": "x"},
                "assertions": [{"check": {"kind": "visible_text", "contains": "secret-1"}}],
                "duration_ms": 12,
                "flaky": False,
                "steps": [{"actions": [{"text": "typed %73ecret-1", "target": None}]}],
            }
        ],
    }
    masked = masker.mask_json(report)
    assert "secret-1" not in json.dumps(masked)
    case = masked["cases"][0]
    assert (masked["run_id"], masked["status"], case["id"]) == ("passed", "passed", "login")
    assert (case["verdict"], case["duration_ms"], case["flaky"]) == ("passed", 12, False)
    assert case["captures"] == {"status": MASK, "id": MASK, MASK: "x"}
    assert case["assertions"][0]["check"] == {"kind": "visible_text", "contains": MASK}
    assert case["steps"][0]["actions"][0] == {"text": MASK, "target": None}


def test_a_structural_key_hides_nothing_that_is_no_plain_word() -> None:
    masked = Masker(["secret-1"]).mask_json(
        {"status": {"x": "secret-1"}, "kind": [{"a": "secret-1"}]}
    )
    assert "secret-1" not in json.dumps(masked)


def test_deep_json_ends() -> None:
    deep: object = "secret-1"
    for _ in range(5000):
        deep = [deep]
    assert "secret-1" not in str(Masker(["secret-1"]).mask_json(deep))


@given(st.text(max_size=200), st.lists(st.text(max_size=12), max_size=5))
def test_no_value_is_left_and_no_text_is_too_odd(text: str, values: list[str]) -> None:
    masked = Masker(values).mask(text)
    for value in values:
        if len(value.strip()) >= 4 and value.strip("•"):
            assert value not in masked.replace(MASK, "\0")


@given(st.text(max_size=200))
def test_a_text_without_secrets_stays_as_it_was(text: str) -> None:
    assert Masker(["no such secret in here"]).mask(text) == text


@pytest.mark.parametrize("piece", ["a", "%25", "&amp;", "\\\\", "%+&\\", "ab", "%", "é"])
def test_long_hostile_texts_are_masked_before_anybody_gives_up(piece: str) -> None:
    masker = Masker(["a" * 200 + "b", "a" * 300, "aaaa", "%25%25%25%25", SECRET])
    text = piece * (400_000 // len(piece))
    assert "secret" not in masker.mask(text + SECRET).replace(MASK, "")
    assert SECRET not in masker.mask(text + SECRET)
