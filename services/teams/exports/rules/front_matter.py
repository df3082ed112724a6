"""Heads of Markdown files in YAML, and texts in TOML, that mean the same to every reader."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

Value = str | bool | Sequence[str] | Mapping[str, str]

# Plain where every reader of YAML 1.1 and 1.2 agrees that it is a text: `1e3` is a number to some.
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?: [A-Za-z0-9(][A-Za-z0-9_(),.;/-]*)*")
_WIDE: Final = 1_000_000


class _Dumper(yaml.CSafeDumper):
    """Writes texts plainly or in double quotes, and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def document(head: Mapping[str, Value], body: str) -> bytes:
    """Make a Markdown file with a head between two lines of three dashes.

    Args:
        head: in the order to be written.
        body: Markdown; it may hold anything, also lines of three dashes.
    """
    return framed(head_of(head), body)


def head_of(head: Mapping[str, Value]) -> str:
    """Write keys and values as YAML, each text on one line and each list as a block."""
    return yaml.dump(
        dict(head),
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=_WIDE,
    )


def framed(head: str, body: str) -> bytes:
    """Put a head that is ready before a body, which ends with exactly one line break."""
    return f"---\n{head}---\n\n{ended(body)}".encode()


def ended(text: str) -> str:
    """End a text with exactly one line break."""
    return text.strip("\n") + "\n"


_TOML_ESCAPES: Final = {
    **{code: f"\\u{code:04X}" for code in (*range(0x20), 0x7F) if code not in (0x09, 0x0A)},
    ord("\\"): "\\\\",
}


# What would end a text: three quotes, and those before the three that do.
_CLOSING: Final = re.compile(r'"{3,}|"+\Z')


def toml_text(text: str) -> str:
    """Write a text as a multi-line basic string of TOML 1.0 (https://toml.io/en/v1.0.0#string)."""
    escaped = _CLOSING.sub(lambda quotes: '\\"' * len(quotes[0]), text.translate(_TOML_ESCAPES))
    return f'"""\n{escaped}"""'


def toml_line(text: str) -> str:
    """Write a text as a basic string of TOML on one line."""
    escapes = {**_TOML_ESCAPES, 0x09: "\\t", 0x0A: "\\n", ord('"'): '\\"'}
    return f'"{text.translate(escapes)}"'
