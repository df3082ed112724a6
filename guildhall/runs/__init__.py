"""``guildhall runs``: suites from a command line, on this machine alone or on a server.

Runs contract, section 14. ``commands`` reads the line; ``alone`` executes a suite with the engine
in a process of its own, ``distant`` has a server do it; ``screen`` shows what happens, ``keeping``
writes the reports, ``totals`` decides the exit status.
"""
