"""A suite as a Playwright test: runnable TypeScript, and nothing passes by omission."""

from __future__ import annotations

from services.runs.engine.spec.writing import write

__all__ = ("write",)
