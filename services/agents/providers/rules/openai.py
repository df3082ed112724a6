"""OpenAI's chat completions, as OpenAI, Ollama, vLLM and many others speak them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.agents.providers.rules.schemas import compact
from services.agents.providers.rules.wires import (
    MOST_CALLS_AT_ONCE,
    Call,
    Conversation,
    Garbage,
    Part,
    Results,
    Said,
    Spoken,
    count,
    id_in,
    list_in,
    object_in,
    text_in,
)

ADDRESS: Final = "https://api.openai.com/v1"


class OpenAI:
    """The wire of ``POST /chat/completions``."""

    path = "/chat/completions"

    def headers(self, key: str | None) -> Mapping[str, str]:
        """See ``Wire``."""
        return {"authorization": f"Bearer {key}"} if key else {}

    def body(self, conversation: Conversation) -> dict[str, Any]:
        """See ``Wire``. The tokens of the answer are the service's own affair."""
        messages: list[dict[str, Any]] = [{"role": "system", "content": conversation.system}]
        for part in conversation.parts:
            messages += _messages(part)
        body: dict[str, Any] = {
            "model": conversation.model,
            "messages": messages,
            "stream": False,
        }
        if conversation.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                    },
                }
                for tool in conversation.tools
            ]
            body["tool_choice"] = "auto" if conversation.may_call else "none"
        return body

    def tokens(self, document: Mapping[str, Any]) -> tuple[int, int]:
        """See ``Wire``."""
        usage = document.get("usage")
        return count(usage, "prompt_tokens"), count(usage, "completion_tokens")

    def said(self, document: Mapping[str, Any]) -> Said:
        """See ``Wire``."""
        choices = list_in(document.get("choices"))
        if not choices:
            raise Garbage
        choice = object_in(choices[0])
        message = object_in(choice.get("message"))
        calls = tuple(_calls(message.get("tool_calls")))
        text = _text(message.get("content")) or _text(message.get("refusal"))
        if not text and not calls and message.get("content") is None:
            raise Garbage
        return Said(text, calls, choice.get("finish_reason") == "length")


def _messages(part: Part) -> Iterator[dict[str, Any]]:
    match part:
        case Spoken(role, text):
            yield {"role": role, "content": text}
        case Said():
            yield {
                "role": "assistant",
                "content": part.text or None,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    }
                    for call in part.calls
                ],
            }
        case Results(results):
            for result in results:
                yield {"role": "tool", "tool_call_id": result.call.id, "content": result.text}


def _text(content: Any) -> str:
    """Read a content: a text, nothing, or (from some services) a list of pieces."""
    if content is None or isinstance(content, str):
        return content or ""
    pieces = (object_in(piece) for piece in list_in(content))
    return "".join(text_in(piece.get("text")) for piece in pieces if piece.get("type") == "text")


def _calls(calls: Any) -> Iterator[Call]:
    for number, call in enumerate(list_in(calls or [])[:MOST_CALLS_AT_ONCE], 1):
        function = object_in(object_in(call).get("function"))
        yield Call(
            id_in(object_in(call).get("id"), number),
            text_in(function.get("name")),
            _arguments(function.get("arguments")),
        )


def _arguments(value: Any) -> str:
    """Read arguments: JSON in a text, or (from some services) the object itself."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return compact(object_in(value))
    except ValueError:
        raise Garbage from None
