"""The data path: a caller's connection, the requests on it, and their answers.

    connection   reads requests off a caller's socket, one after the other
    turn         takes one request through the pipeline to a service and its answer back
    answers      writes answers: status line, headers, framing
    event_stream  finds where a stream of events may be ended

All of it is callbacks, from the caller's parser to the service's connection and back; a task exists
only while auth is asked or one of the gateway's own pages is made.
"""

from __future__ import annotations
