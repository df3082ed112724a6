"""What claims find on a page.

``judging`` and ``capturing`` stand in front of a browser; ``api`` and ``pictures`` do not, and are
used without one as well, so nothing is imported here.
"""
