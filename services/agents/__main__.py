"""``python -m services.agents serve|work|migrate``."""

from __future__ import annotations

from services.agents.app import SERVICE
from shared.service import main

main(SERVICE)
