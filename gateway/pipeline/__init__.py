"""The chain of rules that every request passes, and what is noted of its outcome.

chain: the rules. request_head, client_address: what they read. denials, metrics: what is noted.
"""

from __future__ import annotations
