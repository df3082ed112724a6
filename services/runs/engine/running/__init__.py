"""A run from its first case to its verdict."""
