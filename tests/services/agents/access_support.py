"""Histories of access as auth would make them, and the orders in which a copy may hear of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

THINGS = 4


@dataclass(frozen=True)
class Told:
    """A change of one thing; its content is None when it ended."""

    version: int
    thing: int
    content: str | None


@dataclass(frozen=True)
class State:
    """A snapshot: what there is, by thing, with the number of its last change."""

    version: int
    rows: dict[int, tuple[int, str]]

    @property
    def contents(self) -> dict[int, str]:
        return {thing: content for thing, (_, content) in self.rows.items()}


@dataclass(frozen=True)
class Hear:
    """The copy hears of a change."""

    told: Told


@dataclass(frozen=True)
class Ask:
    """A process begins to take a snapshot: it looks at the copy, then asks auth."""

    number: int
    state: State


@dataclass(frozen=True)
class Take:
    """The answer of an earlier question arrives."""

    number: int


Step = Hear | Ask | Take


@dataclass
class Auth:
    """What auth does."""

    chance: Random
    version: int = 0
    rows: dict[int, tuple[int, str]] = field(default_factory=dict)
    said: list[Told] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)

    def change(self) -> None:
        """Make, change or delete something."""
        thing = self.chance.randrange(THINGS)
        self.version += 1
        if thing in self.rows and self.chance.random() < 0.5:
            del self.rows[thing]
            self.said.append(Told(self.version, thing, None))
        else:
            content = f"{thing} at {self.version}"
            self.rows[thing] = self.version, content
            self.said.append(Told(self.version, thing, content))

    def state(self) -> State:
        return State(self.version, dict(self.rows))

    def ask(self) -> Ask:
        self.asked.append(Ask(len(self.asked), self.state()))
        return self.asked[-1]

    def steps(self, count: int) -> Iterator[Step]:
        """Let auth work while a copy hears of it late, twice, out of order, or not yet."""
        for _ in range(count):
            match self.chance.randrange(6):
                case 0 | 1 | 2:
                    self.change()
                case 3 if self.said:
                    yield Hear(self.chance.choice(self.said))
                case 4:
                    yield self.ask()
                case 5 if self.asked:
                    yield Take(self.chance.choice(self.asked).number)

    def rest(self) -> Iterator[Step]:
        """Let the copy hear of everything, in any order, and old answers arrive in between."""
        left: list[Step] = [Hear(told) for told in self.said]
        left += [Take(asked.number) for asked in self.asked if self.chance.random() < 0.3]
        self.chance.shuffle(left)
        yield from left

    def repair(self) -> Iterator[Step]:
        """Let the copy take one more snapshot, whatever it has missed."""
        asked = self.ask()
        yield asked
        yield Take(asked.number)
