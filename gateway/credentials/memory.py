"""What the gateway remembers of credentials, and how it finds out about new ones.

A credential is remembered by the SHA-256 of its bytes for at most 25 seconds after auth was last
asked, so that a revocation holds within 30 seconds even when no event arrives; the events of auth
evict it within a moment. What arrives while a question is under way is not lost: an answer that an
event has overtaken is used for the requests that wait for it and then forgotten.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from shared.errors import Unavailable
from shared.principal import Principal

LIFE: Final = 25.0
"""Seconds that an answer of auth is believed."""

REFUSAL_LIFE: Final = 2.0
"""Seconds that a refusal of auth is believed."""

MAX_CREDENTIALS: Final = 50_000
MAX_REFUSALS: Final = 10_000
MAX_QUESTIONS: Final = 256
"""Questions to auth under way at once; beyond it callers are asked to come back."""

MAX_QUESTIONS_EACH: Final = 64
"""The same for one address, so that nobody alone keeps auth from the others."""


@dataclass(slots=True, eq=False, repr=False)
class Credential:
    """A credential that holds.

    Attributes:
        authenticator: which one understood it.
        principal: whom it names.
        fresh_until: by the forward-going clock, when auth must be asked again or it is dead.
        tags: ids by which an event may revoke it: session, account, key, service account, machine.
        rate_key: what its requests are counted by.
        assertions: by upstream, a signed assertion and until when it may be used.
        standing: what auth said of the session, for other tokens of the same one.
        asked: what auth was asked for it: session, account, organization.
    """

    authenticator: str
    principal: Principal
    fresh_until: float
    tags: tuple[str, ...] = ()
    rate_key: str = ""
    assertions: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    standing: object = None
    asked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.rate_key = self.rate_key or f"{self.principal.kind}:{self.principal.subject}"


@dataclass(slots=True)
class Refused:
    """A credential that does not hold. ``reason`` is a stable word for the log."""

    reason: str
    fresh_until: float = 0.0
    tags: tuple[str, ...] = ()


Finding = Credential | Refused
Question = Callable[[], Awaitable[Finding]]


class _Flight:
    __slots__ = ("cleared", "evicted", "task")

    def __init__(self) -> None:
        self.evicted: set[str] = set()
        self.cleared = False
        self.task: asyncio.Task[Finding]

    def overtaken(self, finding: Finding) -> bool:
        return self.cleared or not self.evicted.isdisjoint(finding.tags)


class Credentials:
    """The bounded memory of credentials, and the single flights of questions about new ones.

    Attributes:
        hits: look-ups of a credential that holds.
        refusals: of one that auth refused a moment ago.
        misses: of one that auth must be asked about.
    """

    def __init__(self, capacity: int = MAX_CREDENTIALS, refusals: int = MAX_REFUSALS) -> None:
        self._capacity = capacity
        self._refusal_capacity = refusals
        self._known: OrderedDict[bytes, Credential] = OrderedDict()
        self._refused: OrderedDict[bytes, Refused] = OrderedDict()
        self._by_tag: defaultdict[str, set[bytes]] = defaultdict(set)
        self._flights: dict[bytes, _Flight] = {}
        self._asking: Counter[str] = Counter()
        self.hits = self.refusals = self.misses = 0

    def __len__(self) -> int:
        return len(self._known) + len(self._refused)

    def find(self, digest: bytes, now: float) -> Finding | None:
        """Give what is known of a credential, or None when it must be asked about."""
        known = self._known.get(digest)
        if known is not None:
            if now < known.fresh_until:
                self._known.move_to_end(digest)
                self.hits += 1
                return known
            self._forget(digest)
            self.misses += 1
            return None
        if self._refused:
            refused = self._refused.get(digest)
            if refused is not None and now < refused.fresh_until:
                self.refusals += 1
                return refused
        self.misses += 1
        return None

    def asked(self, question: tuple[str, ...], now: float) -> Credential | None:
        """Give a credential that holds because of auth's answer to the same question, if any.

        Args:
            question: its first part is a tag.
            now: seconds of the forward-going clock.
        """
        for digest in self._by_tag.get(question[0], ()):
            known = self._known[digest]
            if known.asked == question and now < known.fresh_until:
                return known
        return None

    async def learn(self, digest: bytes, question: Question, address: str = "") -> Finding:
        """Ask about a credential; callers that come meanwhile share the one question.

        Args:
            digest: of the credential.
            question: to auth.
            address: who shows it, where a stranger may.

        Raises:
            Unavailable: auth gave no answer, or too many questions are under way.
        """
        flight = self._flights.get(digest)
        if flight is None:
            is_busy = address and self._asking[address] >= MAX_QUESTIONS_EACH
            if is_busy or len(self._flights) >= MAX_QUESTIONS:
                raise Unavailable(retry_after=1)
            flight = self._flights[digest] = _Flight()
            self._asking[address] += 1
            flight.task = asyncio.create_task(self._fly(digest, flight, question), name="ask auth")
            flight.task.add_done_callback(partial(self._landed, digest, address))
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.task.cancelled():  # the gateway is closing
                raise Unavailable from None
            raise

    async def _fly(self, digest: bytes, flight: _Flight, question: Question) -> Finding:
        finding = await question()
        if not flight.overtaken(finding):
            self.remember(digest, finding)
        return finding

    def _landed(self, digest: bytes, address: str, task: asyncio.Task[Finding]) -> None:
        del self._flights[digest]
        self._asking[address] -= 1
        if not self._asking[address]:
            del self._asking[address]
        # Its waiters may all have gone; the error is theirs and nobody else's.
        if not task.cancelled():
            task.exception()

    def remember(self, digest: bytes, finding: Finding) -> None:
        """Keep what was found out about a credential, by the SHA-256 of its bytes."""
        if isinstance(finding, Refused):
            self._refused[digest] = finding
            self._refused.move_to_end(digest)
            if len(self._refused) > self._refusal_capacity:
                self._refused.popitem(last=False)
            return
        self._refused.pop(digest, None)
        self._forget(digest)
        self._known[digest] = finding
        for tag in finding.tags:
            self._by_tag[tag].add(digest)
        if len(self._known) > self._capacity:
            self._forget(next(iter(self._known)))

    def _forget(self, digest: bytes) -> None:
        known = self._known.pop(digest, None)
        if known is None:
            return
        for tag in known.tags:
            digests = self._by_tag[tag]
            digests.discard(digest)
            if not digests:
                del self._by_tag[tag]

    def evict(self, tag: str) -> None:
        """Forget every credential of a session, account or key."""
        for flight in self._flights.values():
            flight.evicted.add(tag)
        for digest in tuple(self._by_tag.get(tag, ())):
            self._forget(digest)
        # Few and short-lived: what changed may also be that a refused one holds now.
        for digest in [one for one, refused in self._refused.items() if tag in refused.tags]:
            del self._refused[digest]

    def clear(self) -> None:
        """Forget everything: events may have been missed, or the signing keys changed."""
        for flight in self._flights.values():
            flight.cleared = True
        self._known.clear()
        self._refused.clear()
        self._by_tag.clear()

    async def close(self) -> None:
        """Give up the questions under way."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
