"""A small shop in the web: the application that browser tests are made against.

``serving`` starts it on two origins; ``pages/`` is what it shows. Whoever needs further pages adds
a module with a ``ROUTES`` list and names it in ``app.py``.
"""

from __future__ import annotations

from tests.support.shop.state import EMAIL, PASSWORD, Shop
from tests.support.shop.threads import Served, serving

__all__ = ["EMAIL", "PASSWORD", "Served", "Shop", "serving"]
