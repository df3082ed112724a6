"""What can be decided without asking anybody: choosing, reading tools, wires, guardrails."""

from __future__ import annotations
