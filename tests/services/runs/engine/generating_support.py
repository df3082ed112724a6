"""The shop as a crawl sees it, and how good the suite is that is made of it.

``python -m tests.services.runs.engine.generating_support`` plants every fault and tells the shares.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from services.runs.engine import language
from services.runs.engine.generating.models import (
    Account,
    Case,
    SeenField,
    SeenForm,
    SeenLink,
    SeenPage,
    SiteMap,
)
from services.runs.engine.generating.openapi import cases_of_api
from services.runs.engine.generating.site import cases_of_site
from services.runs.engine.generating.writing import write
from services.runs.engine.grammar.parsing import parse
from tests.services.runs.engine.running_support import run_suite, verdicts
from tests.support.shop import EMAIL, PASSWORD, Served, serving
from tests.support.shop.faults import FAULTS, WHERE


def written(cases: list[Case], address: str = "http://shop.test") -> str:
    """Write cases, and see that our own engine can do all of it without a model."""
    text = write("Made", address, cases)
    parsed = parse(text)
    assert parsed.suite is not None, parsed.problems
    assert not parsed.warnings
    for case in parsed.suite.cases:
        assert case.expect
        assert all(language.parse_step(step.do) for step in case.steps)
        claims = [one.claim for one in case.expect if one.check is None]
        assert all(language.parse_claim(claim or "") for claim in claims)
    return text


def site_of(url: str) -> SiteMap:
    """Give the shop as a crawl sees it that has its account."""
    search = SeenForm(
        method="get",
        action=f"{url}/search",
        kind="search",
        submit="Search",
        fields=(SeenField(label="Search products", name="q", type="search"),),
    )
    log_out = SeenForm(method="post", action=f"{url}/logout", submit="Log out", danger=True)
    nav = tuple(
        SeenLink(name=name, url=url + path)
        for name, path in (
            ("Teahouse", "/"),
            ("Products", "/products"),
            ("Orders", "/orders"),
            ("About us", "/about"),
            ("Cart", "/cart"),
            ("Log in", "/login"),
            ("Sign up", "/signup"),
            ("Imprint", "/about"),
        )
    )

    def page(path: str, title: str, heading: str, *forms: SeenForm, **more: object) -> SeenPage:
        links = (*nav, *more.pop("links", ()))  # type: ignore[misc]
        return SeenPage.model_validate(
            {
                "path": path,
                "title": f"{title} · Teahouse",
                "headings": (heading,),
                "links": links,
                "buttons": ("Search", *(form.submit for form in forms)),
                "forms": (search, *forms),
                **more,
            }
        )

    teapot = SeenLink(name="Blue Teapot", url=f"{url}/products/teapot")
    return SiteMap(
        base_url=url,
        pages=(
            page("/", "Welcome", "Tea, and what it needs"),
            page("/products", "Products", "Products", links=(teapot,)),
            page("/orders", "Orders", "Orders"),
            page("/about", "About us", "About us"),
            page("/cart", "Cart", "Your cart"),
            page("/login", "Log in", "Log in", _log_in(url)),
            page("/signup", "Sign up", "Sign up", _sign_up(url)),
            page("/products/teapot", "Product", "Blue Teapot", _to_cart(url)),
            page("/contact", "Contact", "Write to us", _contact(url)),
            page("/dashboard", "Dashboard", "Dashboard", log_out, behind_login=True),
            page("/settings", "Settings", "Settings", _settings(url), log_out, behind_login=True),
        ),
    )


def _log_in(url: str) -> SeenForm:
    return SeenForm(
        method="post",
        action=f"{url}/login",
        kind="login",
        submit="Log in",
        fields=(
            SeenField(label="Email", name="email", type="email", autocomplete="username"),
            SeenField(label="Password", name="password", type="password", secret=True),
        ),
    )


def _sign_up(url: str) -> SeenForm:
    return SeenForm(
        method="post",
        action=f"{url}/signup",
        kind="signup",
        submit="Sign up",
        fields=(
            SeenField(label="Email", name="email", type="email", autocomplete="email"),
            SeenField(label="Password", name="password", type="password", secret=True),
            SeenField(label="Confirm password", name="confirm", type="password", secret=True),
        ),
    )


def _to_cart(url: str) -> SeenForm:
    quantity = SeenField(
        label="Quantity", name="quantity", type="number", min="1", max="9", value="1"
    )
    return SeenForm(method="post", action=f"{url}/cart", submit="Add to cart", fields=(quantity,))


def _contact(url: str) -> SeenForm:
    return SeenForm(
        name="Contact",
        method="post",
        action=f"{url}/contact",
        submit="Send message",
        fields=(
            SeenField(label="Your name", name="name", required=True, maxlength=40),
            SeenField(label="Your e-mail", name="email", type="email", required=True),
            SeenField(label="Order code", name="code", pattern="[A-Z]{3}-[0-9]{4}"),
            SeenField(label="Cups", name="cups", type="number", min="1", max="12"),
            SeenField(
                label="Message", name="message", type="textarea", required=True, minlength=10
            ),
        ),
    )


def _settings(url: str) -> SeenForm:
    return SeenForm(
        method="post",
        action=f"{url}/settings",
        submit="Save",
        fields=(
            SeenField(label="Display name", name="name", value="Ada Lovelace"),
            SeenField(label="Bio", name="bio", type="textarea", value="Counts things."),
            SeenField(
                label="Theme",
                name="theme",
                type="select",
                options=("Light", "Dark"),
                value="Light",
            ),
            SeenField(label="Send me the newsletter", name="newsletter", type="checkbox"),
        ),
    )


API = """
openapi: 3.0.3
info: {title: Teahouse API}
paths:
  /api/ok:
    get:
      tags: [API]
      responses: {"200": {content: {application/json: {schema: {required: [ok]}}}}}
"""


def suite_of(served: Served) -> str:
    """Give the shop's generated suite, its API's case among the site's."""
    cases = cases_of_site(site_of(served.url), account=Account(EMAIL, "/login"))
    cases += cases_of_api(API, served.url)
    text = write("Teahouse", served.url, cases).replace(": ${LOGIN_PASSWORD}", f": {PASSWORD}")
    return text.replace("cases:\n", "retries: 0\ntimeout_ms: 2000\ncases:\n", 1)


def about(text: str, fault: str) -> list[str]:
    """Give the cases that have to do with the path of a fault, and what they depend on."""
    word = WHERE[fault].strip("/") or "home"
    cases = yaml.safe_load(text)["cases"]
    chosen = [case for case in cases if word in repr(case)]
    before = {case.get("depends_on") for case in chosen}
    return [case["id"] for case in cases if case in chosen or case["id"] in before]


async def measure(
    served: Served, scratch: Path, faults: Iterable[str] = (), cases: Sequence[str] | None = None
) -> dict[str, str]:
    """Run the generated suite with faults, and give the cases' verdicts."""
    served.shop.faults = set(faults)
    ending, _ = await run_suite(suite_of(served), scratch, cases=cases)
    served.shop.faults = set()
    return verdicts(ending)


async def _tell(faults: Iterable[str]) -> None:
    def say(line: object) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    async with serving() as served:
        healthy: dict[str, str] = {}
        caught = []
        for fault in ("", *faults):
            with tempfile.TemporaryDirectory() as scratch:
                began = time.monotonic()
                chosen = about(suite_of(served), fault) if fault else None
                found = await measure(served, Path(scratch), {fault} - {""}, chosen)
            if not fault:
                healthy = found
                passed = sum(verdict == "passed" for verdict in found.values())
                say(f"healthy: {passed} of {len(found)} cases pass")
                say([case for case, verdict in found.items() if verdict != "passed"])
                continue
            by = [
                case
                for case, verdict in found.items()
                if verdict in ("failed", "broken") and healthy[case] == "passed"
            ]
            caught.append(bool(by))
            took = time.monotonic() - began
            say(f"{fault}: {'caught by ' + ', '.join(by[:3]) if by else 'MISSED'} ({took:.0f} s)")
        say(f"{sum(caught)} of {len(caught)} faults caught")


if __name__ == "__main__":
    asyncio.run(_tell(sys.argv[1:] or FAULTS))
