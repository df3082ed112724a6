"""Checks without a browser: one request and its answer, one picture and its baseline."""
