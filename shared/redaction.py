"""Taking secrets out of texts: their known forms, and what stands beside a name that says so.

Texts are long and nearly always clean, so each rule looks for its needles first, which costs next
to nothing, and its pattern begins with a character or a word, so that it is tried at few places.
Hostile texts cost linear time too: quantifiers are possessive, bounded, or kept from beginning
again within a run of their own characters.
"""

from __future__ import annotations

import re
from typing import Final

SECRET: Final = "<secret>"  # noqa: S105 - a placeholder

PASSES: Final = 8
"""What one pass takes out may uncover more beside it; this many times at most."""

# Somewhere in it a capital or a digit, as chance puts there and a name such as `sk-learn-…` lacks.
_MIXED: Final = r"(?=[a-z_-]{0,64}+[A-Z0-9])"
_WORD: Final = "[A-Za-z0-9_-]"

# What each begins with, and the rest. What may not stand before it is asked afterwards, because a
# pattern that begins with a word is found ten times as fast.
_TOKENS: Final = tuple(
    (needle, re.compile(re.escape(needle) + rest))
    for needle, rest in (
        ("gl", "(?:pat|dt|ptt|rt|cbt|soat|ft|imt|agent)-[A-Za-z0-9_.-]{16,}"),
        ("xox", r"[abeoprs](?:\.xox[abp])?-[A-Za-z0-9-]{10,}"),
        ("xapp-", "[0-9]-[A-Za-z0-9-]{10,}"),
        ("hooks.slack.com/services/", "[A-Za-z0-9/]{20,}"),
        ("AIza", "[0-9A-Za-z_-]{35}"),
        ("ya29.", "[0-9A-Za-z_-]{20,}"),
        ("GOCSPX-", "[0-9A-Za-z_-]{20,}"),
        ("sk-", f"(?:ant|proj|svcacct|or)-{_MIXED}{_WORD}{{16,}}"),
        ("sk-", f"(?<![A-Za-z0-9]sk-){_MIXED}{_WORD}{{20,}}"),
        ("pypi-AgE", f"{_WORD}{{40,}}"),
        ("SG.", rf"{_WORD}{{16,64}}+\.{_WORD}{{16,}}"),
        (
            "A",
            "(?:[KS]IA|GPA|IDA|ROA|IPA|NPA|NVA|BIA|CCA)(?<![A-Za-z0-9].{4})"
            "[0-9A-Z]{16}(?![0-9A-Za-z])",
        ),
        (
            "eyJ",
            rf"(?<!{_WORD}eyJ){_WORD}{{8,}}+\.{_WORD}{{8,}}+(?:\.{_WORD}*+){{0,3}}",
        ),
    )
)
# The same for those with an underscore early on, looked for only where there is one.
_UNDERSCORED: Final = tuple(
    (needle, re.compile(re.escape(needle) + rest))
    for needle, rest in (
        ("gh", "[pousr]_[A-Za-z0-9]{20,}"),
        ("github_pat_", "[A-Za-z0-9_]{20,}"),
        *((f"{kind}k_", "(?:live|test)_[A-Za-z0-9]{16,}") for kind in "rsp"),
        ("trw_", f"(?:live|dk)_{_MIXED}{_WORD}{{16,}}"),
        ("npm_", "[A-Za-z0-9]{36}"),
        ("dop_v1_", "[0-9a-f]{64}"),
        ("hf_", "(?<![A-Za-z0-9]hf_)[A-Za-z0-9]{30,}"),
        ("tw_", f"(?<![A-Za-z0-9_]tw_){_MIXED}{_WORD}{{24,}}"),
        ("trc_", f"(?<![A-Za-z0-9_]trc_)(?:[a-z]{{1,6}}_)?{_MIXED}{_WORD}{{20,}}"),
    )
)

_KEY_BLOCK: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----"
    r"[^-]*+(?:-(?!----)[^-]*+)*(?:-----END [A-Z0-9 ]{0,60}-----)?"
)
_URL_LOGIN: Final = re.compile(r"://[^\s/:@]{0,128}:[^\s/]{1,256}@")
_AUTHORIZATION: Final = re.compile(
    r"((?i:authorization|x-api-key)[\"']?\s{0,4}[:=]\s{0,4}[\"']?"
    r"(?:(?i:bearer|basic|token|digest|negotiate)\s{1,4})?+)(?![\"'<])[^\s\"'<>,;]{6,}"
)
_BEARER: Final = re.compile(
    r"((?i:\bbearer)\s{1,4})(?=[A-Za-z._~+/=-]{0,128}+[0-9])[A-Za-z0-9._~+/=-]{8,}"
)

_NEEDLES: Final = ("pass", "pwd", "secret", "key", "token", "credential")
# In lower case: how names of secrets end.
_ENDS: Final = re.compile(r"pass(?:word|wd|phrase)|pwd|secret|key|token|credentials?")
_KEYS: Final = ("api", "access", "private", "account", "signing", "encryption", "secret")
_BEFORE_KEY: Final = "|".join(f"(?<={name}{link})" for name in _KEYS for link in ("", "_", "-"))
_SENSITIVE: Final = (
    rf"(?i:pass(?:word|wd|phrase)|pwd|secret|token|credentials?|(?:{_BEFORE_KEY})key)"
)
_NAMED: Final = re.compile(rf"{_SENSITIVE}[\"']?\s{{0,3}}(?:(=>?|:=)|:)\s{{0,3}}")

_QUOTED: Final = r"([\"'])(?!<secret>)[^\"'\r\n]{3,512}+"
_BARE: Final = r"[^\s\"'<>&,;(){}\[\]]"
# After `=` anything but what code has there; after `:`, where prose goes on, only with a digit.
_ASSIGNED: Final = re.compile(
    rf"{_QUOTED}|(?!(?:[Nn]one|[Nn]ull|[Tt]rue|[Ff]alse|nil|undefined)\b)"
    rf"(?![A-Za-z_.]{{1,64}}+\()(?![$=]){_BARE}{{3,}}"
)
_STATED: Final = re.compile(rf"{_QUOTED}|(?=[^\s\"'<>&,;(){{}}\[\]0-9]{{0,64}}+[0-9]){_BARE}{{6,}}")
_OPTION: Final = re.compile(
    r"--((?:[a-z]{1,16}-)?(?i:pass(?:word|wd|phrase)|pwd|secret|token|credentials?"
    r"|(?:api|access|private|secret)[_-]?key)\s{1,3}[\"']?)(?!-)[^\s\"'<>]{3,}"
)

_NAME: Final = re.compile(
    rf"(?:.*[._-])?(?:(?:auth|access|refresh|session)[_-]?)?{_SENSITIVE}"
    r"|.*(?i:(?:api|access|private|secret)[_-]?key)",
    re.DOTALL,
)


def without_secrets(text: str) -> str:
    """Give the text without known secret forms, and else as it was written.

    The very same object comes back if there was nothing to take out.
    """
    for _ in range(PASSES):
        cleaner = removed(text)
        if cleaner == text:
            return text
        text = cleaner
    return text


def removed(text: str) -> str:
    """Take secrets out in one pass, for those who take out more between two."""
    if "PRIVATE KEY" in text:
        text = _KEY_BLOCK.sub(SECRET, text)
    if "://" in text:
        text = _URL_LOGIN.sub(f"://{SECRET}@", text)
    for needle, pattern in (*_TOKENS, *_UNDERSCORED) if "_" in text else _TOKENS:
        if needle in text:
            text = pattern.sub(SECRET, text)
    lowered = text.lower()
    if "authorization" in lowered or "x-api-key" in lowered:
        text = _AUTHORIZATION.sub(rf"\1{SECRET}", text)
    if "bearer" in lowered:
        text = _BEARER.sub(rf"\1{SECRET}", text)
    if "--" in text:
        text = _OPTION.sub(rf"--\1{SECRET}", text)
    if any(needle in lowered for needle in _NEEDLES):
        text = _without_named(text)
    return text


def _without_named(text: str) -> str:
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow; places in one must be those in the other
        lowered = "".join(one.lower() if len(one.lower()) == 1 else one for one in text)
    parts: list[str] = []
    done = 0
    for end in _ENDS.finditer(lowered):
        name = _NAMED.match(text, end.start()) if end.start() >= done else None
        if name is None:
            continue
        value = (_ASSIGNED if name[1] else _STATED).match(text, name.end())
        if value is not None:
            parts += text[done : name.end()], value[1] or "", SECRET
            done = value.end()
    return text if not parts else "".join((*parts, text[done:]))


def names_a_secret(name: str) -> bool:
    """Tell whether what stands under this name in a record is a secret."""
    return len(name) <= 128 and _NAME.fullmatch(name) is not None
