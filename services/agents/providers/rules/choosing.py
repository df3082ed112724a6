"""Which provider answers for which model, and what an answer costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from services.agents.providers.models import BUILTIN, DEFAULT, Usage
from services.agents.providers.rules.texts import shortened
from shared.prices import Price, micros_of

Service = Literal["openai", "anthropic"]

_UNNAMED: Final = ("", DEFAULT)
_CLAUDE: Final = "claude"


@dataclass(frozen=True, slots=True)
class Offers:
    """What the settings offer.

    Attributes:
        models: by configured service, the model where an agent names none.
        default: the model of agents whose model is ``default``.
    """

    models: dict[Service, str | None]
    default: str = BUILTIN


@dataclass(frozen=True, slots=True)
class Choice:
    """Who answers: a service with one of its models, or else the built-in provider."""

    service: Service | None
    model: str
    note: str | None = None


def choose(model: str, offers: Offers) -> Choice:
    """Choose by an agent's model; what nobody offers is answered by the built-in provider.

    ``openai/…`` and ``anthropic/…`` name their service, ``claude…`` means Anthropic's, any other
    name an OpenAI-compatible one.
    """
    wanted = model.strip()
    if wanted.casefold() in _UNNAMED:
        wanted = offers.default.strip()
    head, _, rest = wanted.partition("/")
    head, rest = head.casefold(), rest.strip()
    if head in (BUILTIN, *_UNNAMED):
        return Choice(None, BUILTIN)
    if head == "openai":
        return _from("openai", rest, offers, wanted)
    if head == "anthropic":
        return _from("anthropic", rest, offers, wanted)
    return _from("anthropic" if head.startswith(_CLAUDE) else "openai", wanted, offers, wanted)


def _from(service: Service, model: str, offers: Offers, wanted: str) -> Choice:
    named = model or (offers.models.get(service) or "")
    if service in offers.models and named:
        return Choice(service, named)
    shown = shortened(wanted, 100)
    return Choice(
        None,
        BUILTIN,
        f"No model service is configured for {shown}; the built-in provider answered instead.",
    )


def cost_of(model: str, read: int, written: int, prices: Sequence[Price]) -> Usage:
    """Give the usage of one answer, with its price in millionths of a dollar."""
    return Usage(read, written, micros_of(model, read, written, prices))
