"""What is done between the transactions: a turn is answered, a runner prepared or released."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from services.agents.agents.models import Agent
from services.agents.knowledge import operations as knowledge
from services.agents.knowledge.models import Caller, Found
from services.agents.providers import operations as providers
from services.agents.providers.models import (
    ASSISTANT,
    Answered,
    ProviderFailed,
    Question,
    Speaker,
    Usage,
)
from services.agents.providers.operations import Providers
from services.agents.turns import rules
from services.agents.turns.models import (
    NOTHING_USED,
    Outcome,
    Released,
    Reply,
    RunnerFailed,
    Step,
    Turn,
    Upkeep,
)
from services.agents.turns.operations.runners import PREPARE_SECONDS, RELEASE_SECONDS, Runner
from shared.log import get_logger
from shared.siblings import Siblings

LOOK_UP_SECONDS: Final = 5.0
"""Longer than looking up may take; a provider that overruns its own limit ends with it."""

LONG: Final = 4_000
"""Characters; guardrails look at fewer in less than a millisecond or two."""

NOBODY_ASKS: Final = "Knowledge bases were not looked at: it is not known who asks."
TOO_SLOW: Final = "There was no answer in time."

T = TypeVar("T")
log = get_logger()


@dataclass(frozen=True, slots=True)
class Doer:
    """Does steps, whatever they take.

    Attributes:
        providers: answers turns.
        siblings: holds knowledge.
        runner: prepares what sessions run in.
        seconds: that a provider has for one answer.
    """

    providers: Providers
    siblings: Siblings
    runner: Runner
    seconds: float

    async def do(self, step: Step) -> Outcome:
        """Do a step; whatever is wrong with it is an outcome too."""
        if isinstance(step, Turn):
            return await self._answer(step)
        try:
            return await self._keep_up(step)
        except RunnerFailed as failed:
            return failed
        except TimeoutError:
            return RunnerFailed("The runner was not ready in time.")
        except Exception:
            log.exception("runner failed", session_id=str(step.session_id), kind=step.job.kind)
            return RunnerFailed(rules.UNPREPARED)

    async def _keep_up(self, step: Upkeep) -> Outcome:
        if step.job.kind in ("stop_session", "destroy_session"):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self.runner.release(step.session_id, step.container_id)
            return Released()
        assert step.session is not None  # any other job of a deleted session is moot
        async with asyncio.timeout(PREPARE_SECONDS):
            return await self.runner.prepare(step.session)

    async def _answer(self, turn: Turn) -> Reply:
        posted = turn.input.message.content
        agent, message = rules.choose(turn.talk.agents, posted)
        speaker = _speaker(agent)
        try:
            refusal = await _looked_at(posted, partial(providers.check_input, speaker, posted))
            if refusal is not None:
                return _refused(refusal)
            async with asyncio.timeout(self.seconds + LOOK_UP_SECONDS):
                found = await self._look_up(agent, turn, message)
                answered = await self.providers.complete(_question(turn, speaker, message, found))
        except ProviderFailed as failed:
            return _failed(failed.reason, failed.usage)
        except TimeoutError:
            return _failed(TOO_SLOW)
        except Exception:
            log.exception("provider failed", session_id=str(turn.session.id))
            return _failed(rules.UNFINISHED)
        return await _reply(agent, speaker, answered, found.notes)

    async def _look_up(self, agent: Agent | None, turn: Turn, message: str) -> Found:
        if agent is None or not agent.knowledge_bases:
            return Found()
        caller = turn.input.message.caller
        if caller is None:
            return Found((), (NOBODY_ASKS,))
        asking = Caller(**caller)
        return await knowledge.look_up(self.siblings, asking, agent.knowledge_bases, message)


def _speaker(agent: Agent | None) -> Speaker:
    if agent is None:
        return ASSISTANT
    return Speaker(agent.name, agent.instructions, agent.model, agent.tools, agent.guardrails)


def _question(turn: Turn, speaker: Speaker, message: str, found: Found) -> Question:
    return Question(
        turn_id=f"{turn.session.id}/{turn.job.message_number}",
        agent=speaker,
        starting_prompt=turn.session.starting_prompt,
        history=turn.input.history,
        message=message,
        passages=found.passages,
        memory=turn.talk.memory,
        namespace=turn.session.namespace,
    )


async def _looked_at(text: str, look: Callable[[], T]) -> T:
    """Look at a text, beside the loop if it is long: that takes up to a tenth of a second."""
    return look() if len(text) <= LONG else await asyncio.to_thread(look)


async def _reply(
    agent: Agent | None, speaker: Speaker, answered: Answered, notes: Sequence[str]
) -> Reply:
    """Give the reply of an answer, or why it is withheld: that is no failure of the provider."""
    try:
        look = partial(providers.apply_output, speaker, answered.text)
        text = await _looked_at(answered.text, look)
    except ProviderFailed as withheld:
        return _refused(withheld.reason, answered)
    metadata: dict[str, Any] = {
        "provider": answered.provider,
        "model": answered.model,
        "usage": _written(answered.usage),
    }
    said = [*answered.notes, *notes]
    return Reply(
        role="AGENT",
        text=text,
        agent_id=None if agent is None else agent.id,
        agent_name=speaker.name,
        metadata=metadata | ({"notes": said} if said else {}),
        usage=answered.usage,
        memory=answered.memory,
    )


def _refused(reason: str, answered: Answered | None = None) -> Reply:
    usage = NOTHING_USED if answered is None else answered.usage
    memory = None if answered is None else answered.memory
    return Reply("SYSTEM", reason, metadata={"error": True}, usage=usage, memory=memory)


def _failed(reason: str, usage: Usage = NOTHING_USED) -> Reply:
    return Reply("SYSTEM", reason, metadata={"error": True}, usage=usage, is_failure=True)


def _written(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_micros": usage.cost_micros,
    }
