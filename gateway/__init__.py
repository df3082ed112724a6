"""The gateway: one door for four surfaces. It keeps no state but caches and reads no body.

app        what the process is made of, and its lifetime
pipeline   match, strip, cap, authenticate, limit, write the upstream's request head
proxy      moves the bytes both ways
"""

from __future__ import annotations
