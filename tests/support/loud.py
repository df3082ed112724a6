"""Run a module as talkatively as it can: ``loud.py -m MODULE ARGUMENT...``.

asyncio's debug mode describes every callback that takes longer than nothing, and Python shows all
its warnings: whatever a process holds and can be made to print, it prints. ``LOUD_LOOP=asyncio``
takes asyncio's own loop, which prints arguments too. With ``LOUD_CRASH`` a request of the gateway
that has the header ``x-crash`` fails with the request in the message.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from typing import TYPE_CHECKING

import uvloop

from guildhall import child

if TYPE_CHECKING:
    from gateway.pipeline.decisions import Destination, Step
    from gateway.pipeline.request_head import Fields


class _UvLoop(uvloop.Loop):
    def set_debug(self, enabled: bool) -> None:
        super().set_debug(True)


class _Loop(asyncio.SelectorEventLoop):
    def set_debug(self, enabled: bool) -> None:
        super().set_debug(True)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    loop = _Loop() if os.environ.get("LOUD_LOOP") == "asyncio" else _UvLoop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    return loop


def main() -> None:
    """Change what makes loops, and become the module."""
    warnings.simplefilter("always")
    uvloop.new_event_loop = _new_event_loop  # type: ignore[assignment]
    if os.environ.get("LOUD_CRASH"):
        _make_gateway_talk()
    child.main()


def _make_gateway_talk() -> None:
    from gateway.pipeline import denials
    from gateway.pipeline.chain import Pipeline

    denials.PER_SECOND = 1_000_000_000  # type: ignore[misc]
    decide = Pipeline.decide

    def crash(self: Pipeline, destination: Destination, fields: Fields, peer: str) -> Step:
        if any(name == b"x-crash" for name, _ in fields.headers):
            raise RuntimeError(f"crash of {destination!r}, {fields!r} in {self!r}")
        return decide(self, destination, fields, peer)

    Pipeline.decide = crash  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
