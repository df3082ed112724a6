"""All rivals, in the order of the table."""

from __future__ import annotations

from typing import Final

from bench.rivals import Rival
from bench.rivals.haproxy import HAPROXY
from bench.rivals.nginx import NGINX

RIVALS: Final[tuple[Rival, ...]] = (HAPROXY, NGINX)
