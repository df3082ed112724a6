"""Which element of a page is meant."""
