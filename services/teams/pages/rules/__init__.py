"""How pages of teams look, and what of a team's texts may stand in them."""

from __future__ import annotations
