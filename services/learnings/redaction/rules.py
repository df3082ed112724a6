"""What is taken out of texts, and what must survive (learnings contract, section 6.7).

Each rule has needles, looked for first because that costs next to nothing, and a pattern without
backtracking over unbounded runs: quantifiers are possessive, bounded, or stand behind a look-behind
that excludes their own characters, so that hostile text costs linear time too.

A file path and a URL's path look alike. Taken for a file path is what begins with ``/`` at the
beginning of a word and has two segments or more, unless an HTTP method stands before it or its
first segment is one that web interfaces use (``/v1/…``, ``/api/…``). ``~/…``, relative paths,
templates (``/users/{id}``) and addresses with a scheme stay; ``file:`` ones do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

EMAIL: Final = "<email>"
PHONE: Final = "<phone>"
SECRET: Final = "<secret>"  # noqa: S105 - a placeholder
PATH: Final = "<path>"

PASSES: Final = 8
"""What one pass takes out may uncover more beside it; this many times at most."""

Replacement = str | Callable[[re.Match[str]], str]


@dataclass(frozen=True, slots=True)
class _Rule:
    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: Replacement
    any_case: bool = False


# Somewhere in it a capital or a digit, as chance puts there and a name such as `sk-learn-…` lacks.
_MIXED: Final = r"(?=[a-z_-]{0,64}+[A-Z0-9])"

_KEY_BLOCK: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]|-(?!----))*+(?:-----END [A-Z0-9 ]{0,60}-----)?"
)
_URL_LOGIN: Final = re.compile(r"(?<=://)[^\s/:@]{0,128}:[^\s/]{1,256}@")
_TOKENS: Final = re.compile(
    r"(?:gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|gl(?:pat|dt|ptt|rt|cbt|soat|ft|imt|agent)-[A-Za-z0-9_.-]{16,}"
    r"|xox[abeoprs](?:\.xox[abp])?-[A-Za-z0-9-]{10,}"
    r"|xapp-[0-9]-[A-Za-z0-9-]{10,}"
    r"|(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}"
    r"|AIza[0-9A-Za-z_-]{35}"
    r"|ya29\.[0-9A-Za-z_-]{20,}"
    r"|GOCSPX-[0-9A-Za-z_-]{20,}"
    r"|sk-(?:ant|proj|svcacct|or)-" + _MIXED + r"[A-Za-z0-9_-]{16,}"
    r"|[rsp]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|trw_(?:live|dk)_" + _MIXED + r"[A-Za-z0-9_-]{16,}"
    r"|npm_[A-Za-z0-9]{36}"
    r"|pypi-AgE[A-Za-z0-9_-]{40,}"
    r"|dop_v1_[0-9a-f]{64}"
    r"|SG\.[A-Za-z0-9_-]{16,64}+\.[A-Za-z0-9_-]{16,}"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[0-9A-Z]{16}"
    r"(?![0-9A-Za-z])"
    r"|(?<![A-Za-z0-9])sk-" + _MIXED + r"[A-Za-z0-9_-]{20,}"
    r"|(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}"
    r"|(?<![A-Za-z0-9_])tw_" + _MIXED + r"[A-Za-z0-9_-]{24,}"
    r"|(?<![A-Za-z0-9_])trc_(?:[a-z]{1,6}_)?" + _MIXED + r"[A-Za-z0-9_-]{20,}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){0,3})"
)
_TOKEN_NEEDLES: Final = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "gl", "xox", "xapp-", "hooks.slack"),
    *("AIza", "ya29.", "GOCSPX-", "sk-", "k_live_", "k_test_", "trw_", "npm_", "pypi-", "dop_v1_"),
    *("SG.", "AKIA", "ASIA", "AGPA", "AIDA", "AROA", "AIPA", "ANPA", "ANVA", "ABIA", "ACCA"),
    *("hf_", "tw_", "trc_", "eyJ"),
)
_AUTHORIZATION: Final = re.compile(
    r"((?i:authorization|x-api-key)[\"']?\s{0,4}[:=]\s{0,4}[\"']?"
    r"(?:(?i:bearer|basic|token|digest|negotiate)\s{1,4})?+)(?![\"'<])[^\s\"'<>,;]{6,}"
)
_BEARER: Final = re.compile(
    r"((?i:\bbearer)\s{1,4})(?=[A-Za-z._~+/=-]{0,128}+[0-9])[A-Za-z0-9._~+/=-]{8,}"
)
_SENSITIVE: Final = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret(?:[_-]?(?:access[_-]?)?key)?"
    r"|(?:api|access|private|account|signing|encryption)[_-]?key"
    r"|(?:auth|access|refresh|bearer|session|id|api)?[_-]?token|credentials?)"
)
_ASSIGNED: Final = re.compile(
    rf"(?i:({_SENSITIVE}(?:[\"']?\s{{0,3}}(?:=>?|:=)\s{{0,3}})))"
    r"(?:([\"'])(?!<secret>)[^\"'\r\n]{3,512}+|"
    r"(?!(?:[Nn]one|[Nn]ull|[Tt]rue|[Ff]alse|nil|undefined)\b)"
    r"(?![A-Za-z_.]{1,64}+\()[^\s\"'<>&,;(){}\[\]$=][^\s\"'<>&,;(){}\[\]]{2,})"
)
_STATED: Final = re.compile(
    rf"((?i:{_SENSITIVE})[\"']?\s{{0,3}}:\s{{0,3}})"
    r"(?:([\"'])(?!<secret>)[^\"'\r\n]{3,512}+"
    r"|(?=[^\s\"'<>&,;(){}\[\]0-9]{0,64}+[0-9])[^\s\"'<>&,;(){}\[\]]{6,})"
)
_OPTION: Final = re.compile(
    rf"(--(?:[a-z]{{1,16}}-)?(?i:{_SENSITIVE})\s{{1,3}})([\"']?)(?!-)[^\s\"'<>]{{3,}}"
)

_SEGMENT: Final = r"[^\s/\\:*?\"'<>|,;()\[\]{}`\x00]"
_ROUTES: Final = (
    r"v[0-9]{1,3}(?:(?:alpha|beta)[0-9]{1,3})?|apis?|auth|oauth2?|users|admin|health|ready|docs"
    r"|static|assets|internal|graphql|log(?:in|out)|socket|ws|\.well-known|swagger-ui|repos|orgs"
)
_METHODS: Final = "".join(
    rf"(?<!\b{method} )" for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
)
_UNIX_PATH: Final = re.compile(
    rf"(?:(?<![A-Za-z0-9])file:(?://[A-Za-z0-9.-]{{0,64}}+)?"
    rf"|(?<![\w./\\~)\]}}$*%@&?#+<-]){_METHODS}(?!/(?:{_ROUTES})/))"
    rf"(?!//)(?:/++{_SEGMENT}++){{2,}}+/*+"
)
_DRIVE_PATH: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]:[\\/]++"
    r"(?:(?:[^\\/:*?\"<>|\s\x00]|\x20(?![\\/\s])){1,128}+[\\/]++)*+"
    r"([^\s\\/:*?\"'<>|,;()`\x00]++)?"
)
_NETWORK_PATH: Final = re.compile(
    rf"(?<!\\)(?:\\\\(?!\\)[A-Za-z0-9][\w.-]{{1,62}}+(?:\\(?!\\){_SEGMENT}++)++"
    rf"|\\\\\\\\(?!\\)[A-Za-z0-9][\w.-]{{1,62}}+(?:\\\\(?!\\){_SEGMENT}++)++)"
)

_EMAIL: Final = re.compile(
    r"(?<![\w.%+-])[\w.%+-]++@(?!v?[0-9]{1,5}\.[0-9])(?:[\w-]{1,63}+\.)+[^\W\d_]{2,24}+(?!\()"
)

_PHONE: Final = re.compile(
    r"(?<![\w.:/+-])(?:"
    r"\+(?![0-9]++\.[0-9]++(?![.0-9-]))[0-9](?:[ ().-]{0,2}[0-9]){8,14}"
    r"|(?:\+?1[ .-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}"
    r"|0[0-9]{1,4}[ /-][0-9]{3,4}[ -]?[0-9]{3,6}"
    r")(?![\w/]|[.:-][0-9])"
)


def last_segment(path: str) -> str:
    """Give the last part of a path, whatever its separators; empty of an empty one."""
    return re.split(r"[\\/]", path.rstrip("\\/ "))[-1]


def _last(match: re.Match[str]) -> str:
    return PATH + last_segment(match[0])


def _kept_name(match: re.Match[str]) -> str:
    quote = match[2] or ""
    return f"{match[1]}{quote}{SECRET}"


_NAMES: Final = ("pass", "pwd", "secret", "key", "token", "credential")
_RULES: Final = (
    _Rule(("PRIVATE KEY",), _KEY_BLOCK, SECRET),
    _Rule(("://",), _URL_LOGIN, SECRET + "@"),
    _Rule(_TOKEN_NEEDLES, _TOKENS, SECRET),
    _Rule(("authorization", "x-api-key"), _AUTHORIZATION, rf"\1{SECRET}", any_case=True),
    _Rule(("bearer",), _BEARER, rf"\1{SECRET}", any_case=True),
    _Rule(_NAMES, _ASSIGNED, _kept_name, any_case=True),
    _Rule(_NAMES, _STATED, _kept_name, any_case=True),
    _Rule(("--",), _OPTION, _kept_name),
    _Rule((":\\", ":/"), _DRIVE_PATH, _last),
    _Rule(("\\\\",), _NETWORK_PATH, _last),
    _Rule(("/",), _UNIX_PATH, _last),
    _Rule(("@",), _EMAIL, EMAIL),
)
_SECRET_RULES: Final = _RULES[:8]


def _pass(text: str, rules: tuple[_Rule, ...]) -> str:
    lowered = text.lower()
    for rule in rules:
        haystack = lowered if rule.any_case else text
        for needle in rule.needles:
            if needle in haystack:
                text = rule.pattern.sub(rule.replacement, text)
                break
    return text


def redacted(text: str) -> str:
    """Give the text without addresses, numbers, secrets and absolute paths.

    The very same object comes back if there was nothing to take out.
    """
    for _ in range(PASSES):
        cleaner = _PHONE.sub(PHONE, _pass(text, _RULES))
        if cleaner == text:
            return text
        text = cleaner
    return text


def without_secrets(text: str) -> str:
    """Give the text without known secret forms, and else as it was written."""
    for _ in range(PASSES):
        cleaner = _pass(text, _SECRET_RULES)
        if cleaner == text:
            return text
        text = cleaner
    return text


_NAME: Final = re.compile(rf"(?i:(?:^|[._-]){_SENSITIVE}$|^{_SENSITIVE}$)")


def names_a_secret(name: str) -> bool:
    """Tell whether what stands under this name in a record is a secret."""
    return len(name) <= 128 and _NAME.search(name) is not None


_KEPT: Final = frozenset(
    {
        "origin_project",
        "installation_id",
        "pii_types",
        "system_canary",
        "source",
        "sync_hash",
    }
)


def is_kept(name: str) -> bool:
    """Tell whether what stands under this name is what its writer signs or is known by."""
    return name in _KEPT or name.startswith("provenance_")
