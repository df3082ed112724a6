"""Suites: their texts, with every version that there was."""
