"""Generations: suites that are made of a site, an API's description or words; none is kept here."""

from __future__ import annotations
