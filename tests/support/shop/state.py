"""What the shop remembers, in memory: accounts, sessions, carts and orders."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

EMAIL: Final = "ada@example.com"
PASSWORD: Final = "Secret-123!"


@dataclass
class Account:
    email: str
    password: str
    name: str
    bio: str = ""
    theme: str = "light"
    newsletter: bool = False


@dataclass(frozen=True)
class Product:
    slug: str
    name: str
    cents: int
    words: str


@dataclass
class Order:
    number: str
    item: str
    cents: int
    status: str
    email: str = ""


PRODUCTS: Final = (
    Product("teapot", "Blue Teapot", 2450, "Stoneware, holds one litre."),
    Product("cup", "Green Cup", 900, "A cup for espresso."),
    Product("kettle", "Steel Kettle", 5900, "Boils in two minutes."),
    Product("tray", "Oak Tray", 3200, "Carries all of it."),
)


@dataclass
class Session:
    email: str | None = None
    cart: Counter[str] = field(default_factory=Counter)
    flash: str = ""
    csrf: str = field(default_factory=lambda: secrets.token_hex(8))


def _accounts() -> dict[str, Account]:
    return {EMAIL: Account(EMAIL, PASSWORD, "Ada Lovelace", "Counts things.")}


def _orders() -> list[Order]:
    return [
        Order("ORD-1001", "Blue Teapot", 2450, "Shipped"),
        Order("ORD-1002", "Green Cup", 900, "Open"),
        Order("ORD-1003", "Oak Tray", 3200, "Open"),
    ]


@dataclass
class Shop:
    """The shop of one test module.

    Attributes:
        other: address of its second origin; set once it is served.
        generation: of the markup where a request says nothing else: 1 or 2.
        received: what forms and requests brought, newest last: (path, fields).
        headers: of each request: (path, headers).
        faults: that are switched on (``faults.FAULTS``).
        log: what was logged where a fault was met.
    """

    other: str = ""
    generation: int = 1
    accounts: dict[str, Account] = field(default_factory=_accounts)
    sessions: dict[str, Session] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=_orders)
    received: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headers: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    faults: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(2001))

    def session(self, cookie: str | None) -> tuple[str, Session]:
        """Give a visitor's session, a new one where there is none."""
        if cookie is None or cookie not in self.sessions:
            cookie = secrets.token_urlsafe(16)
            self.sessions[cookie] = Session()
        return cookie, self.sessions[cookie]

    def place(self, session: Session) -> Order:
        """Make an order of a cart."""
        items = ", ".join(f"{count} x {named(slug).name}" for slug, count in session.cart.items())
        order = Order(
            f"ORD-{next(self.numbers)}", items, total(session), "Open", session.email or ""
        )
        self.orders.append(order)
        session.cart.clear()
        return order


def named(slug: str) -> Product:
    """Give a product."""
    return next(product for product in PRODUCTS if product.slug == slug)


def total(session: Session) -> int:
    """Give a cart's worth in cents."""
    return sum(named(slug).cents * count for slug, count in session.cart.items())
