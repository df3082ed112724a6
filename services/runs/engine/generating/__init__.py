"""Suites out of what is known of an application: its pages, its API, or words about it."""
