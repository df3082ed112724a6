"""Showing the proxy's password once for each browser context.

Playwright's own way to do it has every request of the context stop and wait; here only one request,
to a host that exists nowhere, is answered for. The browser then keeps the password for the proxy
in the context's memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Error, Page

from services.runs.engine.browser.guard import Pass
from services.runs.engine.browser.models import BrowserGone
from services.runs.engine.browser.proxying import WELCOME


async def show_pass(context: BrowserContext, page: Page, entry: Pass) -> None:
    """Let a context through the proxy, before it asks for anything else.

    Raises:
        BrowserGone: the proxy did not let it through.
    """
    session = await context.new_cdp_session(page)
    tasks: set[asyncio.Task[None]] = set()

    def answer(method: str, values: dict[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(_send(session, method, values))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def on_paused(event: Mapping[str, Any]) -> None:
        answer("Fetch.continueRequest", {"requestId": event["requestId"]})

    def on_asked(event: Mapping[str, Any]) -> None:
        is_proxy = event.get("authChallenge", {}).get("source") == "Proxy"
        response: dict[str, Any] = {"response": "CancelAuth"}
        if is_proxy:
            response = {
                "response": "ProvideCredentials",
                "username": entry.name,
                "password": entry.password,
            }
        answer(
            "Fetch.continueWithAuth",
            {"requestId": event["requestId"], "authChallengeResponse": response},
        )

    session.on("Fetch.requestPaused", on_paused)
    session.on("Fetch.authRequired", on_asked)
    await session.send(
        "Fetch.enable", {"patterns": [{"urlPattern": f"*{WELCOME}*"}], "handleAuthRequests": True}
    )
    found = await session.send(
        "Runtime.evaluate",
        {
            "expression": f"fetch('http://{WELCOME}/', {{mode: 'no-cors'}}).then(() => 1)",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    await session.send("Fetch.disable")
    await session.detach()
    if found.get("result", {}).get("value") != 1:
        raise BrowserGone("the browser does not come through the proxy")


async def _send(session: CDPSession, method: str, values: dict[str, Any]) -> None:
    with suppress(Error):
        await session.send(method, values)
