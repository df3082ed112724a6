"""``python -m services.teams serve|work|migrate``."""

from __future__ import annotations

from services.teams.app import SERVICE
from shared.service import main

main(SERVICE)
