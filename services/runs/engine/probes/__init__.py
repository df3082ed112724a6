"""Checks that need no page: an answer of a server, two pictures. They load no browser."""
