"""Making suites: what they are made of is got, cases are made, texts are kept where wanted."""

from __future__ import annotations

from services.runs.generations.operations.making import generate, generate_plan

__all__ = ["generate", "generate_plan"]
