"""The third door of teams: Phoenix channels over WebSocket (teams contract, section 10).

    frames      what is said, in Phoenix's words and in RFC 6455's frames; pure
    handshake   who asks for a socket
    protocol    one connection: frames in, frames out, goodbye
    session     one socket: its messages one after the other, the topics it has joined
    channels    what can be done on a topic
    telling     what the sockets of a team are told: each news once, in order
    sockets     all sockets of the process: how many, how long silent, their end
    hearing     the bus, which only wakes
    files       how many sockets the process has files for

No socket has a task or a timer of its own while it is idle. Nothing relies on one process: what is
told is read from the database, by number, whoever wrote it.
"""

from __future__ import annotations
