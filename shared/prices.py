"""What models cost: the price table that an operator writes, and the price of one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in US dollars per million tokens.

    Attributes:
        model: its name in lower case; with ``*`` at the end, of all whose names begin so.
        read: per million tokens that it reads.
        written: per million tokens that it writes.
    """

    model: str
    read: Decimal
    written: Decimal


def read_prices(text: str) -> tuple[Price, ...]:
    """Read a price table such as ``gpt-4o=2.50/10 claude-*=3/15``; commas may separate too.

    Raises:
        ValueError: naming each word that is none.
    """
    found, bad = [], []
    for word in text.replace(",", " ").split():
        model, _, prices = word.rpartition("=")
        read, slash, written = prices.partition("/")
        try:
            price = Price(model.lower(), Decimal(read), Decimal(written))
        except InvalidOperation:
            price = None
        if price is None or not model or not slash or not _is_sane(price):
            bad.append(word)
        else:
            found.append(price)
    if bad:
        raise ValueError(f"not a price, model=in/out: {', '.join(bad)}")
    return tuple(found)


def _is_sane(price: Price) -> bool:
    return all(each.is_finite() and 0 <= each <= 100_000 for each in (price.read, price.written))


def micros_of(model: str, read: int, written: int, prices: Sequence[Price]) -> int:
    """Give what an answer costs in millionths of a US dollar; the longest name that fits counts.

    Args:
        model: as the service names it.
        read: tokens.
        written: tokens.
        prices: the table; a model that it lacks costs nothing.
    """
    name = model.casefold()
    fitting = [price for price in prices if _fits(price, name)]
    if not fitting:
        return 0
    price = max(fitting, key=lambda each: (not each.model.endswith("*"), len(each.model)))
    # Dollars per million tokens are millionths of a dollar per token.
    cost = (price.read * read + price.written * written).quantize(Decimal(1), ROUND_HALF_UP)
    return int(cost)


def _fits(price: Price, name: str) -> bool:
    if price.model.endswith("*"):
        return name.startswith(price.model[:-1])
    return name == price.model
