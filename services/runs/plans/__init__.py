"""Plans: suites in an order, run by schedule or when asked (runs contract, section 3.5)."""

from __future__ import annotations
