"""The WebSocket bridge (RFC 6455): two legs, one to the caller and one to the service.

    handshake   what both ends must say before a socket stands
    asking      one connection to a service, until it has answered the handshake
    knocking    asks a service for a socket, for a while also one that is being restarted
    waiting     those who wait for such a service, and how they come to it
    legs        the two legs of a socket that stands: bytes pass as they come, pauses too
    frames      where frames begin and end, so that a goodbye can be said between two of them
    last_words  what a service wants said to its caller if it vanishes
    files       how many files there are for them
    sockets     all open sockets: how many, how long silent, and their end

Frames pass untouched, so pings, fragments and close codes are between the two ends. The gateway
reads frame headers only, for three reasons: it closes sockets itself when they fall silent, when a
login is revoked and when it stops; it refuses messages over a limit; and it tells a caller that a
service is gone. Pongs of services are read as a whole: some are last words, and those are kept.
"""

from __future__ import annotations
