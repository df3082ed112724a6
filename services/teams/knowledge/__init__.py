"""Knowledge: the text that a team's machines write together."""

from __future__ import annotations
