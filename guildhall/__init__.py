"""The command line: start the whole system on one machine, look after it, and mend it.

Only this package starts processes and holds more than one service's secrets. Nothing in
``gateway``, ``services`` or ``shared`` imports it.
"""

from __future__ import annotations
