"""How votes on a claim become an opinion (contract, section 6.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from services.runs.engine.model.answers import Vote
from services.runs.engine.model.models import ModelFailed, Opinion

VOTES: Final = 3
"""Before a claim is said not to hold."""

UNDECIDED: Final = "The model cannot tell whether the claim holds."


async def decide(vote: Callable[[], Awaitable[Vote]]) -> Opinion:
    """Ask until it is decided: one vote that a claim holds is enough, that it does not takes three.

    Of three votes the majority counts; where there is none, nothing is decided.

    Raises:
        ModelFailed: no vote, or no majority.
    """
    votes = [await vote()]
    if votes[0].verdict == "failed":
        votes += [await vote() for _ in range(VOTES - 1)]
    for verdict in ("passed", "failed"):
        winning = [each for each in votes if each.verdict == verdict]
        if len(winning) * 2 > len(votes):
            confidence = sum(each.confidence for each in winning) / len(votes)
            return Opinion(verdict == "passed", round(confidence, 3), winning[0].why)
    raise ModelFailed(UNDECIDED)
