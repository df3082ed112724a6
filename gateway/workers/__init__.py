"""Being a process, or several: workers that share a port, and a stop that loses no request.

    parent      starts workers, replaces them, ends them; serves their metrics as one
    worker      the parent's view of one worker process
    link        a worker's line to its parent: words one way, words and metrics the other
    serving     uvicorn's server, stopped so that nothing under way is lost
    listening   the sockets, and how to stop listening without resetting who has just connected

Each worker listens on a socket of its own (SO_REUSEPORT), which the parent keeps open, so that a
worker that ends, even by a crash, leaves those who wait in its queue to the next one.
"""

from __future__ import annotations
