"""The two wires: Anthropic's messages, and OpenAI's chat completions as many services speak them.

A document is never trusted: what is not as the wire promises is ``ModelFailed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from services.runs.engine.model.models import ModelFailed
from shared.model_service import GARBAGE

VERSION: Final = "2023-06-01"
MOST_TOKENS: Final = 1_000_000_000
"""More than any answer takes; larger counts are not believed."""


@dataclass(frozen=True, slots=True, repr=False)
class Prompt:
    """What a model is asked, at temperature 0.

    Attributes:
        model: its name at the service.
        system: our rules.
        text: the question.
        most_tokens: of the answer, where the wire must say.
    """

    model: str
    system: str
    text: str
    most_tokens: int


class Wire(Protocol):
    """How a kind of model service is spoken to."""

    @property
    def path(self) -> str:
        """What follows the service's address."""

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """Give the body of a request."""

    def tokens(self, document: Mapping[str, Any]) -> tuple[int, int]:
        """Give the tokens that an answer says were read and written; what it does not say is 0."""

    def text(self, document: Mapping[str, Any]) -> str:
        """Give what was said.

        Raises:
            ModelFailed: the answer is none, or was cut.
        """


class Anthropic:
    """The wire of ``POST /v1/messages``."""

    path = "/v1/messages"

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """See ``Wire``."""
        return {
            "model": prompt.model,
            "max_tokens": prompt.most_tokens,
            "temperature": 0,
            "system": prompt.system,
            "messages": [{"role": "user", "content": prompt.text}],
        }

    def tokens(self, document: Mapping[str, Any]) -> tuple[int, int]:
        """See ``Wire``. What is read from or written to the service's cache is read too."""
        cache = ("cache_creation_input_tokens", "cache_read_input_tokens")
        return (
            _count(document.get("usage"), "input_tokens", *cache),
            _count(document.get("usage"), "output_tokens"),
        )

    def text(self, document: Mapping[str, Any]) -> str:
        """See ``Wire``."""
        blocks = document.get("content")
        if not isinstance(blocks, list) or document.get("stop_reason") == "max_tokens":
            raise ModelFailed(GARBAGE)
        texts = [_object(each) for each in blocks]
        return "".join(_text(each.get("text")) for each in texts if each.get("type") == "text")


class OpenAI:
    """The wire of ``POST /chat/completions``."""

    path = "/chat/completions"

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """See ``Wire``. The tokens of the answer are the service's own affair."""
        return {
            "model": prompt.model,
            "temperature": 0,
            "stream": False,
            "response_format": {"type": "json_object"},
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.text},
            ],
        }

    def tokens(self, document: Mapping[str, Any]) -> tuple[int, int]:
        """See ``Wire``."""
        usage = document.get("usage")
        return _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")

    def text(self, document: Mapping[str, Any]) -> str:
        """See ``Wire``."""
        choices = document.get("choices")
        if not isinstance(choices, list) or not choices:
            raise ModelFailed(GARBAGE)
        choice = _object(choices[0])
        if choice.get("finish_reason") == "length":
            raise ModelFailed(GARBAGE)
        return _text(_object(choice.get("message")).get("content"))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelFailed(GARBAGE)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ModelFailed(GARBAGE)
    return value


def _count(usage: Any, *names: str) -> int:
    if not isinstance(usage, dict):
        return 0
    values = (usage.get(name) for name in names)
    return sum(
        value
        for value in values
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    )
