"""By what a failure is known again (contract 11): its structure, never anybody's wording of it.

A signature is made of the expectation's or step's id, the kind of the check, and the request that
failed. What was observed, what a model thought of it and values of this run are no part of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from services.runs.engine.healing.recalling import path_template
from services.runs.issues.models import SeenAssertion, SeenRequest, SeenStep

HEAD: Final = "tw"
STEP: Final = "step"

_LENGTH: Final = 12
"""Hex digits of a signature."""

_MAIL: Final = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+")
_VARYING: Final = re.compile(r"\S*\d\S*|•+")


def fingerprint(suite_id: str, case_id: str, signature: str) -> str:
    """Write the fingerprint of a case's failure."""
    return f"{HEAD}:{suite_id}:{case_id}:{signature}"


def signature_of(culprit: SeenStep | SeenAssertion, request: SeenRequest | None) -> str:
    """Give twelve hex digits for what failed, and the request that failed with it."""
    parts = [culprit.id, kind_of(culprit)]
    if request is not None:
        parts += [request.method.upper(), path_template(_path(request.url)), status_class(request)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_LENGTH]


def kind_of(culprit: SeenStep | SeenAssertion) -> str:
    """Name what kind of thing failed: a step, a check's kind, or a claim without its values."""
    if isinstance(culprit, SeenStep):
        return STEP
    kind = (culprit.check or {}).get("kind")
    return kind if isinstance(kind, str) and kind else normalised(culprit.claim or "")


def normalised(claim: str) -> str:
    """Write a claim so that capitals, blanks, and the values of a run make no difference."""
    words = _VARYING.sub("{n}", _MAIL.sub("{email}", claim.casefold()))
    return " ".join(words.split()).rstrip(".!")


def worst_request(requests: Sequence[SeenRequest], base_url: str) -> SeenRequest | None:
    """Choose the failed request that says most: of the application, 5xx before 4xx before none.

    Of equals the first by name, whatever came first in time, so that a run chooses as the last did.
    """
    own = [one for one in requests if _is_same_origin(one.url, base_url)]
    return min(own, key=_order, default=None)


def _order(request: SeenRequest) -> tuple[int, str, str]:
    rank = {"5xx": 0, "4xx": 1}.get(status_class(request), 2)
    return rank, path_template(_path(request.url)), request.method.upper()


def status_class(request: SeenRequest) -> str:
    """Give ``5xx`` and the like; ``none`` where nothing answered."""
    return "none" if request.status is None else f"{request.status // 100}xx"


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _is_same_origin(url: str, base_url: str) -> bool:
    try:
        one, other = urlsplit(url), urlsplit(base_url)
        return (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
    except ValueError:
        return False
