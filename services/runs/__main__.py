"""``python -m services.runs serve|work|migrate``."""

from __future__ import annotations

from services.runs.app import SERVICE
from shared.service import main

main(SERVICE)
