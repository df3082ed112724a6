"""``python -m services.runs.engine``: execute one run, as its worker says over the pipe."""

from __future__ import annotations

from services.runs.engine.host.process import main

main()
