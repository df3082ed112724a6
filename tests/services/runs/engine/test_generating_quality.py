"""A generated suite on the shop: it passes while the shop is well, and fails when it is not.

The full figures are those of ``python -m tests.services.runs.engine.generating_support``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.runs.engine.checks import judging
from services.runs.engine.generating.models import Account
from services.runs.engine.generating.site import cases_of_site
from tests.services.runs.engine.generating_support import measure, site_of
from tests.support.shop import EMAIL, Served, serving

CAUGHT = {
    "page fails": "about-opens",
    "title wrong": "cart-opens",
    "heading missing": "products-opens",
    "search fails": "home-search-sent",
    "most number forgotten": "contact-contact-with-too-large-a-number-in-cups",
    "wrong log-in": "login-log-in-with-a-wrong-password",
    "api fails": "get-api-ok-answers",
}
"""Faults that do not touch each other, and for each a case that must tell."""

ENOUGH = 0.6
"""Share of faults that must be caught."""


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[Served]:
    async with serving() as shop:
        yield shop


async def test_what_was_generated_passes_on_a_healthy_shop(served: Served, tmp_path: Path) -> None:
    made = cases_of_site(site_of(served.url), account=Account(EMAIL, "/login"))
    # Of what is alike, some are enough here: a link, every other refusal.
    some = [case.id for case in made if "navigation" in case.tags][1:]
    some += [case.id for case in made if "negative" in case.tags][::2]
    chosen = [case.id for case in made if case.id not in some]
    found = await measure(served, tmp_path, cases=chosen)
    passed = sum(verdict == "passed" for verdict in found.values())
    assert passed >= 0.9 * len(found), found
    assert len(found) > 20


async def test_planted_faults_are_caught(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long a false claim is looked at decides nothing here.
    assert judging.judge.__kwdefaults__ is not None
    monkeypatch.setitem(judging.judge.__kwdefaults__, "seconds", 1.0)
    found = await measure(served, tmp_path, CAUGHT, list(CAUGHT.values()))
    caught = {fault for fault, case in CAUGHT.items() if found[case] in ("failed", "broken")}
    assert len(caught) >= ENOUGH * len(CAUGHT), CAUGHT.keys() - caught
