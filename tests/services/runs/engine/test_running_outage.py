"""Runs whose model is away: what rules read goes on without it (contract 6.1 and 18.19)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from services.runs.engine.model import Distant, Limits, Usage
from services.runs.engine.model.asking import TOO_SLOW
from tests.gateway.fake_service import Asked, FakeService, running
from tests.services.runs.engine.model_support import as_json, asking
from tests.services.runs.engine.running_support import case_of, run_suite, verdicts
from tests.support.shop import serving

SUITE = """\
suite: Outage
id: outage
base_url: {url}
retries: 0
cases:
  - id: odd-step
    title: A step that no rule reads
    steps: [{{do: Kindly have a look at whatever tea things there are}}]
  - id: odd-claim
    title: A claim that no rule reads
    steps: [{{do: Open /about}}]
    expect: [{{assert: The page makes a trustworthy impression}}]
  - id: plain
    title: The rules read all of it
    steps: [{{do: Open /about}}, {{do: Open /products}}]
    expect: [{{assert: url is /products}}, {{check: {{kind: url, contains: product}}}}]
"""


async def out_of_order(asked: Asked, reader: Any, writer: Any) -> None:
    """Fail at steps, and hang at claims."""
    if b"Kindly" not in asked.body:
        await asyncio.Event().wait()
    writer.write(as_json({"error": {"message": "overloaded"}}, 500))
    await writer.drain()


async def test_a_model_that_is_away_breaks_only_what_needs_it(tmp_path: Path) -> None:
    server = FakeService()
    server.behave = out_of_order
    prices = {"model_prices": "m-1=3/15"}
    async with (
        serving() as shop,
        running(server),
        asking("openai", server, Limits(seconds=0.5), **prices) as model,
    ):
        ending, recorder = await run_suite(
            SUITE.format(url=shop.url), tmp_path, model=Distant(model.answer)
        )
        assert model.usage == Usage(calls=2)
    assert verdicts(ending) == {"odd-step": "broken", "odd-claim": "broken", "plain": "passed"}
    assert ending.status == "broken"
    step, claim = case_of(ending, "odd-step"), case_of(ending, "odd-claim")
    for case in (step, claim):
        assert case["reason"].startswith("model_failed")
    assert step["steps"][0]["error"]
    assert claim["assertions"][0]["observed"] == TOO_SLOW
    for case_id in ("odd-step", "odd-claim"):
        assert "127.0.0.1" not in str(case_of(ending, case_id)["reason"])
    asked = [each.body for each in server.asked]
    assert [b"Kindly" in body for body in asked] == [True, False]
    assert recorder.kinds().count("case_end") == 3
