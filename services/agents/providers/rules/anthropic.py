"""Anthropic's messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.agents.providers.rules.calls import BadCall, read_arguments
from services.agents.providers.rules.schemas import compact
from services.agents.providers.rules.wires import (
    MOST_CALLS_AT_ONCE,
    Call,
    Conversation,
    Garbage,
    Part,
    Result,
    Results,
    Said,
    Spoken,
    count,
    id_in,
    list_in,
    object_in,
    text_in,
)

ADDRESS: Final = "https://api.anthropic.com"
VERSION: Final = "2023-06-01"


class Anthropic:
    """The wire of ``POST /v1/messages``."""

    path = "/v1/messages"

    def headers(self, key: str | None) -> Mapping[str, str]:
        """See ``Wire``."""
        return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}

    def body(self, conversation: Conversation) -> dict[str, Any]:
        """See ``Wire``."""
        body: dict[str, Any] = {
            "model": conversation.model,
            "max_tokens": conversation.most_tokens,
            "system": conversation.system,
            "messages": [_message(part) for part in conversation.parts],
        }
        if conversation.tools:
            body["tools"] = [
                {
                    "name": tool.name,
                    "description": tool.description,
                    "input_schema": tool.parameters,
                }
                for tool in conversation.tools
            ]
            body["tool_choice"] = {"type": "auto" if conversation.may_call else "none"}
        return body

    def tokens(self, document: Mapping[str, Any]) -> tuple[int, int]:
        """See ``Wire``. What is read from or written to the service's cache is read too."""
        usage = document.get("usage")
        read = count(
            usage, "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"
        )
        return read, count(usage, "output_tokens")

    def said(self, document: Mapping[str, Any]) -> Said:
        """See ``Wire``."""
        blocks = [object_in(block) for block in list_in(document.get("content"))]
        text = "".join(text_in(b.get("text")) for b in blocks if b.get("type") == "text")
        calls = tuple(_calls([block for block in blocks if block.get("type") == "tool_use"]))
        return Said(text, calls, document.get("stop_reason") == "max_tokens")


def _message(part: Part) -> dict[str, Any]:
    match part:
        case Spoken(role, text):
            return {"role": role, "content": text}
        case Said():
            said = [{"type": "text", "text": part.text}] if part.text.strip() else []
            return {"role": "assistant", "content": [*said, *map(_used, part.calls)]}
        case Results(results):
            return {"role": "user", "content": [_result(each) for each in results]}


def _used(call: Call) -> dict[str, Any]:
    try:
        given = read_arguments(call.arguments)
    except BadCall:
        given = {}
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}


def _result(result: Result) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": result.call.id,
        "content": result.text,
        "is_error": result.is_error,
    }


def _calls(blocks: list[dict[str, Any]]) -> Iterator[Call]:
    for number, block in enumerate(blocks[:MOST_CALLS_AT_ONCE], 1):
        try:
            given = compact(object_in(block.get("input", {})))
        except ValueError:
            raise Garbage from None
        yield Call(id_in(block.get("id"), number), text_in(block.get("name")), given)
