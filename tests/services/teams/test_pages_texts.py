"""What people wrote, made fit for pages: pure functions."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.teams.pages.rules.markdown import drawn
from services.teams.pages.rules.rendering import rendered
from services.teams.pages.rules.texts import key_of, seen, unchanged, written

TEXTS = st.text(st.characters(codec=None), max_size=200)
MARKDOWN = st.lists(
    st.sampled_from(
        [
            *"[]()<>!*_`#|~-+\\\"'&;:/\n\t ax1",
            "http://a",
            "javascript:",
            "\n\n",
            "    ",
            "> ",
            "\u202e",
        ]
    ),
    max_size=80,
).map("".join)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("line\r\nline", "line\nline"),
        ("a\u202eb\u2066c", "a⟨U+202E⟩b⟨U+2066⟩c"),
        ("a\u200bb\ufeffc", "a⟨U+200B⟩b⟨U+FEFF⟩c"),
        ("\U000e0041\U000e007f", "⟨U+E0041⟩⟨U+E007F⟩"),
        ("\x1b[31m\x07\x7f\x85", "⟨U+001B⟩[31m⟨U+0007⟩⟨U+007F⟩⟨U+0085⟩"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("\u200dx", "⟨U+200D⟩x"),
        ("👩\u200d👧 ❤\ufe0f", "👩\u200d👧 ❤\ufe0f"),
        ("نمی\u200cکنم", "نمی\u200cکنم"),
        ("äöü 你好 é", "äöü 你好 é"),
        ("\u3164\u115f", "⟨U+3164⟩⟨U+115F⟩"),
    ],
)
def test_what_hides_is_shown_by_its_number(text: str, shown: str) -> None:
    assert seen(text) == shown


@given(TEXTS)
def test_nothing_that_turns_or_hides_is_left(text: str) -> None:
    left = seen(text)
    for letter in left:
        kind = unicodedata.category(letter)
        joins = letter in "\u200c\u200d\ufe0e\ufe0f"
        assert letter in "\n\t" or joins or kind not in ("Cc", "Cs", "Co", "Zl", "Zp")
        assert unicodedata.bidirectional(letter) not in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"
        )  # fmt: skip
    assert seen(left) == left


@pytest.mark.parametrize("name", ["reviewer", "a b", "A-1_x", "0"])
def test_plain_names_stand_for_themselves_in_addresses(name: str) -> None:
    assert key_of(name) == name


@given(TEXTS)
def test_a_name_in_an_address_needs_no_care(name: str) -> None:
    assert re.fullmatch(r"~[0-9a-f]{16}|[A-Za-z0-9][A-Za-z0-9 _-]*", key_of(name))


@given(TEXTS)
def test_a_text_is_the_same_after_a_browser_had_it(text: str) -> None:
    typed = re.sub(r"\r\n|\r|\n", "\r\n", text)
    assert unchanged(text, typed)
    assert "\r" not in written(typed)


def check_safe(page: str) -> None:
    for tag in re.findall(r"<[^>]*>", page):
        assert re.fullmatch(
            r"</?(?:p|h[1-6]|ul|ol|li|pre|code|em|strong|blockquote|table|thead|tbody|tr|th|td)>"
            r'|<hr />|<br />|</a>|<ol start="\d+">'
            r'|<a href="(?:https?://|mailto:)[^"<>]*" rel="noopener noreferrer nofollow">',
            tag,
        ), tag


@given(MARKDOWN)
def test_markdown_gives_known_tags_alone(text: str) -> None:
    check_safe(str(drawn(text)))


@given(TEXTS)
def test_any_text_can_be_drawn(text: str) -> None:
    page = str(drawn(text))
    check_safe(page)
    assert rendered("message", title=page, text=text, link="", label="")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "![" * 50_000,
        "> " * 50_000,
        "*a _a " * 16_000,
        "- " * 50_000,
        "|" + "a|" * 5_000 + "\n|" + "-|" * 5_000 + "\n" + "a\n" * 40_000,
        "\n".join(" " * depth + "- a" for depth in range(440)),
        "# a\n" * 25_000,
        "[a](<b" * 16_000,
        "```\n" * 25_000,
        "\u202e" * 33_000,
    ],
    ids=lambda text: text[:6],
)
def test_what_would_take_long_stands_as_it_was_written(text: str) -> None:
    page = str(drawn(text))
    check_safe(page)
    assert len(page) < 20 * len(text) + 1000


def test_a_text_without_headings_that_is_long_stands_as_it_was_written() -> None:
    text = "**not** drawn\n" * 2_000
    assert str(drawn(text)) == f"<pre>{text}</pre>\n"
    assert "<strong>yes</strong>" in str(drawn("# a\n\n**yes**\n\n# b\n\n" + text))
    fenced = "```\n# no heading\n```\n\n# heading"
    assert str(drawn(fenced)) == "<pre># no heading\n</pre>\n<h1>heading</h1>\n"
