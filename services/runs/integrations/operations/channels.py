"""Saying something in a channel: Slack, Teams, or an address of the organization's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.runs.integrations import rules
from services.runs.integrations.models import CHANNELS
from shared.fetch import Fetcher, FetchFailed

SECONDS: Final = 10.0
"""For one message: resolving, connecting, and the answer's status."""


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a message.

    Attributes:
        error: in our own words, for people; empty where it was taken.
        is_final: whether it would be no use to say it again.
        later_s: seconds that the channel asked us to wait; 0 if it did not.
    """

    error: str = ""
    is_final: bool = True
    later_s: float = 0.0


def configured(values: Mapping[str, str]) -> tuple[str, ...]:
    """Give the channels that an organization has."""
    return tuple(name for name, key in CHANNELS.items() if values.get(key))


async def say(
    fetcher: Fetcher, values: Mapping[str, str], channel: str, body: bytes, message_id: str
) -> Said:
    """Post a message once, and judge the answer.

    Args:
        fetcher: reaches only what may be reached.
        values: what holds for the organization; it has the channel.
        channel: one of ``CHANNELS``.
        body: JSON.
        message_id: the same each time that this message is tried.
    """
    headers = rules.headers(channel, values, body, message_id)
    try:
        sent = await fetcher.send(values[CHANNELS[channel]], body, headers, SECONDS)
    except FetchFailed as failed:
        return Said(rules.error_of_failure(failed.reason), is_final=False)
    error = rules.error_of_answer(channel, sent.status, sent.beginning)
    later = rules.seconds_to_wait(sent.retry_after)
    return Said(error, not error or rules.is_final(channel, sent.status), later)
